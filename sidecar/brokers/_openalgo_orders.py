"""Neutral orders as OpenAlgo takes them, what became of one, and the price that it would meet.

[doc] An instrument has an exchange and a symbol, and a position a product besides: delivery and intraday are two
positions. One name holds them: `NSE:SBIN`, or `NSE:SBIN:CNC` for another product than the default, `MIS`.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Final

from sidecar.brokers import _openalgo_body as body
from sidecar.brokers._answers import short
from sidecar.brokers._openalgo_answers import is_at_target, is_queued, said_by, told_words
from sidecar.brokers._openalgo_endpoints import BATCHES
from sidecar.brokers.profile import Finding, Inexpressible, Intent, Lane, Look, OrderTerms, Progress
from sidecar.wire import Answer, Request
from sidecar.words import OrderState, OrderType, Outcome, Side, TimeInForce

STRATEGY: Final = "broker-sidecar"
"""[doc] `strategy` is mandatory and names who trades, in OpenAlgo's reports; it is no place for an order's id."""
_ALONE: Final = (
    "nothing may depend on an order at OpenAlgo: orders there bear no id of the sidecar's, so that one whose answer is "
    "lost is never sent again and cannot be found with certainty; place single orders, and look after them yourself"
)
_NO_CLOSE: Final = (
    "OpenAlgo cannot close one position safely: closeposition closes every position of the account, placesmartorder "
    "goes by a book that may lag, and an order whose answer is lost cannot be found; send what you mean by yourself"
)
_DEFAULT_PRODUCT: Final = "MIS"
_PRODUCTS: Final = ("MIS", "NRML", "CNC")
_TYPES: Final = {OrderType.MARKET: "MARKET", OrderType.LIMIT: "LIMIT", OrderType.STOP: "SL-M"}
_FRACTIONAL: Final = "CRYPTO"
"""[doc] The one exchange that takes fractions."""
_STATES: Final = {
    "complete": OrderState.FILLED,
    "open": OrderState.WORKING,
    "pending": OrderState.WORKING,
    "trigger pending": OrderState.WORKING,
    "rejected": OrderState.REJECTED,
    "cancelled": OrderState.CANCELLED,
}
"""[doc] "Order Status Values"; `trigger pending` is what brokers themselves say."""
_CANCELS: Final = frozenset({"cancel_order", "cancel_gtt_order", "cancel_all_orders"})
_PLACES: Final = frozenset({"place_order", "place_options_order", "place_smart_order"})
"""What becomes one order in the book, with an id of its own."""
_QUOTE_BYTES: Final = 64 * 1024


def lane(request: Request) -> Lane:
    """The instrument, as `express` takes it; the key has one account. Batches and cancels by id name none."""
    fields = body.fields_of(request)
    exchange, symbol = short(fields.get("exchange")), short(fields.get("symbol"))
    if not exchange or not symbol:
        return Lane("", "")
    product = short(fields.get("product")) or _DEFAULT_PRODUCT
    return Lane("", f"{exchange}:{symbol}" + ("" if product == _DEFAULT_PRODUCT else f":{product}"))


def express(terms: OrderTerms) -> Request:
    """The order without its client id, which OpenAlgo has no place for. Raises Inexpressible."""
    exchange, symbol, product = _instrument(terms.instrument)
    if terms.watched:
        raise Inexpressible(_ALONE if not terms.reduce_only else _NO_CLOSE)
    if terms.account:
        raise Inexpressible("OpenAlgo has one account a key: leave the account empty")
    if terms.reduce_only:
        raise Inexpressible("OpenAlgo has no reduce-only orders: placesmartorder brings a position to a size")
    if terms.type not in _TYPES:
        raise Inexpressible(f"OpenAlgo takes no {terms.type} orders; it takes {', '.join(sorted(_TYPES))}")
    if terms.time_in_force not in {None, TimeInForce.DAY}:
        raise Inexpressible(f"OpenAlgo keeps orders for the day: leave out {terms.time_in_force}, or say day")
    if exchange != _FRACTIONAL and terms.quantity != terms.quantity.to_integral_value():
        raise Inexpressible(f"{exchange} takes whole quantities only, not {terms.quantity}")
    fields: dict[str, object] = {
        "strategy": STRATEGY,
        "symbol": symbol,
        "exchange": exchange,
        "action": "BUY" if terms.side is Side.BUY else "SELL",
        "pricetype": _TYPES[terms.type],
        "product": product,
        "quantity": _plain(terms.quantity),
    }
    if terms.price is not None:
        fields["price"] = _plain(terms.price)
    if terms.stop_price is not None:
        fields["trigger_price"] = _plain(terms.stop_price)
    return body.request("/api/v1/placeorder", fields)


def price_request(terms: OrderTerms) -> Request | None:
    """The quote of the instrument; None for what names none."""
    try:
        exchange, symbol, _ = _instrument(terms.instrument)
    except Inexpressible:
        return None
    return body.request("/api/v1/quotes", {"symbol": symbol, "exchange": exchange})


def told_price(terms: OrderTerms, answer: Answer) -> Decimal | None:
    """[doc] quotes: `ask` and `bid`; [seen] 0 where nobody offers, which is no price."""
    try:
        said = json.loads(answer.content(_QUOTE_BYTES), parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
    data = said.get("data") if isinstance(said, dict) and said.get("status") == "success" else None
    told = data.get("ask" if terms.side is Side.BUY else "bid") if isinstance(data, dict) else None
    try:
        price = Decimal(told) if isinstance(told, str) else None
    except InvalidOperation:
        return None
    return price if price is not None and price.is_finite() and price > 0 else None


def progress(name: str, request: Request, answer: Answer, outcome: Outcome) -> Progress | None:
    """What an answer says of the order; a market order, too, is only `working` until somebody asks for it."""
    said = said_by(answer)
    words = told_words(request, said)
    if outcome is Outcome.REJECTED:
        return Progress(OrderState.REJECTED, detail=words)
    if outcome is not Outcome.OK or said.get("status") != "success":
        return None
    if name == "get_order":
        return _of_status(said.get("data"))
    order_id = short(said.get("orderid") or said.get("trigger_id"))
    if name in _CANCELS:
        # A bulk cancel that left orders behind is not done.
        return None if said.get("failed_cancellations") else Progress(OrderState.CANCELLED, order_id, words)
    if name == "place_smart_order" and not order_id and is_at_target(said):
        return Progress(OrderState.FILLED, detail=words)
    if order_id or is_queued(said) or name in BATCHES or name == "close_positions":
        return Progress(OrderState.WORKING, order_id, words)
    return None


def at_market(request: Request) -> bool:
    """Whether it trades at whatever price there is."""
    return body.fields_of(request).get("pricetype") == _TYPES[OrderType.MARKET]


def cancellation(name: str, order_id: str) -> Request | None:
    """The cancel of the one order that a call of the endpoint `name` placed; None while its id is not known."""
    if name not in _PLACES or not order_id:
        return None
    return body.request("/api/v1/cancelorder", {"strategy": STRATEGY, "orderid": order_id})


def look(request: Request, name: str, placed_id: str) -> Look | None:
    """A look at the order that a cancel names, or at a placed one by the id that its answer told.

    One that was placed and whose answer was lost cannot be asked for: it bears no id of ours.
    """
    fields = body.fields_of(request)
    order_id = fields.get("orderid") if name == "cancel_order" else placed_id if name in _PLACES else ""
    if not isinstance(order_id, str) or not order_id:
        return None
    asked = {key: fields[key] for key in (body.KEY, "strategy") if key in fields} | {"orderid": order_id}
    question = body.request("/api/v1/orderstatus", asked)
    return _look_at_cancelled(order_id, question) if name == "cancel_order" else _look_at_placed(order_id, question)


def gone(intent: Intent, outcome: Outcome) -> bool:
    """Whether to look what became of it: the backing broker's words do not tell why it declined a cancel."""
    return intent.endpoint.name == "cancel_order" and outcome is Outcome.REJECTED


