"""Candles: a made-up past that is the same whenever, and in whatever granularity, it is asked for."""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from sidecar.simulator.oanda.instruments import Instrument
from sidecar.simulator.oanda.market import Quote
from sidecar.simulator.oanda.stamps import Json, Stamp

GRANULARITIES: Mapping[str, int] = MappingProxyType(
    {f"S{n}": n for n in (5, 10, 15, 30)}
    | {f"M{n}": 60 * n for n in (1, 2, 4, 5, 10, 15, 30)}
    | {f"H{n}": 3600 * n for n in (1, 2, 3, 4, 6, 8, 12)}
    | {"D": 86_400, "W": 7 * 86_400, "M": 30 * 86_400}
)
"""Seconds of each granularity. Candles start at multiples of it since 1970, not at OANDA's daily alignment."""


@dataclass(frozen=True, slots=True)
class CandleQuery:
    """Which candles are wanted: at most `count` from `start` to `end`, with the prices `M`, `B` and `A` say."""

    granularity: str
    prices: str
    start: float
    end: float
    count: int


def candles(query: CandleQuery, quote: Quote, seed: int) -> list[Json]:
    """The candles that a query asks for, up to the one that `quote` is still forming."""
    return list(_candles(query, quote, seed))


def _candles(query: CandleQuery, quote: Quote, seed: int) -> Iterator[Json]:
    length = GRANULARITIES[query.granularity]
    now = quote.stamp.seconds
    first = math.ceil(query.start / length) * length
    for number in range(query.count):
        start = first + number * length
        if start >= query.end or start > now:
            return
        complete = start + length <= now
        opened = _past(quote.instrument, start, seed)
        closed = _past(quote.instrument, start + length, seed) if complete else quote.middle
        dice = random.Random(f"{seed}/{quote.instrument.name}/{start}/{length}")
        candle: Json = {
            "complete": complete,
            "volume": dice.randint(1, 20 * max(1, length // 5)),
            "time": Stamp.at(start),
        }
        reach = quote.instrument.point * dice.randint(0, 30)
        middle = {"o": opened, "h": max(opened, closed) + reach, "l": min(opened, closed) - reach, "c": closed}
        half = quote.instrument.spread / 2
        for letter, name, offset in (("M", "mid", Decimal(0)), ("B", "bid", -half), ("A", "ask", half)):
            if letter in query.prices:
                candle[name] = {key: quote.instrument.price(value + offset) for key, value in middle.items()}
        yield candle


def _past(instrument: Instrument, moment: float, seed: int) -> Decimal:
    phase = random.Random(f"{seed}/{instrument.name}").random() * math.tau
    day = 0.002 * math.sin(math.tau * moment / 86_400 + phase)
    hour = 0.0004 * math.sin(math.tau * moment / 3_700 + 2 * phase)
    return (instrument.start * Decimal(repr(1 + day + hour))).quantize(instrument.point)
