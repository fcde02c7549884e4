"""The futures' order endpoints."""

import json
from collections.abc import Callable
from typing import Any

from sidecar.simulator.binance.call import Call, Endpoint, Json, OrderCost
from sidecar.simulator.binance.errors import BinanceError, illegal, missing, unknown_order
from sidecar.simulator.binance.intake import order_request, price_of, quantity_of, response_type_of, side_of
from sidecar.simulator.binance.order import Order
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.symbols import symbol_of

_LARGEST_BATCH = 5
_MOST_LISTED = 1000


def place_order(call: Call) -> Json:
    """`POST order`."""
    return _place(call, call.parameters)


def test_order(call: Call) -> Json:
    """`POST order/test`: reads the order and places nothing."""
    order_request(call.parameters, hedged=call.account.ledger.hedged)
    return {}


def modify_order(call: Call) -> Json:
    """`PUT order`."""
    return _modify(call, call.parameters)


def get_order(call: Call) -> Json:
    """`GET order`."""
    return _find(call).as_json()


def cancel_order(call: Call) -> Json:
    """`DELETE order`."""
    return _cancel(call, *_identity(call.parameters))


def place_batch(call: Call) -> Json:
    """`POST batchOrders`: each order succeeds or fails by itself."""
    return [_each(_place, call, item) for item in _batch(call)]


def modify_batch(call: Call) -> Json:
    """`PUT batchOrders`."""
    return [_each(_modify, call, item) for item in _batch(call)]


def cancel_batch(call: Call) -> Json:
    """`DELETE batchOrders`, by `orderIdList` or `origClientOrderIdList`."""
    parameters = call.parameters
    numbers = (Parameters({"orderId": str(order_id)}) for order_id in _json_list(parameters.folded("orderIdList")))
    identities = [(item.integer("orderId"), "") for item in numbers]
    identities += [(0, str(client_id)) for client_id in _json_list(parameters.folded("origClientOrderIdList"))]
    if not identities:
        raise missing("orderIdList")
    found: list[Any] = []
    for identity in identities:
        try:
            found.append(_cancel(call, *identity))
        except BinanceError as error:
            found.append(error.as_json())
    return found


def open_orders(call: Call) -> Json:
    """`GET openOrders`."""
    symbol = _optional_symbol(call)
    return [order.as_json() for order in call.account.ledger.open_orders(symbol)]


def open_order(call: Call) -> Json:
    """`GET openOrder`: -2013 for an order that is no longer open."""
    order = _find(call)
    if not order.is_open:
        raise unknown_order()
    return order.as_json()


def all_orders(call: Call) -> Json:
    """`GET allOrders`, oldest first."""
    symbol, parameters = symbol_of(call.parameters.text("symbol")), call.parameters
    since, first = parameters.integer("startTime", 0), parameters.integer("orderId", 0)
    found = [
        order.as_json()
        for order in call.account.ledger.orders.values()
        if order.request.symbol is symbol and order.created_ms >= since and order.order_id >= first
    ]
    return found[-_listed(parameters) :]


def cancel_all(call: Call) -> Json:
    """`DELETE allOpenOrders`."""
    call.account.ledger.cancel_all(symbol_of(call.parameters.text("symbol")).name)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def user_trades(call: Call) -> Json:
    """`GET userTrades`, oldest first."""
    symbol, parameters = symbol_of(call.parameters.text("symbol")), call.parameters
    since, order_id = parameters.integer("startTime", 0), parameters.integer("orderId", 0)
    found = [
        trade.as_json()
        for trade in call.account.ledger.trades
        if trade.symbol is symbol and trade.time_ms >= since and order_id in {0, trade.order_id}
    ]
    return found[-_listed(parameters) :]


def countdown_cancel_all(call: Call) -> Json:
    """`POST countdownCancelAll`: the dead man's switch; a countdown of 0 takes it off."""
    symbol = symbol_of(call.parameters.text("symbol")).name
    milliseconds = call.parameters.integer("countdownTime")
    call.account.countdowns.pop(symbol, None)
    if milliseconds:
        call.account.countdowns[symbol] = call.exchange.now() + milliseconds / 1000
    return {"symbol": symbol, "countdownTime": str(milliseconds)}


def place_algo(call: Call) -> Json:
    """`POST algoOrder`."""
    return call.account.algo.place(call.parameters).as_json()


def get_algo(call: Call) -> Json:
    """`GET algoOrder`."""
    return call.account.algo.find(*_algo_identity(call.parameters)).as_json()


def cancel_algo(call: Call) -> Json:
    """`DELETE algoOrder`."""
    algo = call.account.algo.cancel(*_algo_identity(call.parameters))
    return {"algoId": algo.algo_id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}


def open_algos(call: Call) -> Json:
    """`GET openAlgoOrders`."""
    return [algo.as_json() for algo in call.account.algo.open_orders(_optional_symbol(call))]


def all_algos(call: Call) -> Json:
    """`GET allAlgoOrders`, oldest first."""
    symbol = symbol_of(call.parameters.text("symbol"))
    found = [algo.as_json() for algo in call.account.algo.orders.values() if algo.request.symbol is symbol]
    return found[-_listed(call.parameters) :]


