"""Binance USD-M futures: what each method and path means and what it costs.

Weights are those of the endpoint pages of the official documentation ([doc] USDS-M Futures, REST API); lines marked
[ccxt] are as ccxt 4.5 counts them. `X-MBX-USED-WEIGHT-1M` corrects every one of them with the next answer.
"""

from typing import Final

from sidecar.brokers._binance_kinds import (
    Lines,
    account_read,
    cancel,
    change,
    futures_candles,
    listen_key,
    market,
    order_read,
)
from sidecar.brokers._binance_rules import ByLimit, BySymbol, Route, batch_reduces, order_reduces
from sidecar.brokers.profile import Endpoint
from sidecar.words import Effect, Priority

WEIGHT: Final = "weight_1m"
ORDERS_10S: Final = "orders_10s"
ORDERS_1M: Final = "orders_1m"

_ONE_ORDER = ((ORDERS_10S, 1.0), (ORDERS_1M, 1.0))
# [doc] Place Multiple Orders: 5 in the 10 s limit, 1 in the minute's, 5 of weight, whatever the batch's length.
_ONE_BATCH = ((ORDERS_10S, 5.0), (ORDERS_1M, 1.0))


def _order(name: str, audit: str = "order_placed") -> Endpoint:
    return Endpoint(name, "orders", Effect.OPENS_RISK, Priority.ORDER, audit)


def _orders() -> Lines:
    """[doc] New, modify, cancel and query orders; from 2025-12-09 conditional orders live on `algoOrder`."""
    place = Route(_order("place_order"), 0, _ONE_ORDER, client_id="newClientOrderId=", reduces=order_reduces)
    modify = Route(_order("modify_order", "order_modified"), 0, _ONE_ORDER, client_id="origClientOrderId=")
    place_batch = Route(_order("place_batch_orders"), 5, _ONE_BATCH, reduces=batch_reduces)
    modify_batch = Route(_order("modify_batch_orders", "order_modified"), 5, _ONE_BATCH)
    place_algo = Route(_order("place_algo_order"), 0, client_id="clientAlgoId=", reduces=order_reduces)
    # Validates and changes nothing.
    test = Route(Endpoint("test_order", "orders", Effect.READ, Priority.ACCOUNT), client_id="newClientOrderId=")
    return {
        ("POST", "/fapi/v1/order"): place,
        ("PUT", "/fapi/v1/order"): modify,
        ("DELETE", "/fapi/v1/order"): cancel("cancel_order", "origClientOrderId="),
        ("GET", "/fapi/v1/order"): order_read("get_order", 1, "origClientOrderId="),
        ("POST", "/fapi/v1/order/test"): test,
        ("POST", "/fapi/v1/batchOrders"): place_batch,
        ("PUT", "/fapi/v1/batchOrders"): modify_batch,
        ("DELETE", "/fapi/v1/batchOrders"): cancel("cancel_batch_orders"),
        ("DELETE", "/fapi/v1/allOpenOrders"): cancel("cancel_all_orders"),
        # [doc] Auto-Cancel All Open Orders: a dead man's switch that must be renewed, so it goes with the cancels.
        ("POST", "/fapi/v1/countdownCancelAll"): cancel("countdown_cancel_all", weigh=10, audit="countdown_set"),
        ("GET", "/fapi/v1/openOrder"): order_read("get_open_order", 1, "origClientOrderId="),
        ("GET", "/fapi/v1/openOrders"): order_read("get_open_orders", BySymbol(1, 40)),
        ("GET", "/fapi/v1/allOrders"): order_read("get_all_orders", 5),
        ("GET", "/fapi/v1/orderAmendment"): order_read("get_order_amendments", 1, "origClientOrderId="),
        ("POST", "/fapi/v1/algoOrder"): place_algo,
        ("DELETE", "/fapi/v1/algoOrder"): cancel("cancel_algo_order", "clientAlgoId="),
        ("GET", "/fapi/v1/algoOrder"): order_read("get_algo_order", 1, "clientAlgoId="),
        ("GET", "/fapi/v1/openAlgoOrders"): order_read("get_open_algo_orders", BySymbol(1, 40)),
        ("GET", "/fapi/v1/allAlgoOrders"): order_read("get_all_algo_orders", 5),
        ("DELETE", "/fapi/v1/algoOpenOrders"): cancel("cancel_all_algo_orders"),
        ("GET", "/fapi/v1/forceOrders"): order_read("get_force_orders", BySymbol(20, 50)),
    }


