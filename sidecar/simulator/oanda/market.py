"""Prices that move by themselves, the same way under the same seed and the same clock."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from sidecar.simulator.oanda.instruments import HOME, INSTRUMENTS, Instrument
from sidecar.simulator.oanda.stamps import Json, Now, Stamp

TICK_SECONDS = 0.25
"""OANDA sends at most four prices a second for one instrument (https://developer.oanda.com/rest-live-v20/pricing-ep/)."""

_LONGEST_CATCH_UP = 240
_LEASH = 200
_LIQUIDITY = 10_000_000


@dataclass(frozen=True, slots=True)
class Quote:
    """What an instrument costs now."""

    instrument: Instrument
    middle: Decimal
    stamp: Stamp
    tradeable: bool = True

    @property
    def bid(self) -> Decimal:
        """What a seller gets."""
        return self.middle - self.instrument.spread / 2

    @property
    def ask(self) -> Decimal:
        """What a buyer pays."""
        return self.middle + self.instrument.spread / 2

    def side(self, units: Decimal) -> Decimal:
        """The price for so many units: the ask for a purchase, the bid for a sale."""
        return self.ask if units > 0 else self.bid

    def as_json(self) -> Json:
        """The price as the snapshot and the stream tell it."""
        bid, ask = self.instrument.price(self.bid), self.instrument.price(self.ask)
        return {
            "type": "PRICE",
            "time": self.stamp,
            "bids": [{"price": bid, "liquidity": _LIQUIDITY}],
            "asks": [{"price": ask, "liquidity": _LIQUIDITY}],
            "closeoutBid": bid,
            "closeoutAsk": ask,
            "status": "tradeable" if self.tradeable else "non-tradeable",
            "tradeable": self.tradeable,
            "instrument": self.instrument.name,
        }


class Market:
    """The quotes of all instruments. With `moving` they take a small random step every 250 ms, at most 20 pips away."""

    def __init__(self, now: Now, *, seed: int, moving: bool) -> None:
        self._now = now
        self._moving = moving
        self._randoms = {name: random.Random(f"{seed}/{name}") for name in INSTRUMENTS}
        self._anchors = {name: instrument.start for name, instrument in INSTRUMENTS.items()}
        self._quotes = {name: Quote(pair, pair.start, now()) for name, pair in INSTRUMENTS.items()}
        self._tick = self._due()

    @property
    def quotes(self) -> Mapping[str, Quote]:
        """The quotes as they stand, by the instrument's name."""
        return self._quotes

    def ticks(self) -> Iterator[str]:
        """Take the steps that are due and name the instrument after each, so that orders can meet every price.

        After a long pause only the last minute's steps are taken.
        """
        due = self._due()
        steps = min(due - self._tick, _LONGEST_CATCH_UP) if self._moving else 0
        self._tick = due
        for _ in range(steps):
            for name in INSTRUMENTS:
                if step := self._step(name):
                    self._move(name, self._quotes[name].middle + step)
                    yield name

    def set_price(self, name: str, middle: Decimal) -> None:
        """Put the middle of the quote somewhere else; `KeyError` for an instrument that is not traded."""
        self._anchors[name] = middle.quantize(self._quotes[name].instrument.point)
        self._move(name, self._anchors[name])

    def set_halted(self, name: str, *, halted: bool) -> None:
        """Halt or reopen trading; `KeyError` for an instrument that is not traded."""
        self._quotes[name] = replace(self._quotes[name], tradeable=not halted, stamp=self._now())

    def to_home(self, currency: str) -> Decimal:
        """What one unit of a currency is worth in the home currency."""
        if currency == HOME:
            return Decimal(1)
        if (direct := self._quotes.get(f"{currency}_{HOME}")) is not None:
            return direct.middle
        return 1 / self._quotes[f"{HOME}_{currency}"].middle

    def _move(self, name: str, middle: Decimal) -> None:
        self._quotes[name] = replace(self._quotes[name], middle=middle, stamp=self._now())

    def _step(self, name: str) -> Decimal:
        point = self._quotes[name].instrument.point
        direction = self._randoms[name].choice((-1, 0, 0, 1))
        away = self._quotes[name].middle - self._anchors[name]
        if abs(away) >= _LEASH * point:
            direction = -1 if away > 0 else 1
        return direction * point

    def _due(self) -> int:
        return int(self._now().seconds / TICK_SECONDS)