def cancel_all_algos(call: Call) -> Json:
    """`DELETE algoOpenOrders`."""
    book = call.account.algo
    for algo in book.open_orders(symbol_of(call.parameters.text("symbol")).name):
        book.cancel(algo.algo_id, "")
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _place(call: Call, parameters: Parameters) -> dict[str, Any]:
    ledger = call.account.ledger
    result = response_type_of(parameters) == "RESULT"
    order = ledger.place(order_request(parameters, hedged=ledger.hedged))
    return order.as_json() if result else order.acknowledged()


def _modify(call: Call, parameters: Parameters) -> dict[str, Any]:
    ledger, symbol = call.account.ledger, symbol_of(parameters.text("symbol"))
    order = ledger.find(symbol.name, *_identity(parameters))
    if side_of(parameters) != order.request.side:
        raise illegal("side", order.request.side)
    quantity, price = quantity_of(parameters, symbol), price_of(parameters, symbol, "price")
    return ledger.modify(order, quantity, price).as_json()


def _cancel(call: Call, order_id: int, client_id: str) -> dict[str, Any]:
    symbol = symbol_of(call.parameters.text("symbol"))
    return call.account.ledger.cancel(symbol.name, order_id, client_id).as_json()


def _find(call: Call) -> Order:
    symbol = symbol_of(call.parameters.text("symbol"))
    return call.account.ledger.find(symbol.name, *_identity(call.parameters))


def _identity(parameters: Parameters) -> tuple[int, str]:
    return _either(parameters, "orderId", "origClientOrderId")


def _algo_identity(parameters: Parameters) -> tuple[int, str]:
    return _either(parameters, "algoId", "clientAlgoId")


def _either(parameters: Parameters, number: str, client: str) -> tuple[int, str]:
    if number in parameters:
        return parameters.integer(number), ""
    if client in parameters:
        return 0, parameters.text(client)
    raise BinanceError(-1102, f"Param '{client}' or '{number}' must be sent, but both were empty/null!")


def _each(act: Callable[[Call, Parameters], dict[str, Any]], call: Call, item: Parameters) -> dict[str, Any]:
    try:
        return act(call, item)
    except BinanceError as error:
        return error.as_json()


def _batch(call: Call) -> list[Parameters]:
    items = _json_list(call.parameters.text("batchOrders"))
    if not 0 < len(items) <= _LARGEST_BATCH or not all(isinstance(item, dict) for item in items):
        raise BinanceError(-4082, "Invalid number of batch orders.")
    return [Parameters({name: _text(value) for name, value in item.items()}) for item in items]


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _json_list(text: str) -> list[Any]:
    try:
        found = json.loads(text or "[]")
    except json.JSONDecodeError:
        raise BinanceError(-1130, "Data sent for parameter is not valid.") from None
    if not isinstance(found, list):
        raise BinanceError(-1130, "Data sent for parameter is not valid.")
    return found


def _optional_symbol(call: Call) -> str:
    return symbol_of(call.parameters.text("symbol")).name if "symbol" in call.parameters else ""


def _listed(parameters: Parameters) -> int:
    return min(max(1, parameters.integer("limit", 500)), _MOST_LISTED)


_ONE_ORDER = OrderCost()
_BATCH = OrderCost(ten_seconds=5, minute=1)
ENDPOINTS = (
    Endpoint("POST", "/fapi/v1/order", place_order, orders=_ONE_ORDER),
    Endpoint("PUT", "/fapi/v1/order", modify_order, orders=_ONE_ORDER),
    Endpoint("GET", "/fapi/v1/order", get_order),
    Endpoint("DELETE", "/fapi/v1/order", cancel_order),
    Endpoint("POST", "/fapi/v1/order/test", test_order),
    Endpoint("POST", "/fapi/v1/batchOrders", place_batch, orders=_BATCH),
    Endpoint("PUT", "/fapi/v1/batchOrders", modify_batch, orders=_BATCH),
    Endpoint("DELETE", "/fapi/v1/batchOrders", cancel_batch),
    Endpoint("GET", "/fapi/v1/openOrders", open_orders),
    Endpoint("GET", "/fapi/v1/openOrder", open_order),
    Endpoint("GET", "/fapi/v1/allOrders", all_orders),
    Endpoint("DELETE", "/fapi/v1/allOpenOrders", cancel_all),
    Endpoint("GET", "/fapi/v1/userTrades", user_trades),
    Endpoint("POST", "/fapi/v1/countdownCancelAll", countdown_cancel_all),
    Endpoint("POST", "/fapi/v1/algoOrder", place_algo, orders=_ONE_ORDER),
    Endpoint("GET", "/fapi/v1/algoOrder", get_algo),
    Endpoint("DELETE", "/fapi/v1/algoOrder", cancel_algo),
    Endpoint("GET", "/fapi/v1/openAlgoOrders", open_algos),
    Endpoint("GET", "/fapi/v1/allAlgoOrders", all_algos),
    Endpoint("DELETE", "/fapi/v1/algoOpenOrders", cancel_all_algos),
)
"""Placing, asking after and taking back orders."""
