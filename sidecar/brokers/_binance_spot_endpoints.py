"""Binance spot: what each method and path means and what it costs.

Weights are those of the endpoint pages of the official documentation ([doc] Spot API, REST API).
`X-MBX-USED-WEIGHT-1M` corrects every one of them with the next answer.
"""

from typing import Final

from sidecar.brokers._binance_kinds import Lines, account_read, cancel, listen_key, market, order_read
from sidecar.brokers._binance_rules import ByLimit, BySymbol, BySymbols, Route
from sidecar.brokers.profile import Endpoint
from sidecar.words import Effect, Priority

WEIGHT: Final = "weight_1m"
ORDERS_10S: Final = "orders_10s"
ORDERS_1D: Final = "orders_1d"


def _placing(name: str, client_id: str, orders: int = 1, audit: str = "order_placed") -> Route:
    """What places orders: 1 of weight, and as many of the order counts as it places."""
    endpoint = Endpoint(name, "orders", Effect.OPENS_RISK, Priority.ORDER, audit)
    return Route(endpoint, 1, ((ORDERS_10S, float(orders)), (ORDERS_1D, float(orders))), client_id=client_id)


def _test() -> Route:
    """Validates and changes nothing; 20 of weight when it computes commission rates, 1 otherwise."""
    return Route(Endpoint("test_order", "orders", Effect.READ, Priority.ACCOUNT), client_id="newClientOrderId=")


def _orders() -> Lines:
    """[doc] Trading endpoints and order lists. Spot has no `reduceOnly`: a sale may open as well as close."""
    oco = _placing("place_oco_order", "listClientOrderId=", 2)
    oto = _placing("place_oto_order", "listClientOrderId=", 2)
    otoco = _placing("place_otoco_order", "listClientOrderId=", 3)
    return {
        ("POST", "/api/v3/order"): _placing("place_order", "newClientOrderId="),
        ("POST", "/api/v3/sor/order"): _placing("place_order", "newClientOrderId="),
        ("POST", "/api/v3/order/test"): _test(),
        ("POST", "/api/v3/sor/order/test"): _test(),
        ("DELETE", "/api/v3/order"): cancel("cancel_order", "origClientOrderId="),
        ("GET", "/api/v3/order"): order_read("get_order", 4, "origClientOrderId="),
        # Cancels one order and places another, and may succeed by half.
        ("POST", "/api/v3/order/cancelReplace"): _placing("replace_order", "newClientOrderId=", 1, "order_modified"),
        # Takes quantity away and keeps the place in the queue; never adds risk, never counts as an order.
        ("PUT", "/api/v3/order/amend/keepPriority"): Route(
            Endpoint("modify_order", "orders", Effect.REDUCES_RISK, Priority.REDUCE, "order_modified"),
            4,
            client_id="origClientOrderId=",
        ),
        ("GET", "/api/v3/order/amendments"): order_read("get_order_amendments", 4),
        ("DELETE", "/api/v3/openOrders"): cancel("cancel_all_orders"),
        ("GET", "/api/v3/openOrders"): order_read("get_open_orders", BySymbol(6, 80)),
        ("GET", "/api/v3/allOrders"): order_read("get_all_orders", 20),
        ("POST", "/api/v3/order/oco"): oco,
        ("POST", "/api/v3/orderList/oco"): oco,
        ("POST", "/api/v3/orderList/oto"): oto,
        ("POST", "/api/v3/orderList/otoco"): otoco,
        # [doc] "One Pays the Other": an OTO and an OTOCO whose pending orders sell what the working one has brought.
        ("POST", "/api/v3/orderList/opo"): oto,
        ("POST", "/api/v3/orderList/opoco"): otoco,
        ("DELETE", "/api/v3/orderList"): cancel("cancel_order_list", "listClientOrderId="),
        ("GET", "/api/v3/orderList"): order_read("get_order_list", 4, "origClientOrderId="),
        ("GET", "/api/v3/openOrderList"): order_read("get_open_order_lists", 6),
        ("GET", "/api/v3/allOrderList"): order_read("get_all_order_lists", 20),
    }


def _account() -> Lines:
    """[doc] Account endpoints and the user-data stream."""
    lines: Lines = {
        ("GET", "/api/v3/account"): account_read("get_account", 20, "balance_query"),
        ("GET", "/api/v3/account/commission"): account_read("get_commission_rate", 20),
        ("GET", "/api/v3/myTrades"): account_read("get_user_trades", 20, "trade_query", "transactions"),
        ("GET", "/api/v3/myPreventedMatches"): account_read("get_prevented_matches", 20, group="transactions"),
        ("GET", "/api/v3/myAllocations"): account_read("get_allocations", 20, group="transactions"),
        ("GET", "/api/v3/rateLimit/order"): account_read("get_order_rate_limit", 40),
    }
    for method in ("POST", "PUT", "DELETE"):
        lines[method, "/api/v3/userDataStream"] = listen_key(2)
    return lines


def _market_data() -> Lines:
    """[doc] Market data; `depth` by `limit` (100 by default), tickers by how many symbols are named."""
    depth = ByLimit(((100, 5), (500, 25), (1000, 50)), beyond=250, default=5)
    day = BySymbols(2, ((20, 2), (100, 40)), beyond=80)
    price = BySymbols(2, (), beyond=4)
    # 4 for each symbol and at most 200; a longer list is charged as the longest.
    rolling = BySymbols(4, tuple((count, 4.0 * count) for count in range(1, 50)), beyond=200)
    return {
        ("GET", "/api/v3/ping"): market("ping", 1),
        ("GET", "/api/v3/time"): market("server_time", 1),
        ("GET", "/api/v3/exchangeInfo"): market("exchange_info", 20),
        ("GET", "/api/v3/depth"): market("get_depth", depth),
        ("GET", "/api/v3/trades"): market("get_trades", 25),
        ("GET", "/api/v3/historicalTrades"): market("get_historical_trades", 25),
        ("GET", "/api/v3/aggTrades"): market("get_agg_trades", 4),
        ("GET", "/api/v3/klines"): market("get_klines", 2),
        ("GET", "/api/v3/uiKlines"): market("get_klines", 2),
        ("GET", "/api/v3/avgPrice"): market("get_average_price", 2),
        ("GET", "/api/v3/ticker"): market("get_rolling_ticker", rolling),
        ("GET", "/api/v3/ticker/tradingDay"): market("get_trading_day_ticker", rolling),
        ("GET", "/api/v3/ticker/24hr"): market("get_24h_ticker", day),
        ("GET", "/api/v3/ticker/price"): market("get_ticker", price),
        ("GET", "/api/v3/ticker/bookTicker"): market("get_book_ticker", price),
    }


ROUTES: Final[Lines] = {**_orders(), **_account(), **_market_data()}
