"""From parameters to an order: everything that is wrong with a request by itself."""

import re
from decimal import Decimal

from sidecar.simulator.binance.errors import BinanceError, bad_client_id, illegal, too_precise
from sidecar.simulator.binance.order import ZERO, OrderRequest
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.symbols import CONDITIONAL_TYPES, FUTURES_TIMES_IN_FORCE, Symbol, symbol_of

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")


def client_id_of(parameters: Parameters, name: str) -> str:
    """The client id under that parameter, empty when there is none; -4015 when it is against the rules."""
    client_id = parameters.optional(name)
    if client_id and not _CLIENT_ID.fullmatch(client_id):
        raise bad_client_id()
    return client_id


def order_request(parameters: Parameters, *, hedged: bool) -> OrderRequest:
    """The order that `POST /fapi/v1/order` asks for."""
    symbol = symbol_of(parameters.text("symbol"))
    kind = parameters.text("type")
    if kind in CONDITIONAL_TYPES:
        raise BinanceError(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
        )
    if kind not in {"LIMIT", "MARKET"}:
        raise BinanceError(-1116, "Invalid orderType.")
    time_in_force = "GTC"
    if kind == "LIMIT":
        time_in_force = time_in_force_of(parameters)
    elif "price" in parameters:
        raise BinanceError(-1106, "Parameter 'price' sent when not required.")
    return OrderRequest(
        symbol=symbol,
        side=side_of(parameters),
        position_side=position_side_of(parameters, hedged=hedged),
        type=kind,
        time_in_force=time_in_force,
        quantity=quantity_of(parameters, symbol),
        price=price_of(parameters, symbol, "price") if kind == "LIMIT" else ZERO,
        client_id=client_id_of(parameters, "newClientOrderId"),
        reduce_only=reduce_only_of(parameters, hedged=hedged),
        good_till_ms=parameters.integer("goodTillDate", 0),
    )


def side_of(parameters: Parameters) -> str:
    """`BUY` or `SELL`; -1117 for anything else."""
    side = parameters.text("side")
    if side not in {"BUY", "SELL"}:
        raise BinanceError(-1117, "Invalid side.")
    return side


def time_in_force_of(parameters: Parameters, *, default: str = "") -> str:
    """How long the order stays; mandatory unless there is a default."""
    time_in_force = parameters.optional("timeInForce", default) or parameters.text("timeInForce")
    if time_in_force not in FUTURES_TIMES_IN_FORCE:
        raise BinanceError(-1115, "Invalid timeInForce.")
    return time_in_force


def position_side_of(parameters: Parameters, *, hedged: bool) -> str:
    """The position meant; -4061 when it does not fit the account's mode."""
    position_side = parameters.choice("positionSide", "BOTH", "LONG", "SHORT", default="BOTH")
    if hedged == (position_side == "BOTH"):
        raise BinanceError(-4061, "Order's position side does not match user's setting.")
    return position_side


def reduce_only_of(parameters: Parameters, *, hedged: bool) -> bool:
    """Whether the order may only reduce; -1106 in hedge mode, where the position side says so."""
    if hedged and "reduceOnly" in parameters:
        raise BinanceError(-1106, "Parameter 'reduceonly' sent when not required.")
    return parameters.flag("reduceOnly")


def quantity_of(parameters: Parameters, symbol: Symbol) -> Decimal:
    """The quantity, in line with the symbol's lot size."""
    quantity = parameters.decimal("quantity")
    if quantity == 0:
        raise BinanceError(-4003, "Quantity less than or equal to zero.")
    if quantity % symbol.step:
        raise too_precise()
    if quantity < symbol.minimum_quantity:
        raise BinanceError(-4004, "Quantity less than min quantity.")
    if quantity > symbol.maximum_quantity:
        raise BinanceError(-4005, "Quantity greater than max quantity.")
    return quantity


def price_of(parameters: Parameters, symbol: Symbol, name: str) -> Decimal:
    """A price, in line with the symbol's tick size."""
    price = parameters.decimal(name)
    if price == 0:
        raise BinanceError(-4001, "Price less than or equal to zero.")
    if price % symbol.tick:
        digits = -int(price.normalize().as_tuple().exponent)
        if digits > -int(symbol.tick.normalize().as_tuple().exponent):
            raise too_precise()
        raise BinanceError(-4014, "Price not increased by tick size.")
    return price


def check_notional(request: OrderRequest, market_price: Decimal) -> None:
    """Raise -4164 for an order too small to open a position."""
    notional = request.quantity * (request.price or market_price)
    if notional < request.symbol.minimum_notional and not (request.reduce_only or request.close_position):
        raise BinanceError(
            -4164,
            f"Order's notional must be no smaller than {request.symbol.minimum_notional} "
            "(unless you choose reduce only).",
        )


def response_type_of(parameters: Parameters) -> str:
    """`ACK` (default) or `RESULT`."""
    wanted = parameters.optional("newOrderRespType", "ACK")
    if wanted not in {"ACK", "RESULT"}:
        raise illegal("newOrderRespType", "ACK|RESULT")
    return wanted
