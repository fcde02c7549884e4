"""The ways in which the simulated broker says no, in OANDA's own words."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "INSTRUMENT_MISSING": "Order instrument has not been specified",
        "INSTRUMENT_UNKNOWN": "The instrument specified is unknown",
        "UNITS_MISSING": "Order units have not been not specified",
        "UNITS_INVALID": "Order units specified are invalid",
        "UNITS_PRECISION_EXCEEDED": "The units specified contain more precision than is allowed for the "
        "Order's instrument",
        "UNITS_LIMIT_EXCEEDED": "The units specified exceeds the maximum number of units allowed",
        "PRICE_MISSING": "The price has not been specified",
        "PRICE_INVALID": "The price specifed is invalid",
        "PRICE_PRECISION_EXCEEDED": "The price specified contains more precision than is allowed for the instrument",
        "PRICE_BOUND_INVALID": "The price bound specified is invalid",
        "TIME_IN_FORCE_INVALID": "The TimeInForce specified is invalid",
        "TIME_IN_FORCE_GTD_TIMESTAMP_MISSING": "The TimeInForce is GTD but no GTD timestamp is provided",
        "TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST": "The TimeInForce is GTD but the GTD timestamp is in the past",
        "ORDER_FILL_POSITION_ACTION_INVALID": "The OrderFillPositionAction specified is invalid",
        "CLIENT_ORDER_ID_INVALID": "The client Order ID specified is invalid",
        "CLIENT_ORDER_ID_ALREADY_EXISTS": "The client Order ID specified is already assigned to another pending Order",
        "TAKE_PROFIT_ON_FILL_PRICE_INVALID": "The Take Profit on fill contains an invalid price",
        "STOP_LOSS_ON_FILL_PRICE_INVALID": "The Stop Loss on fill contains an invalid price",
        "TAKE_PROFIT_ORDER_ALREADY_EXISTS": "A Take Profit Order for the specified Trade already exists",
        "STOP_LOSS_ORDER_ALREADY_EXISTS": "A Stop Loss Order for the specified Trade already exists",
        "ORDER_DOESNT_EXIST": "The Order specified does not exist",
        "REPLACING_ORDER_INVALID": "The replacing Order refers to a different Trade than the Order that is "
        "being replaced",
        "TRADE_ID_UNSPECIFIED": "Neither the Trade ID nor client Trade ID are specified",
        "TRADE_DOESNT_EXIST": "The Trade specified does not exist",
        "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE": "The request to partially close a Trade specifies a number of "
        "units that exceeds the current size of the given Trade",
        "CLOSEOUT_POSITION_DOESNT_EXIST": "The Position requested to be closed out does not exist",
        "CLOSEOUT_POSITION_INCOMPLETE_SPECIFICATION": "The request to closeout a Position was specified incompletely",
        "CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE": "A partial Position closeout request specifies a "
        "number of units that exceeds the current Position",
        "MARGIN_RATE_INVALID": "The margin rate provided is invalid",
    }
)
"""What OANDA's `errorMessage` says for each reject reason that the simulator knows
(TransactionRejectReason, https://developer.oanda.com/rest-live-v20/transaction-df/)."""


class OandaSimulatorError(Exception):
    """Root of the errors by which the simulated broker says no."""


class OrderInvalidError(OandaSimulatorError):
    """Raised when what the client sent does not make an order; it becomes a reject transaction."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(f"{reason}: {REASONS[reason]}")
        self.reason = reason
        self.status = status


class RefusedError(OandaSimulatorError):
    """Raised when a request is answered with an error status; `body` is what the client gets."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(f"{status}: {body.get('errorMessage', '')}")
        self.status = status
        self.body = body


def bad_request(message: str, status: int = 400) -> RefusedError:
    """A refusal that carries nothing but a message."""
    return RefusedError(status, {"errorMessage": message})


def invalid_value(parameter: str) -> RefusedError:
    """The refusal of a parameter that cannot be understood."""
    return bad_request(f"Invalid value specified for '{parameter}'")
