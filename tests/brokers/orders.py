"""Order terms for the tests of how profiles carry orders."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from sidecar.brokers.profile import OrderTerms
from sidecar.words import OrderType, Side, TimeInForce

ACCOUNT = "101-001-1234567-001"
WAITING = (OrderType.STOP, OrderType.TAKE_PROFIT)
BROKERS = ("binance-usdm", "binance-spot", "oanda")
"""The profiles that can express orders."""

_BUY = OrderTerms("BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.01"), "bs-1")


def terms(broker: str, **changes: Any) -> OrderTerms:
    """A market order at this broker, changed as wanted."""
    order = _BUY
    if broker == "oanda":
        order = replace(order, instrument="EUR_USD", quantity=Decimal(100), account=ACCOUNT)
    return replace(order, **changes)


numbers = st.decimals(Decimal("1e-8"), Decimal("1e9"), places=8, allow_nan=False, allow_infinity=False)


@st.composite
def expressible(draw: st.DrawFn, broker: str) -> OrderTerms:
    """Any terms that this broker takes."""
    kind = draw(st.sampled_from(OrderType))
    times = [None, TimeInForce.GTC]
    if kind is OrderType.MARKET:
        times = [None, TimeInForce.IOC]
    elif kind is OrderType.LIMIT:
        times += [TimeInForce.IOC, TimeInForce.FOK]
    if broker == "oanda" and kind is not OrderType.MARKET:
        times.append(TimeInForce.DAY)
    return terms(
        broker,
        side=draw(st.sampled_from(Side)),
        type=kind,
        quantity=draw(numbers),
        client_id=draw(st.from_regex(r"[A-Za-z0-9_-]{1,36}", fullmatch=True)),
        price=draw(numbers) if kind is OrderType.LIMIT else None,
        stop_price=draw(numbers) if kind in WAITING else None,
        time_in_force=draw(st.sampled_from(times)),
        reduce_only=broker != "binance-spot" and draw(st.booleans()),
    )
