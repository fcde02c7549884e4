"""What became of a ProjectX order: asked for by its number, or searched for by its tag, and told as its answer would.

The close of a position bears no tag: it is the one untagged market order of that size and side, and not found if there
are two.

[doc] `Order/search` lists an account's orders of a span of time, whatever their state; `searchOpen` leaves out the
suspended children of brackets.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from sidecar.brokers._answers import short, told_by
from sidecar.brokers._projectx_closing import side_of
from sidecar.brokers._projectx_endpoints import JSON, PLACES, fields_of
from sidecar.brokers.profile import Finding, Intent, Look, Progress
from sidecar.wire import Answer, Headers, Request
from sidecar.words import OrderState

STATES: Final[Mapping[int, str]] = {
    0: "None", 1: "Open", 2: "Filled", 3: "Cancelled", 4: "Expired", 5: "Rejected", 6: "Pending",
    7: "PendingCancellation", 8: "Suspended",
}  # fmt: skip
"""[doc] OrderStatus."""
_STATES: Final[Mapping[int, OrderState]] = {
    1: OrderState.WORKING, 2: OrderState.FILLED, 3: OrderState.CANCELLED, 4: OrderState.EXPIRED, 5: OrderState.REJECTED,
    7: OrderState.WORKING, 8: OrderState.WORKING,
}  # fmt: skip
_SLACK_SECONDS: Final = 2.0
"""The broker's clock is known to a second at worst."""
_NONE, _CANCELLED, _REJECTED, _PENDING = 0, 3, 5, 6
_OPEN_TO_DOUBT: Final = frozenset({_NONE, _PENDING})
_ENDED: Final = frozenset({2, 4, 5})
_MARKET: Final = 2
"""[doc] OrderType."""
_PLACE_REJECTED: Final = 2
"""[doc] PlaceOrderErrorCode OrderRejected."""
_CANCEL_REJECTED: Final = 3
"""[doc] CancelOrderErrorCode Rejected."""

Fields = Mapping[str, object]


def look(request: Request, intent: Intent, since: Callable[[], float], order_id: str) -> Look | None:
    """A look at the order that the request places or cancels; None when it names none."""
    asked = fields_of(request.body)
    headers = (*JSON, *(pair for pair in request.headers if pair[0].lower() == b"authorization"))
    account, name = asked.get("accountid"), intent.endpoint.name
    if not _whole(account):
        return None
    if name == "cancel_order" and _whole(asked.get("orderid")):
        return _look_at_cancelled({"accountId": account, "orderId": asked["orderid"]}, headers)
    if name in PLACES and order_id.isascii() and order_id.isdecimal():
        rests = name == "place_order" and asked.get("type") != _MARKET
        return _look_at_numbered({"accountId": account, "orderId": int(order_id)}, headers, rests=rests)
    if name == "place_order" and intent.client_id:
        wanted = {"contractId": asked.get("contractid"), "side": asked.get("side")}
        return _look_for(account, intent.client_id, wanted, headers, since)
    side = side_of(request)
    if side is not None:
        wanted = {"contractId": asked.get("contractid"), "side": side, "size": asked.get("size"), "type": _MARKET}
        return _look_for(account, "", wanted, headers, since)
    return None


def _look_for(account: object, tag: str, wanted: Fields, headers: Headers, since: Callable[[], float]) -> Look:
    """The one order with this tag, or without any, and with these fields."""
    earliest = since() - _SLACK_SECONDS
    body = {"accountId": account, "startTimestamp": datetime.fromtimestamp(earliest, UTC).isoformat()}
    said = _read((yield _question("/api/Order/search", body, headers)))
    listed = said.get("orders")
    mine = [
        order
        for order in (listed if isinstance(listed, list) else ())
        if isinstance(order, dict)
        and (order.get("customTag") or "") == tag
        and all(order.get(name) == value for name, value in wanted.items())
        # A child of a bracket may bear its parent's tag.
        and not order.get("parentOrderId")
        and (_time(order.get("creationTimestamp")) or 0.0) >= earliest
    ]
    return _found(mine[0]) if len(mine) == 1 else None


def _look_at_numbered(body: Fields, headers: Headers, *, rests: bool) -> Look:
    """One that may rest is looked for among all that do: the same question, and one call, for every order there."""
    if rests:
        said = _read((yield _question("/api/Order/searchOpen", {"accountId": body["accountId"]}, headers)))
        listed = said.get("orders")
        for order in listed if isinstance(listed, list) else ():
            if isinstance(order, dict) and order.get("id") == body["orderId"]:
                return _found(order)
    order = _read((yield _question("/api/Order/searchById", body, headers))).get("order")
    return _found(order) if isinstance(order, dict) and order.get("id") == body["orderId"] else None


def _found(order: Fields) -> Finding | None:
    """What an order that was found says of the request that placed it."""
    number, status = order.get("id"), _state(order)
    if not _whole(number):
        return None
    word = STATES.get(status, "Unknown")
    if status in _OPEN_TO_DOUBT:
        return Finding(word, None)
    filled = order.get("fillVolume")
    traded = Decimal(filled) if isinstance(filled, int) and not isinstance(filled, bool) else None
    how_far = Progress(_STATES[status], str(number), f"{word} {short(filled)}".strip(), traded)
    if status == _REJECTED:
        return Finding(word, _told(_PLACE_REJECTED, "The order was rejected.", {"orderId": number}), how_far)
    return Finding(word, _told(0, None, {"orderId": number}), how_far)


def _look_at_cancelled(body: Fields, headers: Headers) -> Look:
    said = _read((yield _question("/api/Order/searchById", body, headers)))
    order = said.get("order")
    if not isinstance(order, dict) or order.get("id") != body["orderId"]:
        return None
    status = _state(order)
    word = STATES.get(status, "Unknown")
    if status == _CANCELLED:
        return Finding(word, _told(0, None, {}))
    if status in _ENDED:
        return Finding(word, _told(_CANCEL_REJECTED, f"The order is {word.lower()} already.", {}))
    return Finding(word, None)


def _question(path: str, body: Fields, headers: Headers) -> Request:
    return Request("POST", path, headers, json.dumps(body).encode())


def _told(code: int, text: str | None, more: Fields) -> Answer:
    body = {**more, "success": not code, "errorCode": code, "errorMessage": text}
    return Answer(200, JSON, json.dumps(body).encode(), "OK")


def _read(answer: Answer) -> Fields:
    said = told_by(answer)
    return said if isinstance(said, dict) and said.get("success") is True else {}


def _state(order: Fields) -> int:
    status = order.get("status")
    return status if isinstance(status, int) and status in STATES else _NONE


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _time(told: object) -> float | None:
    """[doc] Times are ISO 8601 with an offset; one without is taken for UTC."""
    if not isinstance(told, str):
        return None
    try:
        found = datetime.fromisoformat(told)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
