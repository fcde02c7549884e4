"""What became of an OANDA order: asked by its specifier, and told in the transactions that its answer would have held.

[doc] REST-V20, "Order endpoints": an order's id is that of the transaction which created it, and what one request
caused shares a `batchID`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from sidecar.brokers import _oanda_progress
from sidecar.brokers._answers import number, told_by
from sidecar.brokers._oanda_endpoints import order_of
from sidecar.brokers.profile import Finding, Intent, Look
from sidecar.brokers.times import rfc3339_time
from sidecar.wire import Answer, Headers, Request

_KEPT: Final = frozenset({b"authorization", b"accept-datetime-format"})
_JSON: Final = ((b"Content-Type", b"application/json"),)
_SLACK_SECONDS: Final = 2.0
"""The broker's clock is known to a second at worst."""
_ENDED: Final = frozenset({"FILLED", "TRIGGERED"})
_GONE: Final = {"errorCode": "ORDER_DOESNT_EXIST", "errorMessage": "The Order specified does not exist"}

Fields = Mapping[str, object]


def look(request: Request, intent: Intent, since: Callable[[], float]) -> Look | None:
    """A look at the order that the request places or cancels; None when it names none."""
    segments = request.path.split("/")
    account = "/".join(segments[:4])
    headers = tuple(pair for pair in request.headers if pair[0].lower() in _KEPT)
    if intent.endpoint.name == "cancel_order":
        return _look_at_cancelled(account, segments[5], headers)
    specifier = specifier_of(intent.client_id)
    if intent.endpoint.name == "place_order" and specifier:
        return _look_at_placed(account, specifier, headers, order_of(request).get("instrument"), since)
    return None


def specifier_of(client_id: str) -> str:
    """[doc] OrderSpecifier: how a path names the order with this client id; empty when none can."""
    try:
        return "@" + quote(client_id, safe="") if client_id else ""
    except UnicodeEncodeError:  # JSON may hold half a surrogate pair
        return ""


def _look_at_placed(
    account: str, specifier: str, headers: Headers, instrument: object, since: Callable[[], float]
) -> Look:
    order = _part(_read((yield Request("GET", f"{account}/orders/{specifier}", headers))), "order")
    created = _time(order.get("createTime"))
    # [doc] StopLossOrder, TakeProfitOrder: what belongs to a trade names that instead of an instrument.
    told = order.get("instrument", instrument)
    if created is None or created < since() - _SLACK_SECONDS or told != instrument:
        # The id of an earlier order.
        return None
    order_id, status = str(order.get("id")), str(order.get("state"))
    if not order_id.isdecimal():
        return None
    since_then = f"{account}/transactions/sinceid?id={int(order_id) - 1}"
    said = _read((yield Request("GET", since_then, headers)))
    transactions = said.get("transactions")
    listed = [item for item in transactions if isinstance(item, dict)] if isinstance(transactions, list) else []
    creation = next((item for item in listed if item.get("id") == order_id), None)
    if creation is None:
        return None
    # What placing the order answered holds the transactions of its own request, and nothing that came later.
    batch = [item for item in listed if item.get("batchID") == creation.get("batchID")]
    answer = _told(201, _history(creation, batch), [item.get("id") for item in batch], said)
    return Finding(status, answer, _oanda_progress.of_order(_history(creation, listed), status))


def _history(created: Fields, transactions: Sequence[Fields]) -> dict[str, object]:
    """What these transactions tell of the order, in the shape of an answer."""
    told: dict[str, object] = {"orderCreateTransaction": created}
    for kind, key in (("ORDER_FILL", "orderFillTransaction"), ("ORDER_CANCEL", "orderCancelTransaction")):
        its = (item for item in transactions if item.get("type") == kind and item.get("orderID") == created.get("id"))
        found = next(its, None)
        if found is not None:
            told[key] = found
    return told


def _look_at_cancelled(account: str, specifier: str, headers: Headers) -> Look:
    said = _read((yield Request("GET", f"{account}/orders/{specifier}", headers)))
    order = _part(said, "order")
    status, number_of_cancel = str(order.get("state", "")), str(order.get("cancellingTransactionID", ""))
    if status in _ENDED:
        return Finding(status, _told(404, dict(_GONE), [], said))
    if status == "CANCELLED" and number_of_cancel.isdecimal():
        said = _read((yield Request("GET", f"{account}/transactions/{number_of_cancel}", headers)))
        cancelled = _part(said, "transaction")
        if cancelled:
            body: dict[str, object] = {"orderCancelTransaction": cancelled}
            return Finding(status, _told(200, body, [number_of_cancel], said))
    return Finding(status, None) if status else None


def _told(status: int, body: dict[str, object], related: Sequence[object], said: Fields) -> Answer:
    body["relatedTransactionIDs"] = related
    body["lastTransactionID"] = said.get("lastTransactionID")
    reason = {200: "OK", 201: "Created"}.get(status, "Not Found")
    return Answer(status, _JSON, json.dumps(body).encode(), reason)


def _read(answer: Answer) -> Fields:
    said = told_by(answer)
    return said if isinstance(said, dict) else {}


def _part(said: Fields, key: str) -> Fields:
    part = said.get(key)
    return part if isinstance(part, dict) else {}


def _time(told: object) -> float | None:
    """[doc] DateTime: Unix seconds or RFC 3339, both with nanoseconds, as `Accept-Datetime-Format` asks."""
    if not isinstance(told, str):
        return None
    seconds = number(told)
    return rfc3339_time(told) if seconds is None else seconds
