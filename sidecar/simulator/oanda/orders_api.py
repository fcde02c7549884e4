"""`/v3/accounts/{account}/orders` and `/pendingOrders`."""

from aiohttp import web

from sidecar.simulator.oanda.book import Order, State
from sidecar.simulator.oanda.calls import Call, Reply, endpoint
from sidecar.simulator.oanda.errors import RefusedError, invalid_value
from sidecar.simulator.oanda.exchange import Exchange
from sidecar.simulator.oanda.stamps import Json

_ROOT = "/v3/accounts/{account}"
_STATES = {"PENDING", "FILLED", "TRIGGERED", "CANCELLED", "ALL"}


def routes(exchange: Exchange) -> list[web.RouteDef]:
    """The order endpoints (https://developer.oanda.com/rest-live-v20/order-ep/)."""
    return [
        web.post(f"{_ROOT}/orders", endpoint(exchange, _create)),
        web.get(f"{_ROOT}/orders", endpoint(exchange, _list)),
        web.get(f"{_ROOT}/pendingOrders", endpoint(exchange, _pending)),
        web.get(f"{_ROOT}/orders/{{order}}", endpoint(exchange, _details)),
        web.put(f"{_ROOT}/orders/{{order}}", endpoint(exchange, _replace)),
        web.put(f"{_ROOT}/orders/{{order}}/cancel", endpoint(exchange, _cancel)),
    ]


def _create(call: Call) -> Reply:
    return _created(call, call.ledger.place(call.body, call.request_id))


def _replace(call: Call) -> Reply:
    return _created(call, call.ledger.replace(call.path("order"), call.body, call.request_id))


def _cancel(call: Call) -> Reply:
    return Reply(call.ledger.cancel(call.path("order"), call.request_id))


def _list(call: Call) -> Reply:
    state = call.query("state") or State.PENDING
    if state not in _STATES:
        raise invalid_value("state")
    instrument, ids = call.query("instrument"), call.names("ids")
    before = call.number("beforeID") if call.query("beforeID") else None
    orders = [
        order
        for order in reversed(call.ledger.account.orders.values())
        if call.exchange.visible(order)
        and (state in ("ALL", order.state))
        and (instrument in (None, order.spec.instrument.name))
        and (ids is None or str(order.id) in ids)
        and (before is None or order.id < before)
    ]
    return _orders(call, orders[: call.integer("count", 50, most=500)])


def _pending(call: Call) -> Reply:
    orders = [order for order in call.ledger.account.pending() if call.exchange.visible(order)]
    return _orders(call, list(reversed(orders)))


def _details(call: Call) -> Reply:
    order = call.ledger.find_order(call.path("order"))
    last = str(call.ledger.account.journal.last_id)
    if order is None or not call.exchange.visible(order):
        raise RefusedError(
            404,
            {
                "lastTransactionID": last,
                "errorMessage": "The order ID specified does not exist",
                "errorCode": "NO_SUCH_ORDER",
            },
        )
    return Reply({"order": order.as_json(), "lastTransactionID": last})


def _orders(call: Call, orders: list[Order]) -> Reply:
    last = str(call.ledger.account.journal.last_id)
    return Reply({"orders": [order.as_json() for order in orders], "lastTransactionID": last})


def _created(call: Call, body: Json) -> Reply:
    number = body["orderCreateTransaction"]["id"]
    return Reply(body, 201, {"Location": f"/v3/accounts/{call.path('account')}/orders/{number}"})
