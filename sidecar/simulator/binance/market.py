"""Public market data: a quiet market around each symbol's current price, the same under the same seed."""

import random
from decimal import Decimal
from typing import Any

from sidecar.simulator.binance.errors import BinanceError
from sidecar.simulator.binance.symbols import Symbol

DAY_MS = 24 * 3600 * 1000
FUNDING_MS = 8 * 3600 * 1000
INTERVALS_MS = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
}
"""Kline intervals in milliseconds."""


class Market:
    """What everybody may see of one symbol at one price."""

    def __init__(self, seed: int, symbol: Symbol, price: Decimal) -> None:
        self._seed = seed
        self.symbol = symbol
        self.price = price

    def depth(self, levels: int, now_ms: int) -> dict[str, Any]:
        """The order book, `levels` a side."""
        noise = self._noise("depth")
        tick = self.symbol.tick
        bids = [[self.symbol.money(self.price - tick * (i + 1)), _size(noise)] for i in range(levels)]
        asks = [[self.symbol.money(self.price + tick * (i + 1)), _size(noise)] for i in range(levels)]
        return {"lastUpdateId": now_ms, "E": now_ms, "T": now_ms, "bids": bids, "asks": asks}

    def klines(self, interval: str, start_ms: int | None, end_ms: int, limit: int) -> list[list[Any]]:
        """Candles, oldest first; the last one's close is the current price."""
        if interval not in INTERVALS_MS:
            raise BinanceError(-1120, "Invalid interval.")
        length = INTERVALS_MS[interval]
        last = end_ms // length
        first = last - limit + 1 if start_ms is None else -(-start_ms // length)
        opened = range(first, min(last, first + limit - 1) + 1)
        return [self._kline(interval, index, length, current=index == last) for index in opened]

    def ticker(self, now_ms: int) -> dict[str, Any]:
        """The last 24 hours."""
        opened = self._price_at("1d", now_ms // DAY_MS - 1)
        change = self.price - opened
        money = self.symbol.money
        return {
            "symbol": self.symbol.name,
            "priceChange": money(change),
            "priceChangePercent": f"{change / opened * 100:.3f}",
            "weightedAvgPrice": money((self.price + opened) / 2 // self.symbol.tick * self.symbol.tick),
            "lastPrice": money(self.price),
            "lastQty": "0.010",
            "openPrice": money(opened),
            "highPrice": money(max(self.price, opened)),
            "lowPrice": money(min(self.price, opened)),
            "volume": "1000.000",
            "quoteVolume": f"{1000 * self.price:.2f}",
            "openTime": now_ms - DAY_MS,
            "closeTime": now_ms,
            "firstId": 1,
            "lastId": 1000,
            "count": 1000,
        }

    def book_ticker(self, now_ms: int) -> dict[str, Any]:
        """The best bid and ask."""
        return {
            "symbol": self.symbol.name,
            "bidPrice": self.symbol.money(self.price - self.symbol.tick),
            "bidQty": "1.000",
            "askPrice": self.symbol.money(self.price + self.symbol.tick),
            "askQty": "1.000",
            "time": now_ms,
            "lastUpdateId": now_ms,
        }

    def premium_index(self, now_ms: int) -> dict[str, Any]:
        """Mark price and funding."""
        price = f"{self.price:.8f}"
        return {
            "symbol": self.symbol.name,
            "markPrice": price,
            "indexPrice": price,
            "estimatedSettlePrice": price,
            "lastFundingRate": "0.00010000",
            "interestRate": "0.00010000",
            "nextFundingTime": (now_ms // FUNDING_MS + 1) * FUNDING_MS,
            "time": now_ms,
        }

    def trades(self, limit: int, now_ms: int) -> list[dict[str, Any]]:
        """Recent trades, oldest first."""
        noise = self._noise("trades")
        found = []
        for index in range(limit):
            quantity = Decimal(_size(noise))
            found.append(
                {
                    "id": index + 1,
                    "price": self.symbol.money(self.price),
                    "qty": f"{quantity:f}",
                    "quoteQty": f"{quantity * self.price:.2f}",
                    "time": now_ms - (limit - index) * 1000,
                    "isBuyerMaker": noise.choice((True, False)),
                }
            )
        return found

    def aggregate_trades(self, limit: int, now_ms: int) -> list[dict[str, Any]]:
        """Recent trades, those of one taker and price put together."""
        return [
            {
                "a": trade["id"],
                "p": trade["price"],
                "q": trade["qty"],
                "f": trade["id"],
                "l": trade["id"],
                "T": trade["time"],
                "m": trade["isBuyerMaker"],
            }
            for trade in self.trades(limit, now_ms)
        ]

    def _kline(self, interval: str, index: int, length: int, *, current: bool) -> list[Any]:
        opened = self._price_at(interval, index)
        closed = self.price if current else self._price_at(interval, index + 1)
        volume = Decimal(_size(self._noise(f"{interval}/{index}/volume")))
        money = self.symbol.money
        return [
            index * length,
            money(opened),
            money(max(opened, closed)),
            money(min(opened, closed)),
            money(closed),
            f"{volume:f}",
            (index + 1) * length - 1,
            f"{volume * closed:.4f}",
            100,
            f"{volume / 2:f}",
            f"{volume * closed / 2:.4f}",
            "0",
        ]

    def _price_at(self, interval: str, index: int) -> Decimal:
        ratio = Decimal(str(round(self._noise(f"{interval}/{index}").uniform(0.995, 1.005), 6)))
        return self.symbol.price * ratio // self.symbol.tick * self.symbol.tick

    def _noise(self, purpose: str) -> random.Random:
        return random.Random(f"{self._seed}/{self.symbol.name}/{purpose}")


def _size(noise: random.Random) -> str:
    return f"{noise.randint(1, 5000) / 1000:.3f}"
