"""What became of a Binance order: asked by the id that the bot's own request bears.

[doc] Query Order, Query Algo Order, Cancel Order. The answer to a query has the shape of the answer to a placement and
to a cancel, so that it can be handed to the bot as it came; algo cancels alone have a shape of their own.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_plus

from sidecar.brokers._answers import told_by
from sidecar.brokers._binance_rules import parameters, value
from sidecar.brokers.profile import Finding, Look
from sidecar.wire import Answer, Request

_TIME_SLACK_MS: Final = 2000.0
"""The broker's clock is known to a second at worst; an id that is used again within two is not told apart."""
_CANCELLED: Final = frozenset({"CANCELED", "PENDING_CANCEL"})
_ENDED: Final = frozenset({"FILLED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED", "FINISHED", "TRIGGERED", "TRIGGERING"})
_NOT_YET: Final = "PENDING_NEW"
"""[doc] Enums, "Order status": it waits for the working order of its list, and is in no book."""
_JSON: Final = ((b"Content-Type", b"application/json"),)
_NO_SUCH_OPEN_ORDER: Final = b'{"code":-2011,"msg":"Unknown order sent."}'
"""[doc] What cancelling an order that is no longer open answers, with status 400."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where and by what an order is looked up."""

    path: str
    ids: tuple[tuple[str, str], ...]
    """Pairs of a parameter of the request and the parameter of the query that it becomes; the first one present."""
    cancels: bool = False
    algo: bool = False
    suffix: str = ""
    """What the id has to end with, and the order's own does not."""


LIST_SUFFIX: Final = "-L"
"""What the id of a list that the sidecar has made bears behind that of its first order; so no other list is taken for
one."""
_BY_ID: Final = (("orderId=", "orderId="), ("origClientOrderId=", "origClientOrderId="))
_PLACED: Final = (("newClientOrderId=", "origClientOrderId="),)
_ALGO_PLACED: Final = (("clientAlgoId=", "clientAlgoId="),)
_ALGO_BY_ID: Final = (("algoId=", "algoId="), *_ALGO_PLACED)
_LIST: Final = (("listClientOrderId=", "origClientOrderId="),)

WAYS: Final[Mapping[tuple[str, str], Way]] = {
    ("POST", "/fapi/v1/order"): Way("/fapi/v1/order", _PLACED),
    ("DELETE", "/fapi/v1/order"): Way("/fapi/v1/order", _BY_ID, cancels=True),
    # Conditional orders are not found among the others.
    ("POST", "/fapi/v1/algoOrder"): Way("/fapi/v1/algoOrder", _ALGO_PLACED, algo=True),
    ("DELETE", "/fapi/v1/algoOrder"): Way("/fapi/v1/algoOrder", _ALGO_BY_ID, cancels=True, algo=True),
    ("POST", "/api/v3/order"): Way("/api/v3/order", _PLACED),
    ("POST", "/api/v3/sor/order"): Way("/api/v3/order", _PLACED),
    **{
        ("POST", f"/api/v3/orderList/{kind}"): Way("/api/v3/order", _LIST, suffix=LIST_SUFFIX)
        for kind in ("oco", "oto", "otoco", "opo", "opoco")
    },
    ("DELETE", "/api/v3/order"): Way("/api/v3/order", _BY_ID, cancels=True),
}
"""By method and path of the call in doubt. What is not here is not one order that can be named."""


def look(request: Request, since: Callable[[], float]) -> Look | None:
    """A look at the order that the request places or cancels; None when it names none."""
    found = named(request)
    if found is None:
        return None
    way, target = found
    params = parameters(request)
    side = (value(params, "workingSide=") or value(params, "side=")).upper()
    return _look(Request("GET", target, ()), way, side, since)


def named(request: Request) -> tuple[Way, str] | None:
    """The order that the request places or cancels, as the target that asks for it; None when it names none."""
    way = WAYS.get((request.method, request.path))
    if way is None:
        return None
    params = parameters(request)
    found = ((theirs, text) for ours, theirs in way.ids if (text := value(params, ours)))
    key, text = next(found, ("", ""))
    if not text.endswith(way.suffix):
        return None
    text = text.removesuffix(way.suffix)
    symbol = value(params, "symbol=")
    if not key or not (symbol or way.algo):
        return None
    pair = f"{key}{_in_query(text)}"
    return way, f"{way.path}?{pair}" if way.algo else f"{way.path}?symbol={_in_query(symbol)}&{pair}"


def named_client_id(request: Request) -> str:
    """The client id of the first order of a list that the sidecar has made; empty for any other request."""
    way = WAYS.get((request.method, request.path))
    if way is None or not way.suffix:
        return ""
    return unquote_plus(value(parameters(request), "listClientOrderId=")).removesuffix(way.suffix)


def _in_query(text: str) -> str:
    """A value of a form body as a query can carry it: a body may hold spaces and line ends as they are."""
    plain = unquote_plus(text, errors="surrogateescape")
    return quote(plain.encode("utf-8", "surrogateescape"), safe=":/")


def _look(question: Request, way: Way, side: str, since: Callable[[], float]) -> Look:
    answer = yield question
    order = told_by(answer)
    if not isinstance(order, dict):
        return None
    status = order.get("algoStatus" if way.algo else "status")
    if not isinstance(status, str):
        return None
    if status == _NOT_YET and not way.cancels:
        return Finding(status, None)
    if way.cancels:
        return Finding(status, _cancelled(order, answer, status, algo=way.algo))
    created = order.get("createTime" if way.algo else "time")
    if not isinstance(created, int) or created < since() * 1000 - _TIME_SLACK_MS or order.get("side") != side:
        # The id of an earlier order: a repeat is a new order once the first is no longer open.
        return None
    return Finding(status, answer)


def _cancelled(order: Mapping[str, object], answer: Answer, status: str, *, algo: bool) -> Answer | None:
    """What the cancel would have answered; None while the order is open, because the cancel may still come."""
    if status in _CANCELLED:
        if not algo:
            return answer
        told = {"algoId": order.get("algoId"), "clientAlgoId": order.get("clientAlgoId"), "code": "200"}
        return Answer(200, _JSON, json.dumps(told | {"msg": "success"}).encode(), "OK")
    if status in _ENDED:
        return Answer(400, _JSON, _NO_SUCH_OPEN_ORDER, "Bad Request")
    return None
