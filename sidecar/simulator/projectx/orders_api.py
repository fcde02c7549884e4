"""`/api/Order`: placing, changing, cancelling, and four ways to search, which do not all find the same."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from sidecar.simulator.projectx.book import Order, OrderType, Status
from sidecar.simulator.projectx.calls import Call, Fields, endpoint
from sidecar.simulator.projectx.errors import DeclinedError, InvalidError
from sidecar.simulator.projectx.exchange import Exchange
from sidecar.simulator.projectx.ledger import Bracket, Wish

_USUAL_PAGE = 100
_DESCENDING = 1


def routes(exchange: Exchange) -> list[web.RouteDef]:
    """The order endpoints."""
    return [
        *endpoint(exchange, "/api/Order/place", _place),
        *endpoint(exchange, "/api/Order/modify", _modify),
        *endpoint(exchange, "/api/Order/cancel", _cancel),
        *endpoint(exchange, "/api/Order/search", _search),
        *endpoint(exchange, "/api/Order/searchOpen", _search_open),
        *endpoint(exchange, "/api/Order/searchById", _search_by_id),
        *endpoint(exchange, "/api/Order/v2/query", _query),
    ]


def _place(call: Call) -> Mapping[str, Any]:
    fields = call.fields
    wish = Wish(
        contract=fields.text("contractId"),
        type=fields.integer("type"),
        side=fields.integer("side"),
        size=fields.integer("size"),
        limit=fields.price("limitPrice"),
        stop=fields.price("stopPrice"),
        trail=fields.price("trailPrice"),
        tag=fields.optional_text("customTag"),
        stop_loss=_bracket(fields.part("stopLossBracket")),
        take_profit=_bracket(fields.part("takeProfitBracket")),
    )
    return {"orderId": call.ledger().place(wish).id}


def _bracket(fields: Fields | None) -> Bracket | None:
    if fields is None:
        return None
    kind = fields.integer("type")
    if kind not in {OrderType.LIMIT, OrderType.STOP, OrderType.TRAILING_STOP}:
        raise InvalidError("type", "is no type of a bracket's order")
    return Bracket(fields.integer("ticks"), OrderType(kind))


def _modify(call: Call) -> Mapping[str, Any]:
    fields = call.fields
    call.ledger().modify(
        fields.integer("orderId"),
        size=fields.optional_integer("size"),
        limit=fields.price("limitPrice"),
        stop=fields.price("stopPrice"),
        trail=fields.price("trailPrice"),
    )
    return {}


def _cancel(call: Call) -> Mapping[str, Any]:
    call.ledger().cancel(call.fields.integer("orderId"))
    return {}


def _search(call: Call) -> Mapping[str, Any]:
    start, end = call.fields.time("startTimestamp"), call.fields.time("endTimestamp")
    if start is None:
        raise InvalidError("startTimestamp", "is required")
    return _told(order for order in _visible(call) if start <= order.created <= (end or float("inf")))


def _search_open(call: Call) -> Mapping[str, Any]:
    """The gateway's OpenAPI: "Does not include Suspended bracket children"."""
    return _told(order for order in _visible(call) if order.status is Status.OPEN)


def _search_by_id(call: Call) -> Mapping[str, Any]:
    wanted = call.fields.integer("orderId")
    for order in _visible(call, "OrderNotFound"):
        if order.id == wanted:
            return {"order": order.as_json()}
    raise DeclinedError("OrderNotFound")


def _query(call: Call) -> Mapping[str, Any]:
    wanted = call.fields.part("filter")
    if wanted is None:
        raise InvalidError("filter", "is required")
    statuses, contract = wanted.integers("statuses"), wanted.optional_text("contractId")
    after, before = wanted.time("createdAfter"), wanted.time("createdBefore")
    found = [
        order
        for order in _visible(Call(call.exchange, wanted, call.token, call.accounts))
        if (statuses is None or order.status in statuses)
        and contract in {None, order.contract.id}
        and (after is None or order.created >= after)
        and (before is None or order.created <= before)
    ]
    if call.fields.optional_integer("sortDirection") == _DESCENDING:
        found.reverse()
    size = call.fields.optional_integer("pageSize")
    first = call.fields.optional_integer("pageOffset") or 0
    page = found[first : first + (_USUAL_PAGE if size is None else size)]
    total = {"totalCount": len(found)} if call.fields.flag("includeTotalCount") else {}
    return {**_told(page), **total}


def _visible(call: Call, unknown_account: str = "AccountNotFound") -> list[Order]:
    orders = call.ledger(unknown_account).account.orders.values()
    return [order for order in orders if call.exchange.visible(order)]


def _told(orders: Iterable[Order]) -> dict[str, Any]:
    return {"orders": [order.as_json() for order in orders]}
