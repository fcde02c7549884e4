"""What the audit log keeps of a Binance call: chosen fields only, so that no key or signature can slip in."""

from typing import Final
from urllib.parse import unquote_plus

from sidecar.brokers._answers import chosen, json_of, message, short
from sidecar.brokers._binance_rules import batch_orders, parameters
from sidecar.brokers.profile import OrderFacts
from sidecar.wire import Answer, Request

_OF_A_LIST: Final = frozenset(
    f"{order}{field}"
    for order in ("working", "pending", "pendingAbove", "pendingBelow", "above", "below")
    for field in ("Type", "Side", "Quantity", "Price", "StopPrice", "TimeInForce", "ClientOrderId")
)
"""[doc] "Order lists": what each order of a list has under a name of its own."""
_ASKED: Final = _OF_A_LIST | frozenset(
    {
        "side", "positionSide", "type", "algoType", "quantity", "quoteOrderQty", "price", "stopPrice", "triggerPrice",
        "activatePrice", "callbackRate", "timeInForce", "reduceOnly", "closePosition", "newClientOrderId",
        "origClientOrderId", "listClientOrderId", "cancelOrigClientOrderId", "clientAlgoId", "orderId", "orderListId",
        "algoId", "leverage", "marginType", "dualSidePosition", "multiAssetsMargin", "amount", "countdownTime",
    }
)  # fmt: skip
_TOLD: Final = (
    "orderId", "clientOrderId", "orderListId", "algoId", "clientAlgoId", "status", "algoStatus", "executedQty",
    "avgPrice", "leverage", "code",
)  # fmt: skip
_ANSWER_BYTES: Final = 64 * 1024
"""No answer about an order comes near it; account and market answers do, and hold nothing that is kept."""


def facts(request: Request, answer: Answer | None) -> OrderFacts:
    """The chosen fields of a call; never raises."""
    params = parameters(request)
    asked, symbol = _asked(params)
    orders = batch_orders(params) if "batchOrders=" in params else []
    if orders:
        asked["orders"] = str(len(orders))
        symbol = symbol or chosen(orders[0], ("symbol",)).get("symbol", "")
    return OrderFacts(
        symbol, asked, {} if answer is None else _told(answer, batch=request.path.endswith("/batchOrders"))
    )


def _asked(params: str) -> tuple[dict[str, str], str]:
    found: dict[str, str] = {}
    symbol = ""
    for pair in params.split("&"):
        name, _, text = pair.partition("=")
        if name in _ASKED:
            found.setdefault(name, short(unquote_plus(text)))
        elif name == "symbol" and not symbol:
            symbol = short(unquote_plus(text))
    return found, symbol


def _told(answer: Answer, *, batch: bool) -> dict[str, str]:
    if len(answer.body) > _ANSWER_BYTES:
        return {}
    said = json_of(answer, _ANSWER_BYTES)
    return _told_of_batch(said) if batch and isinstance(said, list) else _told_of_one(said)


def _told_of_one(said: object) -> dict[str, str]:
    told = chosen(said, _TOLD)
    if isinstance(said, dict) and isinstance(reports := said.get("orderReports"), list):
        told |= _told_of_batch(reports)
    if isinstance(said, dict) and (msg := message(said.get("msg"))):
        told["msg"] = msg
    return told


def _told_of_batch(said: list[object]) -> dict[str, str]:
    """Of a batch: every order id and status in its order, and the first error."""
    each = [_told_of_one(item) for item in said[:5]]  # [doc] a batch holds five orders at most
    told = {}
    for name in ("orderId", "status"):
        values = [item[name] for item in each if name in item]
        if values:
            told[name] = ",".join(values)
    failed = [item for item in each if item.get("code", "").startswith("-")]
    if failed:
        told["failed"] = str(len(failed))
        told.update({name: failed[0][name] for name in ("code", "msg") if name in failed[0]})
    return told
