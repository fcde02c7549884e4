"""`/v3/accounts/{account}/pricing`, its stream, and candles."""

import sys
from collections.abc import AsyncGenerator, Sequence

from aiohttp import web

from sidecar.simulator.oanda.calls import Call, Reply, endpoint, stream
from sidecar.simulator.oanda.candles import GRANULARITIES, CandleQuery, candles
from sidecar.simulator.oanda.errors import bad_request, invalid_value
from sidecar.simulator.oanda.exchange import Exchange
from sidecar.simulator.oanda.instruments import INSTRUMENTS
from sidecar.simulator.oanda.limits import Limits
from sidecar.simulator.oanda.market import TICK_SECONDS, Quote
from sidecar.simulator.oanda.stamps import Json, Stamp
from sidecar.simulator.oanda.streaming import HEARTBEAT_SECONDS, deliver
from sidecar.simulator.oanda.valuation import margin_rate, value_account

_ROOT = "/v3/accounts/{account}"
_MOST_CANDLES = 5000
_DEFAULT_CANDLES = 500


def routes(exchange: Exchange, limits: Limits) -> list[web.RouteDef]:
    """The pricing and candle endpoints (https://developer.oanda.com/rest-live-v20/pricing-ep/)."""

    async def stream_prices(call: Call) -> web.StreamResponse:
        _ = call.ledger
        return await deliver(call, limits, price_events(exchange, _instruments(call)))

    return [
        web.get(f"{_ROOT}/pricing", endpoint(exchange, _pricing)),
        web.get(f"{_ROOT}/pricing/stream", stream(exchange, stream_prices)),
        web.get(f"{_ROOT}/instruments/{{instrument}}/candles", endpoint(exchange, _candles)),
        web.get("/v3/instruments/{instrument}/candles", endpoint(exchange, _candles)),
    ]


async def price_events(exchange: Exchange, names: Sequence[str]) -> AsyncGenerator[Json]:
    """What the stream tells: every instrument first, then changes, at most four a second each, and heartbeats."""
    told: dict[str, Quote] = {}
    beat = exchange.clock.monotonic() + HEARTBEAT_SECONDS
    while True:
        exchange.settle()
        for name in names:
            quote = exchange.market.quotes[name]
            if quote != told.get(name):
                told[name] = quote
                yield quote.as_json()
        if exchange.clock.monotonic() >= beat:
            beat += HEARTBEAT_SECONDS
            yield {"type": "HEARTBEAT", "time": exchange.now()}
        await exchange.clock.sleep(TICK_SECONDS)


def _pricing(call: Call) -> Reply:
    account, market = call.ledger.account, call.exchange.market
    available = value_account(account, market).margin_available
    prices = []
    for name in _instruments(call):
        quote = market.quotes[name]
        unit = market.to_home(quote.instrument.base) * margin_rate(name, account.margin_rate)
        size = str(int(available / unit))
        home = str(market.to_home(quote.instrument.quote).quantize(quote.instrument.point / 1000))
        both = {"long": size, "short": size}
        prices.append(
            {
                **quote.as_json(),
                "quoteHomeConversionFactors": {"positiveUnits": home, "negativeUnits": home},
                "unitsAvailable": {
                    "default": both,
                    "reduceFirst": both,
                    "reduceOnly": {
                        "long": str(max(0, -int(account.net(name)))),
                        "short": str(max(0, int(account.net(name)))),
                    },
                    "openOnly": both,
                },
            }
        )
    return Reply({"time": call.exchange.now(), "prices": prices})


def _instruments(call: Call) -> list[str]:
    names = call.names("instruments")
    if not names or any(name not in INSTRUMENTS for name in names):
        raise invalid_value("instruments")
    return list(dict.fromkeys(names))


def _candles(call: Call) -> Reply:
    if "account" in call.request.match_info:
        _ = call.ledger
    quote = call.exchange.market.quotes.get(call.path("instrument"))
    if quote is None:
        raise invalid_value("instrument")
    # The candle that is still forming ends now, whenever the price last moved.
    quote = Quote(quote.instrument, quote.middle, call.exchange.now(), quote.tradeable)
    query = _candle_query(call)
    told = candles(query, quote, call.exchange.seed)
    return Reply({"instrument": quote.instrument.name, "granularity": query.granularity, "candles": told})


def _candle_query(call: Call) -> CandleQuery:
    granularity = call.query("granularity") or "S5"
    if granularity not in GRANULARITIES:
        raise invalid_value("granularity")
    prices = call.query("price") or "M"
    if not set(prices) <= set("MBA"):
        raise invalid_value("price")
    start, end = _moment(call, "from"), _moment(call, "to")
    if start is not None and end is not None and call.query("count"):
        raise bad_request("'count' cannot be specified when 'to' and 'from' parameters are set")
    count = call.integer("count", _DEFAULT_CANDLES, most=_MOST_CANDLES)
    if start is not None and end is not None:
        count = _MOST_CANDLES
    length = GRANULARITIES[granularity]
    if start is None:
        latest = call.exchange.now().seconds if end is None else end
        start = (latest // length + (end is None) - count) * length
    return CandleQuery(granularity, prices, start, sys.float_info.max if end is None else end, count)


def _moment(call: Call, name: str) -> float | None:
    text = call.query(name)
    if text is None:
        return None
    try:
        return Stamp.parse(text).seconds
    except ValueError:
        raise invalid_value(name) from None
