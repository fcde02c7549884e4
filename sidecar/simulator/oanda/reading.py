"""From what a client sent to an order, or to the reason why it makes none."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from sidecar.simulator.oanda.book import Exit, OrderSpec, OrderType, Trade
from sidecar.simulator.oanda.errors import OrderInvalidError, invalid_value
from sidecar.simulator.oanda.instruments import INSTRUMENTS, MAXIMUM_UNITS, Instrument
from sidecar.simulator.oanda.stamps import Json, Stamp

_RESTING = frozenset({"GTC", "GTD", "GFD"})
_LIFETIMES: Mapping[OrderType, frozenset[str]] = MappingProxyType(
    {
        OrderType.MARKET: frozenset({"FOK", "IOC"}),
        OrderType.LIMIT: _RESTING | {"FOK", "IOC"},
        OrderType.STOP: _RESTING | {"FOK", "IOC"},
        OrderType.MARKET_IF_TOUCHED: _RESTING,
        OrderType.TAKE_PROFIT: _RESTING,
        OrderType.STOP_LOSS: _RESTING,
    }
)
# OPEN_ONLY asks for trades in both directions at once, which an account without hedging cannot hold.
_POSITION_FILLS = frozenset({"DEFAULT", "REDUCE_FIRST", "REDUCE_ONLY"})
_LONGEST_CLIENT_ID = 128
_ECHOED = (
    "instrument",
    "units",
    "price",
    "priceBound",
    "timeInForce",
    "gtdTime",
    "positionFill",
    "triggerCondition",
    "tradeID",
    "clientTradeID",
    "takeProfitOnFill",
    "stopLossOnFill",
    "clientExtensions",
    "tradeClientExtensions",
)


def order_fields(body: Any) -> Json:
    """The `order` object of a request; `RefusedError` when there is none."""
    order = body.get("order") if isinstance(body, Mapping) else None
    if not isinstance(order, Mapping):
        raise invalid_value("order")
    # Clients write an absent field as null.
    return {key: value for key, value in order.items() if value is not None}


def order_type(fields: Json) -> OrderType:
    """The type of an order; `RefusedError` for one that the simulator does not take."""
    try:
        return OrderType(fields.get("type", OrderType.MARKET))
    except ValueError:
        raise invalid_value("order.type") from None


def echo(fields: Json, reason: str) -> Json:
    """What a reject transaction tells: the known fields of the order, as the client wrote them, and whence it came."""
    return {key: fields[key] for key in _ECHOED if key in fields} | {"reason": reason}


def read_order(fields: Json, now: Stamp) -> OrderSpec:
    """The order that a client described; `OrderInvalidError` when it describes none."""
    kind = order_type(fields)
    pair = _instrument(fields)
    lifetime, until = _lifetime(fields, kind, now)
    return OrderSpec(
        type=kind,
        instrument=pair,
        units=_units(fields),
        price=None if kind is OrderType.MARKET else _price(fields, pair),
        price_bound=_decimal(fields, "priceBound", "PRICE_BOUND_INVALID"),
        time_in_force=lifetime,
        gtd_time=until,
        position_fill=_position_fill(fields),
        client_extensions=read_extensions(fields.get("clientExtensions")),
        trade_client_extensions=read_extensions(fields.get("tradeClientExtensions")),
        take_profit=read_exit(fields.get("takeProfitOnFill"), pair, "TAKE_PROFIT_ON_FILL_PRICE_INVALID", now),
        stop_loss=read_exit(fields.get("stopLossOnFill"), pair, "STOP_LOSS_ON_FILL_PRICE_INVALID", now),
    )


def read_trade_order(fields: Json, kind: OrderType, trade: Trade, now: Stamp) -> OrderSpec:
    """The take profit or stop loss order that a client described for a trade; `OrderInvalidError`."""
    lifetime, until = _lifetime(fields, kind, now)
    return OrderSpec(
        type=kind,
        instrument=trade.instrument,
        price=_price(fields, trade.instrument),
        time_in_force=lifetime,
        gtd_time=until,
        trade_id=trade.id,
        client_extensions=read_extensions(fields.get("clientExtensions")),
    )


def read_exit(described: Any, pair: Instrument, reason: str, now: Stamp) -> Exit | None:
    """The take profit or stop loss that a client described, `None` for none; `OrderInvalidError(reason)`."""
    if described is None:
        return None
    if not isinstance(described, Mapping):
        raise OrderInvalidError(reason)
    fields = {key: value for key, value in described.items() if value is not None}
    price, distance = _decimal(fields, "price", reason), _decimal(fields, "distance", reason)
    if (price is None) == (distance is None) or min(x for x in (price, distance) if x is not None) <= 0:
        raise OrderInvalidError(reason)
    _fits(price if price is not None else distance, pair)
    lifetime, until = _lifetime(fields, OrderType.TAKE_PROFIT, now)
    return Exit(price, distance, lifetime, until, read_extensions(fields.get("clientExtensions")))


def read_extensions(described: Any) -> Json | None:
    """Client extensions, `None` for none; `OrderInvalidError` when the id in them cannot be one."""
    if described is None:
        return None
    if not isinstance(described, Mapping):
        raise OrderInvalidError("CLIENT_ORDER_ID_INVALID")
    told = {key: described[key] for key in ("id", "tag", "comment") if described.get(key) is not None}
    name = told.get("id", "-")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_CLIENT_ID:
        raise OrderInvalidError("CLIENT_ORDER_ID_INVALID")
    return told


def read_units(value: Any) -> Decimal:
    """A whole number of units, not 0 and not too many; `OrderInvalidError` otherwise."""
    number = _decimal({"units": value}, "units", "UNITS_INVALID")
    if number is None or number == 0:
        raise OrderInvalidError("UNITS_INVALID")
    if number != number.to_integral_value():
        raise OrderInvalidError("UNITS_PRECISION_EXCEEDED")
    if abs(number) > MAXIMUM_UNITS:
        raise OrderInvalidError("UNITS_LIMIT_EXCEEDED")
    return number


def _instrument(fields: Json) -> Instrument:
    name = fields.get("instrument")
    if name is None:
        raise OrderInvalidError("INSTRUMENT_MISSING")
    pair = INSTRUMENTS.get(name) if isinstance(name, str) else None
    if pair is None:
        raise OrderInvalidError("INSTRUMENT_UNKNOWN")
    return pair


def _units(fields: Json) -> Decimal:
    if "units" not in fields:
        raise OrderInvalidError("UNITS_MISSING")
    return read_units(fields["units"])


def _price(fields: Json, pair: Instrument) -> Decimal:
    price = _decimal(fields, "price", "PRICE_INVALID")
    if price is None:
        raise OrderInvalidError("PRICE_MISSING")
    if price <= 0:
        raise OrderInvalidError("PRICE_INVALID")
    _fits(price, pair)
    return price


def _fits(price: Decimal | None, pair: Instrument) -> None:
    if price is not None and price != price.quantize(pair.point):
        raise OrderInvalidError("PRICE_PRECISION_EXCEEDED")


def _lifetime(fields: Json, kind: OrderType, now: Stamp) -> tuple[str, Stamp | None]:
    lifetime = str(fields.get("timeInForce", "FOK" if kind is OrderType.MARKET else "GTC"))
    if lifetime not in _LIFETIMES[kind]:
        raise OrderInvalidError("TIME_IN_FORCE_INVALID")
    if lifetime != "GTD":
        return lifetime, None
    try:
        until = Stamp.parse(str(fields["gtdTime"]))
    except (KeyError, ValueError):
        raise OrderInvalidError("TIME_IN_FORCE_GTD_TIMESTAMP_MISSING") from None
    if until <= now:
        raise OrderInvalidError("TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST")
    return lifetime, until


def _position_fill(fields: Json) -> str:
    wanted = str(fields.get("positionFill", "DEFAULT"))
    if wanted not in _POSITION_FILLS:
        raise OrderInvalidError("ORDER_FILL_POSITION_ACTION_INVALID")
    return wanted


def _decimal(fields: Mapping[str, Any], key: str, reason: str) -> Decimal | None:
    value = fields.get(key)
    if value is None:
        return None
    # OANDA documents decimals as strings and takes plain numbers as well.
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise OrderInvalidError(reason)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise OrderInvalidError(reason) from None
    if not number.is_finite() or abs(number) > 10 * MAXIMUM_UNITS:
        raise OrderInvalidError(reason)
    return number
