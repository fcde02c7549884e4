"""The endpoints under `/api/v1`: what each does and answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sidecar.simulator.openalgo import reading, views
from sidecar.simulator.openalgo.book import Account, OrderSpec, Terms
from sidecar.simulator.openalgo.errors import RefusedError, malformed
from sidecar.simulator.openalgo.exchange import Exchange

_MOST_SPLITS = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One request with a key that opens an account."""

    exchange: Exchange
    account: Account
    fields: reading.Fields


Reply = Mapping[str, object]
Endpoint = Callable[[Call], Reply]


def place(call: Call) -> Reply:
    """`placeorder`."""
    reading.text(call.fields, "strategy")
    spec = reading.order(call.fields, call.exchange.market)
    return {"status": "success", "orderid": call.exchange.place(call.account, spec).id}


def place_smart(call: Call) -> Reply:
    """`placesmartorder`: trades the difference to the target; with the target 0 and no position, as it is told."""
    reading.text(call.fields, "strategy")
    spec = reading.order(call.fields, call.exchange.market, least=0)
    target, held = reading.amount(call.fields, "position_size"), call.account.position(spec.position)
    missing = spec.quantity if not target and not held else target - held
    if not missing:
        return {"status": "success", "message": "Positions Already Matched. No Action needed."}
    wanted = OrderSpec(*spec.position, missing, "BUY" if missing > 0 else "SELL", spec.terms)
    return {"status": "success", "orderid": call.exchange.place(call.account, wanted).id}


def place_basket(call: Call) -> Reply:
    """`basketorder`: purchases first; each order succeeds or fails for itself."""
    reading.text(call.fields, "strategy")
    listed = call.fields.get("orders")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise malformed("orders", "Not a valid list.")
    specs = [reading.order(item, call.exchange.market) for item in listed]
    specs.sort(key=lambda spec: spec.quantity < 0)
    results = [
        {"symbol": spec.symbol, "status": "success", "orderid": call.exchange.place(call.account, spec).id}
        for spec in specs
    ]
    return {"status": "success", "results": results}


def place_split(call: Call) -> Reply:
    """`splitorder`: one order in pieces of `splitsize`."""
    reading.text(call.fields, "strategy")
    spec, size = reading.order(call.fields, call.exchange.market), reading.amount(call.fields, "splitsize")
    if size < 1 or size != size.to_integral_value():
        raise malformed("splitsize", "Split size must be a positive integer.")
    total, sign = abs(spec.quantity), 1 if spec.quantity > 0 else -1
    whole, rest = divmod(total, size)
    pieces = [size] * min(int(whole), _MOST_SPLITS + 1) + ([rest] if rest else [])
    if len(pieces) > _MOST_SPLITS:
        raise RefusedError(400, f"Total number of orders would exceed maximum limit of {_MOST_SPLITS}")
    results = []
    for number, piece in enumerate(pieces, start=1):
        part = OrderSpec(*spec.position, sign * piece, spec.action, spec.terms)
        order = call.exchange.place(call.account, part)
        results.append({"order_num": number, "orderid": order.id, "quantity": int(piece), "status": "success"})
    return {"status": "success", "split_size": int(size), "total_quantity": int(total), "results": results}


def modify(call: Call) -> Reply:
    """`modifyorder`."""
    order = call.account.find(reading.text(call.fields, "orderid"))
    quantity, terms = reading.changed(call.fields, order)
    call.account.modify(order, quantity, terms, call.exchange.market)
    return {"status": "success", "orderid": order.id}


def cancel(call: Call) -> Reply:
    """`cancelorder`."""
    reading.text(call.fields, "strategy")
    order_id = reading.text(call.fields, "orderid")
    call.account.cancel(order_id)
    return {"status": "success", "orderid": order_id}


def cancel_all(call: Call) -> Reply:
    """`cancelallorder`."""
    reading.text(call.fields, "strategy")
    ids = [order.id for order in call.account.living()]
    for order_id in ids:
        call.account.cancel(order_id)
    told = f"Canceled {len(ids)} orders. Failed to cancel 0 orders."
    return {"status": "success", "message": told, "canceled_orders": ids, "failed_cancellations": []}