def _look_at_placed(order_id: str, question: Request) -> Look:
    status = _status_of(order_id, (yield question))
    state = _STATES.get(status)
    if not status or state is None:
        return None
    done = Answer(200, body.JSON, body.written({"orderid": order_id, "status": "success"}), "OK")
    # [doc] orderstatus does not tell how much of an order has traded that is not `complete`.
    return Finding(status, done, Progress(state, order_id, status))


def _look_at_cancelled(order_id: str, question: Request) -> Look:
    status = _status_of(order_id, (yield question))
    if not status:
        return None
    match _STATES.get(status):
        case OrderState.CANCELLED:
            done = {"orderid": order_id, "status": "success"}
            return Finding(status, Answer(200, body.JSON, body.written(done), "OK"))
        case OrderState.FILLED | OrderState.REJECTED:
            told = {"status": "error", "message": f"Order not cancellable: it is {status}"}
            return Finding(status, Answer(400, body.JSON, body.written(told), "Bad Request"))
        case _:
            return Finding(status, None)


def _status_of(order_id: str, answer: Answer) -> str:
    """The broker's word for how that order is; empty where the answer is about none, or another one."""
    data = said_by(answer).get("data")
    if not isinstance(data, dict) or short(data.get("orderid")) != short(order_id):
        return ""
    return short(data.get("order_status")).lower()


def _of_status(data: object) -> Progress | None:
    if not isinstance(data, dict):
        return None
    status = short(data.get("order_status")).lower()
    state = _STATES.get(status)
    return None if state is None else Progress(state, short(data.get("orderid")), status)


def _instrument(name: str) -> tuple[str, str, str]:
    exchange, symbol, product = (*name.split(":"), "", "")[:3]
    if name.count(":") > 2 or not exchange or not symbol or (product or _DEFAULT_PRODUCT) not in _PRODUCTS:  # noqa: PLR2004 - three parts
        raise Inexpressible(
            f"{name!r} is no instrument of OpenAlgo: write EXCHANGE:SYMBOL, such as NSE:SBIN, "
            f"or EXCHANGE:SYMBOL:PRODUCT with one of {', '.join(_PRODUCTS)}"
        )
    return exchange, symbol, product or _DEFAULT_PRODUCT


def _plain(value: Decimal) -> str:
    return format(value, "f")
