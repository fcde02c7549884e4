"""How far an order is, by what Binance answers to its placement, to its cancel and to a query."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sidecar.brokers._answers import MESSAGE_LENGTH, error_of, json_of, message, number, short
from sidecar.brokers._terms import amount
from sidecar.brokers.profile import Progress, Verdict
from sidecar.wire import Answer
from sidecar.words import OrderState, Outcome

_STATES: Final[Mapping[str, OrderState]] = {
    # [doc] Enum definitions, "Order status" of both interfaces.
    "NEW": OrderState.WORKING,
    "PENDING_NEW": OrderState.WORKING,
    "PARTIALLY_FILLED": OrderState.WORKING,
    "PENDING_CANCEL": OrderState.WORKING,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
    "REJECTED": OrderState.REJECTED,
    # [doc] Event: Algo Order Update. Triggered, the order is on its way to the book or in it.
    "TRIGGERING": OrderState.WORKING,
    "TRIGGERED": OrderState.WORKING,
}
_PLACES: Final = frozenset(
    {"place_order", "place_algo_order", "place_oco_order", "place_oto_order", "place_otoco_order"}
)
"""A list is told by its first order."""
_CANCELS: Final = frozenset({"cancel_order", "cancel_algo_order", "cancel_all_orders", "cancel_all_algo_orders"})
_DUPLICATE: Final = "-4116"
_DUPLICATE_ON_SPOT: Final = "Duplicate order sent."
"""[doc] Errors, messages for -1010, -2010 and -2011."""


def progress(endpoint: str, verdict: Verdict, answer: Answer) -> Progress | None:
    """What an answer that `verdict` is about says of the order."""
    if verdict.outcome is Outcome.REJECTED or verdict.reason == "bad_request":
        # A wrong key or clock says nothing about the order: signed anew, it may be taken.
        return _declined(endpoint, verdict.code, answer)
    said = json_of(answer) if verdict.outcome is Outcome.OK else None
    if isinstance(said, list) and endpoint == "cancel_all_orders":
        return Progress(OrderState.CANCELLED, detail=f"{len(said)} orders")
    if not isinstance(said, dict):
        return None
    if endpoint in _PLACES:
        return _placed(said)
    return _cancelled(said) if endpoint in _CANCELS else None


def _declined(endpoint: str, code: str, answer: Answer) -> Progress | None:
    said = error_of(answer)
    msg = message(said.get("msg")) if isinstance(said, dict) else ""
    if not code or (endpoint in _PLACES and (code == _DUPLICATE or msg.startswith(_DUPLICATE_ON_SPOT))):
        # An order of this id is open: whether it is this very one, only a look tells.
        return None
    return Progress(OrderState.REJECTED, detail=f"{code} {msg}".rstrip()[:MESSAGE_LENGTH])


def _placed(said: Mapping[str, object]) -> Progress | None:
    if "algoId" in said:
        return _conditional(said)
    order_id, status = short(said.get("orderId")), said.get("status")
    if status is None and order_id:
        # [doc] Spot's `ACK` tells the id alone.
        return Progress(OrderState.WORKING, order_id, "ACK")
    state = _STATES.get(str(status))
    return None if state is None else Progress(state, order_id, _filled(said), _executed(said))


def _conditional(said: Mapping[str, object]) -> Progress | None:
    order_id, status = short(said.get("algoId")), said.get("algoStatus")
    if status == "FINISHED":
        # [doc] Filled or cancelled in the matching engine; which, only the price tells at which it was filled.
        at = short(said.get("actualPrice"))
        price = number(at)
        if price is None:
            return None
        if price > 0:
            return Progress(OrderState.FILLED, order_id, f"FINISHED at {at}")
        return Progress(OrderState.CANCELLED, order_id, "FINISHED without a fill")
    state = _STATES.get(str(status))
    return None if state is None else Progress(state, order_id, str(status))


def _cancelled(said: Mapping[str, object]) -> Progress | None:
    # [doc] Algo cancels and cancels of all answer with a code instead of an order.
    if said.get("status") != "CANCELED" and str(said.get("code")) != "200":
        return None
    order_id = short(said.get("orderId")) or short(said.get("algoId"))
    return Progress(OrderState.CANCELLED, order_id, _filled(said) or message(said.get("msg")), _executed(said))


def _executed(said: Mapping[str, object]) -> Decimal | None:
    return amount(said.get("executedQty"))


def _filled(said: Mapping[str, object]) -> str:
    """The status, with the quantity that has filled where any has."""
    status, filled = short(said.get("status")), short(said.get("executedQty"))
    return f"{status} {filled} of {short(said.get('origQty'))}" if number(filled) else status
