"""What OANDA's answers mean, and what the audit log keeps of them ([doc] REST-V20, "Order endpoints")."""

from collections.abc import Mapping
from typing import Final

from sidecar.brokers._answers import OK, Body, chosen, error_of, json_of, message, parsed, short, waiting
from sidecar.brokers._oanda_endpoints import client_id_of, order_of
from sidecar.brokers.profile import OrderFacts, Verdict
from sidecar.wire import Answer, Request
from sidecar.words import Outcome

_NEW_ORDER_CANCELLED: Final[Mapping[str, tuple[str, ...]]] = {
    "place_order": ("orderCancelTransaction",),
    # `orderCancelTransaction` is the end of the replaced order there, and that is what was asked for.
    "modify_order": ("replacingOrderCancelTransaction",),
    "close_trade": ("orderCancelTransaction",),
    "close_position": ("longOrderCancelTransaction", "shortOrderCancelTransaction"),
}
"""By endpoint: where a 2xx tells that the new order did not survive, such as MARKET_HALTED."""
_FILLED: Final = ("orderFillTransaction", "longOrderFillTransaction", "shortOrderFillTransaction")
_REJECTED: Final = ("orderRejectTransaction", "orderCancelRejectTransaction", "longOrderRejectTransaction",
    "shortOrderRejectTransaction", "stopLossOrderRejectTransaction", "takeProfitOrderRejectTransaction",
    "trailingStopLossOrderRejectTransaction", "clientConfigureRejectTransaction",
    "orderClientExtensionsModifyRejectTransaction", "tradeClientExtensionsModifyRejectTransaction")  # fmt: skip
_ANSWER_BYTES: Final = 64 * 1024


def success(name: str, answer: Answer) -> Verdict:
    """What a 2xx on an endpoint with an effect means: 201 is no success when the new order was cancelled at once."""
    said = json_of(answer)
    if said is Body.OPAQUE:
        return OK
    if not isinstance(said, dict):
        return Verdict(Outcome.UNKNOWN, "bad_answer")
    cancelled = next((said[key] for key in _NEW_ORDER_CANCELLED.get(name, ()) if said.get(key)), None)
    if cancelled is None or any(said.get(key) for key in _FILLED):
        return OK
    reason = cancelled.get("reason") if isinstance(cancelled, dict) else None
    return Verdict(Outcome.REJECTED, "declined", short(reason))


def failure(answer: Answer) -> Verdict:
    """What any other status means."""
    status = answer.status
    match status:
        case 401 | 403:
            return Verdict(Outcome.FATAL, "auth", _error_code(answer))
        case 429:
            return Verdict(Outcome.RATE_LIMITED, "rate_limit", "", *waiting(answer.headers))
        case 503 if _under_maintenance(answer):
            return Verdict(Outcome.MAINTENANCE, "maintenance", "", waiting(answer.headers)[0])
        case 408 | 504:
            # [seen] "Timeout waiting for response." came for orders that were filled.
            return Verdict(Outcome.UNKNOWN, "timeout")
        case _ if status >= 500:  # noqa: PLR2004 - HTTP's own number
            # [think] Nothing is documented: a gateway may have passed the order on before it failed.
            return Verdict(Outcome.UNKNOWN, "server_error")
        case 400 | 404:
            return _declined_or_malformed(answer)
        case _:
            return Verdict(Outcome.FATAL, "bad_request", _error_code(answer))


def _declined_or_malformed(answer: Answer) -> Verdict:
    """[doc] 400 and 404 carry a reject transaction or an `errorCode` when the request was understood and declined."""
    said = error_of(answer)
    if not isinstance(said, dict):
        return Verdict(Outcome.FATAL, "bad_request")
    code = short(said.get("errorCode"))
    rejected = next((said[key] for key in _REJECTED if said.get(key)), None)
    if not code and isinstance(rejected, dict):
        code = short(rejected.get("rejectReason"))
    if not code and rejected is None:
        return Verdict(Outcome.FATAL, "bad_request")
    return Verdict(Outcome.REJECTED, "declined", code)


def _error_code(answer: Answer) -> str:
    said = error_of(answer)
    return short(said.get("errorCode")) if isinstance(said, dict) else ""


def _under_maintenance(answer: Answer) -> bool:
    """[seen] 503 `System under maintenance, please try again later.`; error pages of gateways do not count."""
    said = error_of(answer)
    return isinstance(said, dict) and "under maintenance" in str(said.get("errorMessage", ""))[:1000].lower()


_ASKED: Final = ("type", "units", "price", "priceBound", "distance", "timeInForce", "positionFill", "tradeID",
    "triggerCondition")  # fmt: skip
_CLOSING: Final = ("units", "longUnits", "shortUnits", "marginRate")
_TOLD: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "orderCreateTransaction": (("orderID", "id"),),
    "longOrderCreateTransaction": (("orderID", "id"),),
    "shortOrderCreateTransaction": (("orderID", "id"),),
    "orderFillTransaction": (("fillID", "id"), ("units", "units"), ("price", "price")),
    "longOrderFillTransaction": (("fillID", "id"), ("units", "units"), ("price", "price")),
    "shortOrderFillTransaction": (("fillID", "id"), ("units", "units"), ("price", "price")),
    "orderCancelTransaction": (("cancelledOrderID", "orderID"), ("cancelReason", "reason")),
    "longOrderCancelTransaction": (("cancelReason", "reason"),),
    "shortOrderCancelTransaction": (("cancelReason", "reason"),),
    "replacingOrderCancelTransaction": (("cancelReason", "reason"),),
    "orderRejectTransaction": (("rejectID", "id"), ("rejectReason", "rejectReason")),
    "orderCancelRejectTransaction": (("rejectID", "id"), ("rejectReason", "rejectReason")),
}
"""By transaction in the answer: the audit log's names and the transaction's fields."""


def facts(request: Request, answer: Answer | None, segments: list[str]) -> OrderFacts:
    """The chosen fields of a call; never raises."""
    order = order_of(request) if request.body else {}
    asked = chosen(order, _ASKED) or _of_closing(request)
    if client_id := short(client_id_of(order)):
        asked["clientExtensions.id"] = client_id
    for name in ("stopLossOnFill", "takeProfitOnFill"):
        asked |= {f"{name}.{field}": text for field, text in chosen(order.get(name), ("price", "distance")).items()}
    symbol = short(order.get("instrument"))
    if segments[4:5] == ["positions"] and not symbol:
        symbol = short("".join(segments[5:6]))
    if segments[4:5] in (["orders"], ["trades"]) and len(segments) > 5:  # noqa: PLR2004 - …/orders/{specifier}
        asked["specifier"] = short(segments[5])
    return OrderFacts(symbol, asked, {} if answer is None else _told(answer))


def _of_closing(request: Request) -> dict[str, str]:
    """Closing a trade or a position, or setting the margin rate, has its fields at the top of the body."""
    return chosen(parsed(request.body), _CLOSING) if request.body else {}


def _told(answer: Answer) -> dict[str, str]:
    if answer.chunks is not None or len(answer.body) > _ANSWER_BYTES:
        return {}
    said = json_of(answer, _ANSWER_BYTES)
    if not isinstance(said, dict):
        return {}
    told: dict[str, str] = {}
    for key, fields in _TOLD.items():
        transaction = said.get(key)
        if isinstance(transaction, dict):
            told.update({name: text for name, field in fields if (text := short(transaction.get(field)))})
    told.update(chosen(said, ("lastTransactionID", "errorCode")))
    if text := message(said.get("errorMessage")):
        told["errorMessage"] = text
    return told
