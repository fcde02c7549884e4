"""Public market data of the futures and, under the same shapes, of the spot market."""

from collections.abc import Callable
from typing import Any

from sidecar.simulator.binance.call import Call, Endpoint, Json, Security
from sidecar.simulator.binance.errors import illegal
from sidecar.simulator.binance.limits import Limits
from sidecar.simulator.binance.market import Market
from sidecar.simulator.binance.symbols import SYMBOLS, symbol_of

_MOST_KLINES = 1500
_MOST_TRADES = 1000
_DEPTHS = (5, 10, 20, 50, 100, 500, 1000)


def ping(_call: Call) -> Json:
    """Whether anybody is there."""
    return {}


def server_time(call: Call) -> Json:
    """The exchange's own time."""
    return {"serverTime": call.exchange.now_ms()}


def rate_limits(limits: Limits) -> list[dict[str, Any]]:
    """The limits as `exchangeInfo` tells them."""
    return [
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": limits.weight_per_minute,
        },
        *order_limits(limits),
    ]


def order_limits(limits: Limits) -> list[dict[str, Any]]:
    """The order limits alone, as `rateLimit/order` tells them."""
    return [
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": limits.orders_per_minute},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": limits.orders_per_10_seconds},
    ]


def exchange_info(call: Call) -> Json:
    """Symbols, filters and limits of the futures."""
    assets = [
        {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"} for asset in ("USDT", "BTC", "BNB")
    ]
    return {
        "timezone": "UTC",
        "serverTime": call.exchange.now_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": rate_limits(call.exchange.meter.limits),
        "exchangeFilters": [],
        "assets": assets,
        "symbols": [symbol.futures_json() for symbol in SYMBOLS.values()],
    }


def spot_exchange_info(call: Call) -> Json:
    """Symbols, filters and limits of the spot market."""
    return {
        "timezone": "UTC",
        "serverTime": call.exchange.now_ms(),
        "rateLimits": rate_limits(call.exchange.spot_meter.limits),
        "exchangeFilters": [],
        "symbols": [symbol.spot_json() for symbol in SYMBOLS.values()],
    }


def depth(call: Call) -> Json:
    """The order book of a symbol."""
    limit = call.parameters.integer("limit", 500)
    if limit not in _DEPTHS:
        raise illegal("limit", "|".join(map(str, _DEPTHS)))
    return _market(call).depth(limit, call.exchange.now_ms())


def klines(call: Call) -> Json:
    """Candles of a symbol."""
    parameters = call.parameters
    start = parameters.integer("startTime") if "startTime" in parameters else None
    now = call.exchange.now_ms()
    end = min(parameters.integer("endTime", now), now)
    limit = min(max(1, parameters.integer("limit", 500)), _MOST_KLINES)
    return _market(call).klines(parameters.text("interval"), start, end, limit)


def trades(call: Call) -> Json:
    """Recent trades of a symbol."""
    return _market(call).trades(_trade_limit(call), call.exchange.now_ms())


def aggregate_trades(call: Call) -> Json:
    """Recent trades of a symbol, put together."""
    return _market(call).aggregate_trades(_trade_limit(call), call.exchange.now_ms())


def ticker_24h(call: Call) -> Json:
    """The last 24 hours of one symbol or of all."""
    return _one_or_all(call, lambda market: market.ticker(call.exchange.now_ms()))


def ticker_price(call: Call) -> Json:
    """The price of one symbol or of all."""
    now = call.exchange.now_ms()
    return _one_or_all(
        call,
        lambda market: {
            "symbol": market.symbol.name,
            "price": market.symbol.money(market.price),
            "time": now,
        },
    )


def book_ticker(call: Call) -> Json:
    """The best bid and ask of one symbol or of all."""
    return _one_or_all(call, lambda market: market.book_ticker(call.exchange.now_ms()))


def premium_index(call: Call) -> Json:
    """Mark price and funding of one symbol or of all."""
    return _one_or_all(call, lambda market: market.premium_index(call.exchange.now_ms()))


def funding_rate(call: Call) -> Json:
    """Past funding; none has been paid here."""
    _ = symbol_of(call.parameters.text("symbol")) if "symbol" in call.parameters else None
    return []


def _trade_limit(call: Call) -> int:
    return min(max(1, call.parameters.integer("limit", 500)), _MOST_TRADES)


def _market(call: Call) -> Market:
    return call.exchange.market(symbol_of(call.parameters.text("symbol")))


def _one_or_all(call: Call, tell: Callable[[Market], dict[str, Any]]) -> Json:
    if "symbol" in call.parameters:
        return tell(_market(call))
    return [tell(call.exchange.market(symbol)) for symbol in SYMBOLS.values()]


_PATHS: dict[str, Callable[[Call], Json]] = {
    "/fapi/v1/ping": ping,
    "/fapi/v1/time": server_time,
    "/fapi/v1/exchangeInfo": exchange_info,
    "/fapi/v1/depth": depth,
    "/fapi/v1/klines": klines,
    "/fapi/v1/trades": trades,
    "/fapi/v1/aggTrades": aggregate_trades,
    "/fapi/v1/ticker/24hr": ticker_24h,
    "/fapi/v1/ticker/price": ticker_price,
    "/fapi/v2/ticker/price": ticker_price,
    "/fapi/v1/ticker/bookTicker": book_ticker,
    "/fapi/v1/premiumIndex": premium_index,
    "/fapi/v1/fundingRate": funding_rate,
    "/api/v3/ping": ping,
    "/api/v3/time": server_time,
    "/api/v3/exchangeInfo": spot_exchange_info,
    "/api/v3/depth": depth,
    "/api/v3/klines": klines,
    "/api/v3/trades": trades,
    "/api/v3/ticker/24hr": ticker_24h,
    "/api/v3/ticker/price": ticker_price,
    "/api/v3/ticker/bookTicker": book_ticker,
}
ENDPOINTS = tuple(Endpoint("GET", path, run, Security.NONE) for path, run in _PATHS.items())
"""What needs no key."""
