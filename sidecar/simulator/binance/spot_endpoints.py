"""The spot market's private endpoints, as far as its clients need them beside the futures."""

from typing import Any

from sidecar.simulator.binance.call import Call, Endpoint, Json, OrderCost, Security
from sidecar.simulator.binance.errors import missing
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.spot_lists import OrderList
from sidecar.simulator.binance.symbols import symbol_of

_ASSETS = {"USDT": "TetherUS", "BTC": "Bitcoin", "ETH": "Ethereum", "BNB": "BNB"}


def account(call: Call) -> Json:
    """`GET account`."""
    held = call.account.spot.balances
    balances = [
        {"asset": asset, "free": f"{balance.free:.8f}", "locked": f"{balance.locked:.8f}"}
        for asset, balance in held.items()
    ]
    rates = {"maker": "0.00100000", "taker": "0.00100000", "buyer": "0.00000000", "seller": "0.00000000"}
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": call.exchange.now_ms(),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": 1,
    }


def place_order(call: Call) -> Json:
    """`POST order`."""
    order = call.account.spot.place(call.parameters)
    fills: list[dict[str, Any]] = []
    if order.filled:
        fill = {"price": f"{order.spent / order.filled:.8f}", "qty": f"{order.filled:.8f}", "tradeId": order.order_id}
        fills.append(fill | {"commission": "0.00000000", "commissionAsset": order.symbol.quote})
    return order.as_json() | {"fills": fills}


def get_order(call: Call) -> Json:
    """`GET order`."""
    symbol = symbol_of(call.parameters.text("symbol")).name
    return call.account.spot.find(symbol, *_identity(call.parameters)).as_json()


def cancel_order(call: Call) -> Json:
    """`DELETE order`."""
    symbol = symbol_of(call.parameters.text("symbol")).name
    order = call.account.spot.cancel(symbol, *_identity(call.parameters))
    return order.as_json() | {"origClientOrderId": order.client_id}


def open_orders(call: Call) -> Json:
    """`GET openOrders`."""
    symbol = symbol_of(call.parameters.text("symbol")).name if "symbol" in call.parameters else ""
    return [order.as_json() for order in call.account.spot.open_orders(symbol)]


def place_oco(call: Call) -> Json:
    """`POST orderList/oco`."""
    return call.account.lists.place_oco(call.parameters).reported()


def place_oto(call: Call) -> Json:
    """`POST orderList/oto`."""
    return call.account.lists.place_oto(call.parameters, pair=False).reported()


def place_otoco(call: Call) -> Json:
    """`POST orderList/otoco`."""
    return call.account.lists.place_oto(call.parameters, pair=True).reported()


def place_opo(call: Call) -> Json:
    """`POST orderList/opo`."""
    return call.account.lists.place_oto(call.parameters, pair=False, pays=True).reported()


def place_opoco(call: Call) -> Json:
    """`POST orderList/opoco`."""
    return call.account.lists.place_oto(call.parameters, pair=True, pays=True).reported()


def get_list(call: Call) -> Json:
    """`GET orderList`."""
    return _find_list(call, "origClientOrderId").as_json()


def cancel_list(call: Call) -> Json:
    """`DELETE orderList`."""
    found = _find_list(call, "listClientOrderId")
    call.account.lists.cancel(found)
    return found.reported()


def all_coins(call: Call) -> Json:
    """`GET capital/config/getall`: the assets, each on one network."""
    held = call.account.spot.balances
    return [_coin(asset, name, f"{held[asset].free:.8f}") for asset, name in _ASSETS.items()]


def margin_pairs(_call: Call) -> Json:
    """`GET margin/allPairs` and its kind: nothing is traded on margin here."""
    return []


def system_status(_call: Call) -> Json:
    """`GET system/status`: open."""
    return {"status": 0, "msg": "normal"}


def _coin(asset: str, name: str, free: str) -> dict[str, Any]:
    network = {
        "network": "ETH",
        "coin": asset,
        "name": "Ethereum (ERC20)",
        "isDefault": True,
        "depositEnable": True,
        "withdrawEnable": True,
        "withdrawFee": "1",
        "withdrawMin": "10",
        "withdrawMax": "1000000",
        "withdrawIntegerMultiple": "0.00000001",
        "minConfirm": 12,
        "unLockConfirm": 64,
    }
    amounts = dict.fromkeys(("locked", "freeze", "withdrawing", "ipoing", "ipoable", "storage"), "0")
    return {
        "coin": asset,
        "name": name,
        "free": free,
        **amounts,
        "depositAllEnable": True,
        "withdrawAllEnable": True,
        "isLegalMoney": False,
        "trading": True,
        "networkList": [network],
    }


def _identity(parameters: Parameters) -> tuple[int, str]:
    if "orderId" in parameters:
        return parameters.integer("orderId"), ""
    if "origClientOrderId" in parameters:
        return 0, parameters.text("origClientOrderId")
    raise missing("orderId")


def _find_list(call: Call, name: str) -> OrderList:
    parameters = call.parameters
    return call.account.lists.find(parameters.integer("orderListId", 0), parameters.optional(name))


ENDPOINTS = (
    Endpoint("GET", "/api/v3/account", account),
    Endpoint("POST", "/api/v3/order", place_order, orders=OrderCost()),
    Endpoint("GET", "/api/v3/order", get_order),
    Endpoint("DELETE", "/api/v3/order", cancel_order),
    Endpoint("GET", "/api/v3/openOrders", open_orders),
    Endpoint("POST", "/api/v3/orderList/oco", place_oco, orders=OrderCost(2, 2)),
    Endpoint("POST", "/api/v3/orderList/oto", place_oto, orders=OrderCost(2, 2)),
    Endpoint("POST", "/api/v3/orderList/otoco", place_otoco, orders=OrderCost(3, 3)),
    Endpoint("POST", "/api/v3/orderList/opo", place_opo, orders=OrderCost(2, 2)),
    Endpoint("POST", "/api/v3/orderList/opoco", place_opoco, orders=OrderCost(3, 3)),
    Endpoint("GET", "/api/v3/orderList", get_list),
    Endpoint("DELETE", "/api/v3/orderList", cancel_list),
    Endpoint("GET", "/sapi/v1/capital/config/getall", all_coins),
    Endpoint("GET", "/sapi/v1/margin/allPairs", margin_pairs),
    Endpoint("GET", "/sapi/v1/margin/isolated/allPairs", margin_pairs),
    Endpoint("GET", "/sapi/v1/margin/allAssets", margin_pairs),
    Endpoint("GET", "/sapi/v1/system/status", system_status, Security.NONE),
)
"""What needs a key and a signature."""
