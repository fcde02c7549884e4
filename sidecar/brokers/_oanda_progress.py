"""How far an order is, by the transactions that OANDA answers with ([doc] REST-V20, "Transaction definitions")."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from sidecar.brokers._answers import MESSAGE_LENGTH, error_of, json_of, message, short
from sidecar.brokers._terms import amount
from sidecar.brokers.profile import Progress, Verdict
from sidecar.wire import Answer
from sidecar.words import OrderState, Outcome

_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "place_order": ("order",),
    "close_trade": ("order",),
    "close_position": ("longOrder", "shortOrder"),
}
"""By endpoint: how the names of its transactions begin. A position may have two sides, each closed by an order."""
_TAKEN_BACK: Final = frozenset(
    {"CLIENT_REQUEST", "CLIENT_REQUEST_REPLACED", "DIVIDEND_ADJUSTMENT_REPLACED", "MIGRATION"}
)
"""[doc] OrderCancelReason: those by which an order ends that the broker would have filled; the rest say no to it."""
_RUN_OUT: Final = frozenset({"TIME_IN_FORCE_EXPIRED", "LINKED_TRADE_CLOSED"})
"""[doc] OrderCancelReason: its time is over, or the trade that it was to close is."""
_STATES: Final[Mapping[str, OrderState]] = {
    "FILLED": OrderState.FILLED,
    "CANCELLED": OrderState.CANCELLED,
}
"""[doc] OrderState: those that are final; TRIGGERED orders are about to be filled or cancelled."""
_NOTHING: Final = Decimal(0)
_DUPLICATE: Final = "CLIENT_ORDER_ID_ALREADY_EXISTS"

Fields = Mapping[str, object]


def progress(endpoint: str, verdict: Verdict, answer: Answer) -> Progress | None:
    """What an answer that `verdict` is about says of the order."""
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return _declined(endpoint, verdict, answer)
    said = json_of(answer)
    if not isinstance(said, dict):
        return None
    if endpoint == "cancel_order":
        cancelled = _part(said, "orderCancelTransaction")
        return Progress(OrderState.CANCELLED, *_id_and_reason(cancelled)) if cancelled else None
    sides = [side for begin in _PLACES.get(endpoint, ()) if (side := _placed(said, begin)) is not None]
    if len({side.state for side in sides}) != 1:
        return None
    return sides[0] if len(sides) == 1 else replace(sides[0], filled=None)


def of_order(said: Fields, state: str) -> Progress | None:
    """How far an order is by all that is known of it, and by its own state where a transaction is missing."""
    found = _placed(said, "order")
    if found is None or found.state is not OrderState.WORKING or state not in _STATES:
        return found
    return Progress(_STATES[state], found.broker_order_id, state)


def _declined(endpoint: str, verdict: Verdict, answer: Answer) -> Progress | None:
    # A wrong token says nothing about the order.
    if not verdict.code or not (verdict.outcome is Outcome.REJECTED or verdict.reason == "bad_request"):
        return None
    if verdict.code == _DUPLICATE and endpoint in _PLACES:
        # Whether it is this very order that bears the id, only a look tells.
        return None
    said = error_of(answer)
    msg = message(said.get("errorMessage")) if isinstance(said, dict) else ""
    return Progress(OrderState.REJECTED, detail=f"{verdict.code} {msg}".rstrip()[:MESSAGE_LENGTH])


def _placed(said: Fields, begin: str) -> Progress | None:
    created, filled, cancelled = (_part(said, f"{begin}{kind}Transaction") for kind in ("Create", "Fill", "Cancel"))
    order_id = short(created.get("id")) or short(filled.get("orderID")) or short(cancelled.get("orderID"))
    if cancelled:
        return _ended(order_id, filled, short(cancelled.get("reason")))
    if filled:
        return Progress(OrderState.FILLED, order_id, _amount(filled), amount(filled.get("units")))
    return Progress(OrderState.WORKING, order_id, short(created.get("type"))) if created else None


def _ended(order_id: str, filled: Fields, reason: str) -> Progress:
    if reason in _RUN_OUT:
        state = OrderState.EXPIRED
    elif reason in _TAKEN_BACK or filled:
        # What has filled in part was not refused.
        state = OrderState.CANCELLED
    else:
        state = OrderState.REJECTED
    told = f"{reason}, {_amount(filled)}" if filled else reason
    return Progress(state, order_id, told, amount(filled.get("units")) or _NOTHING)


def _amount(filled: Fields) -> str:
    """What has filled, with what was asked for where that was more."""
    units, asked, at = (short(filled.get(name)) for name in ("units", "requestedUnits", "price"))
    whole = f"ORDER_FILL {units} of {asked}" if asked and asked != units else f"ORDER_FILL {units}"
    return f"{whole} at {at}" if at else whole


def _id_and_reason(cancelled: Fields) -> tuple[str, str]:
    return short(cancelled.get("orderID")), short(cancelled.get("reason"))


def _part(said: Fields, key: str) -> Fields:
    part = said.get(key)
    return part if isinstance(part, dict) else {}