def _account() -> Lines:
    """[doc] Account and position endpoints; a path that lives in several versions costs the same in each."""
    lines: Lines = {
        ("GET", "/fapi/v1/userTrades"): account_read("get_user_trades", 5, "trade_query", "transactions"),
        ("GET", "/fapi/v1/income"): account_read("get_income", 30, group="transactions"),
        ("GET", "/fapi/v1/commissionRate"): account_read("get_commission_rate", 20),
        ("GET", "/fapi/v1/accountConfig"): account_read("get_account_config", 5),
        ("GET", "/fapi/v1/symbolConfig"): account_read("get_symbol_config", 5),
        ("GET", "/fapi/v1/leverageBracket"): account_read("get_leverage_brackets", 1),
        ("GET", "/fapi/v1/adlQuantile"): account_read("get_adl_quantile", 5),
        ("GET", "/fapi/v1/positionMargin/history"): account_read("get_position_margin_history", 1),
        ("GET", "/fapi/v1/positionSide/dual"): account_read("get_position_mode", 30),
        ("GET", "/fapi/v1/multiAssetsMargin"): account_read("get_asset_mode", 30),
        ("GET", "/fapi/v1/apiTradingStatus"): account_read("get_trading_status", BySymbol(1, 10)),
        ("GET", "/fapi/v1/rateLimit/order"): account_read("get_order_rate_limit", 1),
        ("POST", "/fapi/v1/leverage"): change("set_leverage", "leverage_set"),
        ("POST", "/fapi/v1/marginType"): change("set_margin_type", "margin_type_set"),
        ("POST", "/fapi/v1/positionSide/dual"): change("set_position_mode", "position_mode_set"),
        ("POST", "/fapi/v1/positionMargin"): change("set_position_margin", "position_margin_set"),
        ("POST", "/fapi/v1/multiAssetsMargin"): change("set_asset_mode", "asset_mode_set"),
    }
    for version in ("v1", "v2", "v3"):
        lines["GET", f"/fapi/{version}/account"] = account_read("get_account", 5, "balance_query")
        lines["GET", f"/fapi/{version}/balance"] = account_read("get_balance", 5, "balance_query")
        lines["GET", f"/fapi/{version}/positionRisk"] = account_read("get_positions", 5, "position_query")
    for method in ("POST", "PUT", "DELETE"):
        lines[method, "/fapi/v1/listenKey"] = listen_key(1)
    return lines


def _market_data() -> Lines:
    """[doc] Market data; `depth` and the candles by `limit`, tickers by whether one symbol is named."""
    # 500 rows are the default of `depth`.
    depth = ByLimit(((50, 2), (100, 5), (500, 10), (1000, 20)), beyond=20, default=10)
    lines: Lines = {
        ("GET", "/fapi/v1/ping"): market("ping", 1),
        ("GET", "/fapi/v1/time"): market("server_time", 1),
        ("GET", "/fapi/v1/exchangeInfo"): market("exchange_info", 1),
        ("GET", "/fapi/v1/depth"): market("get_depth", depth),
        ("GET", "/fapi/v1/rpiDepth"): market("get_depth", 20),
        ("GET", "/fapi/v1/trades"): market("get_trades", 5),
        ("GET", "/fapi/v1/aggTrades"): market("get_agg_trades", 20),
        ("GET", "/fapi/v1/historicalTrades"): market("get_historical_trades", 200),  # [ccxt]
        ("GET", "/fapi/v1/premiumIndex"): market("get_mark_price", BySymbol(1, 10)),
        ("GET", "/fapi/v1/fundingRate"): market("get_funding_rate", 1),  # [ccxt]; shares 500 in 5 min with fundingInfo
        ("GET", "/fapi/v1/fundingInfo"): market("get_funding_info", 1),  # [ccxt]
        ("GET", "/fapi/v1/ticker/24hr"): market("get_24h_ticker", BySymbol(1, 40)),
        ("GET", "/fapi/v1/ticker/price"): market("get_ticker", BySymbol(1, 2)),
        ("GET", "/fapi/v2/ticker/price"): market("get_ticker", BySymbol(1, 2)),
        ("GET", "/fapi/v1/ticker/bookTicker"): market("get_book_ticker", BySymbol(2, 5)),
        ("GET", "/fapi/v1/openInterest"): market("get_open_interest", 1),
        ("GET", "/fapi/v1/indexInfo"): market("get_index_info", BySymbol(1, 10)),
        ("GET", "/fapi/v1/assetIndex"): market("get_asset_index", BySymbol(1, 10)),
        ("GET", "/fapi/v1/constituents"): market("get_index_constituents", 2),
    }
    candles = ("klines", "continuousKlines", "indexPriceKlines", "markPriceKlines", "premiumIndexKlines")
    lines.update({("GET", f"/fapi/v1/{path}"): market("get_klines", futures_candles()) for path in candles})
    return lines


ROUTES: Final[Lines] = {**_orders(), **_account(), **_market_data()}