def close_positions(call: Call) -> Reply:
    """`closeposition`: a market order against every position."""
    reading.text(call.fields, "strategy")
    held = [(key, position.quantity) for key, position in call.account.held()]
    for key, quantity in held:
        closing = OrderSpec(*key, -quantity, "SELL" if quantity > 0 else "BUY", Terms())
        call.exchange.place(call.account, closing)
    told = "All Open Positions Squared Off" if held else "No open positions to close"
    return {"status": "success", "message": told}


def no_gtt(_call: Call) -> Reply:
    """`placegttorder` and its like."""
    raise RefusedError(501, "GTT orders are not supported for broker 'simulated' yet")


def order_status(call: Call) -> Reply:
    """`orderstatus`."""
    order_id = reading.text(call.fields, "orderid")
    if order_id not in call.account.orders:
        raise RefusedError(404, f"Order {order_id} not found")
    return {"status": "success", "data": views.order(call.account.orders[order_id])}


def open_position(call: Call) -> Reply:
    """`openposition`."""
    key = tuple(reading.text(call.fields, name) for name in ("exchange", "symbol", "product"))
    held = call.account.positions.get((key[0], key[1], key[2]))
    return {"status": "success", "quantity": f"{held.quantity if held else Decimal(0):f}"}


def order_book(call: Call) -> Reply:
    """`orderbook`."""
    return {"status": "success", "data": views.orders(call.account)}


def trade_book(call: Call) -> Reply:
    """`tradebook`."""
    return {"status": "success", "data": views.trades(call.account)}


def position_book(call: Call) -> Reply:
    """`positionbook`."""
    return {"status": "success", "data": views.positions(call.account, call.exchange.market)}


def holdings(_call: Call) -> Reply:
    """`holdings`: none, since what was bought today is a position."""
    return {"status": "success", "data": {"holdings": [], "statistics": {}}}


def funds(call: Call) -> Reply:
    """`funds`."""
    return {"status": "success", "data": views.funds(call.account, call.exchange.market)}


def quotes(call: Call) -> Reply:
    """`quotes`."""
    found = call.exchange.market.quote(reading.text(call.fields, "exchange"), reading.text(call.fields, "symbol"))
    return {"status": "success", "data": views.quote(found)}


def multiquotes(call: Call) -> Reply:
    """`multiquotes`."""
    listed = call.fields.get("symbols")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise malformed("symbols", "Not a valid list.")
    found = [
        call.exchange.market.quote(reading.text(item, "exchange"), reading.text(item, "symbol")) for item in listed
    ]
    results = [{"symbol": item.symbol, "exchange": item.exchange, "data": views.quote(item)} for item in found]
    return {"status": "success", "results": results}


def ping(_call: Call) -> Reply:
    """`ping`."""
    return {"status": "success", "data": {"message": "pong", "broker": "simulated"}}


ORDERS: Mapping[str, Endpoint] = {
    "placeorder": place,
    "placesmartorder": place_smart,
    "basketorder": place_basket,
    "splitorder": place_split,
    "modifyorder": modify,
    "cancelorder": cancel,
    "cancelallorder": cancel_all,
    "closeposition": close_positions,
    "placegttorder": no_gtt,
    "modifygttorder": no_gtt,
    "cancelgttorder": no_gtt,
}
"""What the backing broker executes."""

READS: Mapping[str, Endpoint] = {
    "orderstatus": order_status,
    "openposition": open_position,
    "orderbook": order_book,
    "tradebook": trade_book,
    "positionbook": position_book,
    "holdings": holdings,
    "funds": funds,
    "quotes": quotes,
    "multiquotes": multiquotes,
}
"""What the backing broker is asked for."""

OWN: Mapping[str, Endpoint] = {"ping": ping}
"""What OpenAlgo answers by itself."""
