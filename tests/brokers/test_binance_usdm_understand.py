import json

import pytest

from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.wire import Request
from sidecar.words import Effect, Priority
from tests.brokers.support import SIGNATURE, STAMP, form, query

PROFILE = BinanceUsdm()


def weight(request: Request) -> float:
    return dict(PROFILE.understand(request).costs).get("weight_1m", 0.0)


ENDPOINTS = [
    ("POST", "/fapi/v1/order", "place_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("PUT", "/fapi/v1/order", "modify_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("DELETE", "/fapi/v1/order", "cancel_order", "orders", Effect.REDUCES_RISK, Priority.CANCEL),
    ("GET", "/fapi/v1/order", "get_order", "orders", Effect.READ, Priority.ACCOUNT),
    ("POST", "/fapi/v1/order/test", "test_order", "orders", Effect.READ, Priority.ACCOUNT),
    ("POST", "/fapi/v1/batchOrders", "place_batch_orders", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("DELETE", "/fapi/v1/batchOrders", "cancel_batch_orders", "orders", Effect.REDUCES_RISK, Priority.CANCEL),
    ("DELETE", "/fapi/v1/allOpenOrders", "cancel_all_orders", "orders", Effect.REDUCES_RISK, Priority.CANCEL),
    ("POST", "/fapi/v1/countdownCancelAll", "countdown_cancel_all", "orders", Effect.REDUCES_RISK, Priority.CANCEL),
    ("POST", "/fapi/v1/algoOrder", "place_algo_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("DELETE", "/fapi/v1/algoOrder", "cancel_algo_order", "orders", Effect.REDUCES_RISK, Priority.CANCEL),
    ("GET", "/fapi/v1/openAlgoOrders", "get_open_algo_orders", "orders", Effect.READ, Priority.ACCOUNT),
    ("GET", "/fapi/v3/account", "get_account", "accounts", Effect.READ, Priority.ACCOUNT),
    ("GET", "/fapi/v2/balance", "get_balance", "accounts", Effect.READ, Priority.ACCOUNT),
    ("GET", "/fapi/v2/positionRisk", "get_positions", "accounts", Effect.READ, Priority.ACCOUNT),
    ("GET", "/fapi/v1/userTrades", "get_user_trades", "transactions", Effect.READ, Priority.ACCOUNT),
    ("POST", "/fapi/v1/leverage", "set_leverage", "accounts", Effect.OTHER, Priority.ACCOUNT),
    ("POST", "/fapi/v1/marginType", "set_margin_type", "accounts", Effect.OTHER, Priority.ACCOUNT),
    ("PUT", "/fapi/v1/listenKey", "listen_key", "streaming", Effect.OTHER, Priority.ACCOUNT),
    ("GET", "/fapi/v1/exchangeInfo", "exchange_info", "pricing", Effect.READ, Priority.MARKET_DATA),
    ("GET", "/fapi/v1/premiumIndex", "get_mark_price", "pricing", Effect.READ, Priority.MARKET_DATA),
    ("GET", "/fapi/v1/nobodyKnows", "other_read", "accounts", Effect.READ, Priority.ACCOUNT),
    ("POST", "/fapi/v1/nobodyKnows", "other", "accounts", Effect.OTHER, Priority.ORDER),
    ("POST", "/sapi/v1/asset/transfer", "other", "accounts", Effect.OTHER, Priority.ORDER),
    ("POST", "/api/v3/order", "other", "accounts", Effect.OTHER, Priority.ORDER),
    ("HEAD", "/fapi/v1/ping", "other_read", "accounts", Effect.READ, Priority.ACCOUNT),
]


@pytest.mark.parametrize("line", ENDPOINTS, ids=[f"{line[0]} {line[1]} is {line[2]}" for line in ENDPOINTS])
def test_a_method_and_path_mean_an_endpoint(line: tuple[str, str, str, str, Effect, Priority]) -> None:
    method, path, name, group, effect, priority = line

    intent = PROFILE.understand(query(method, path))

    assert (intent.endpoint.name, intent.endpoint.group) == (name, group)
    assert (intent.effect, intent.priority) == (effect, priority)


def test_every_endpoint_that_can_be_understood_is_announced() -> None:
    announced = {endpoint.name: endpoint for endpoint in PROFILE.endpoints}

    for method, path, *_ in ENDPOINTS:
        endpoint = PROFILE.understand(query(method, path)).endpoint
        assert announced[endpoint.name] == endpoint


WEIGHTS = [
    ("a new order weighs nothing", 0, form("POST", "/fapi/v1/order", symbol="BTCUSDT")),
    ("an algo order weighs nothing", 0, form("POST", "/fapi/v1/algoOrder", symbol="BTCUSDT")),
    ("a batch weighs 5", 5, form("POST", "/fapi/v1/batchOrders", batchOrders="[]")),
    ("a cancel weighs 1", 1, query("DELETE", "/fapi/v1/order", symbol="BTCUSDT")),
    ("the open orders of one symbol weigh 1", 1, query("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")),
    ("the open orders of all symbols weigh 40", 40, query("GET", "/fapi/v1/openOrders")),
    ("an empty symbol counts as all symbols", 40, query("GET", "/fapi/v1/openOrders", symbol="")),
    ("a parameter that ends in symbol is not the symbol", 40, query("GET", "/fapi/v1/openOrders", xsymbol="BTCUSDT")),
    ("the account weighs 5", 5, query("GET", "/fapi/v2/account")),
    ("income weighs 30", 30, query("GET", "/fapi/v1/income")),
    ("the countdown weighs 10", 10, form("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT")),
    ("one price weighs 1", 1, Request("GET", "/fapi/v2/ticker/price?symbol=BTCUSDT", ())),
    ("all prices weigh 2", 2, Request("GET", "/fapi/v2/ticker/price", ())),
    ("one mark price weighs 1", 1, Request("GET", "/fapi/v1/premiumIndex?symbol=BTCUSDT", ())),
    ("all mark prices weigh 10", 10, Request("GET", "/fapi/v1/premiumIndex", ())),
    ("all book tickers weigh 5", 5, Request("GET", "/fapi/v1/ticker/bookTicker", ())),
    ("a depth of 50 weighs 2", 2, Request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=50", ())),
    ("a depth of 100 weighs 5", 5, Request("GET", "/fapi/v1/depth?limit=100&symbol=BTCUSDT", ())),
    ("a depth without limit weighs 10", 10, Request("GET", "/fapi/v1/depth?symbol=BTCUSDT", ())),
    ("a depth of 1000 weighs 20", 20, Request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", ())),
    ("a limit that is no number costs most", 20, Request("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=many", ())),
    ("99 candles weigh 1", 1, Request("GET", "/fapi/v1/klines?symbol=BTCUSDT&limit=99", ())),
    ("100 candles weigh 2", 2, Request("GET", "/fapi/v1/klines?symbol=BTCUSDT&limit=100", ())),
    ("candles without limit weigh 5", 5, Request("GET", "/fapi/v1/klines?symbol=BTCUSDT", ())),
    ("1500 candles weigh 10", 10, Request("GET", "/fapi/v1/markPriceKlines?symbol=BTCUSDT&limit=1500", ())),
    ("what is unknown weighs 1", 1, Request("GET", "/fapi/v1/nobodyKnows", ())),
]


@pytest.mark.parametrize(("expected", "request_"), [line[1:] for line in WEIGHTS], ids=[line[0] for line in WEIGHTS])
def test_weight(expected: float, request_: Request) -> None:
    assert weight(request_) == expected


def test_an_order_takes_one_from_each_order_limit() -> None:
    intent = PROFILE.understand(form("POST", "/fapi/v1/order", symbol="BTCUSDT"))

    assert dict(intent.costs) == {"orders_10s": 1, "orders_1m": 1}


def test_an_order_that_reduces_costs_what_any_order_costs() -> None:
    intent = PROFILE.understand(form("POST", "/fapi/v1/order", reduceOnly="true"))

    assert dict(intent.costs) == {"orders_10s": 1, "orders_1m": 1}


def test_a_batch_takes_five_in_ten_seconds_and_one_in_the_minute() -> None:
    intent = PROFILE.understand(form("POST", "/fapi/v1/batchOrders", batchOrders="[]"))

    assert dict(intent.costs) == {"weight_1m": 5, "orders_10s": 5, "orders_1m": 1}


def test_every_cost_is_taken_from_a_limit_of_the_profile() -> None:
    names = {limit.name for limit in PROFILE.limits}
    costs = {name for method, path, *_ in ENDPOINTS for name, _ in PROFILE.understand(query(method, path)).costs}

    assert costs
    assert costs <= names


REDUCING = [
    ("reduceOnly in the body", form("POST", "/fapi/v1/order", side="SELL", reduceOnly="true")),
    ("reduceOnly in the query", query("POST", "/fapi/v1/order", side="SELL", reduceOnly="true")),
    ("reduceOnly as Python writes it", query("POST", "/fapi/v1/order", reduceOnly=True)),
    ("closePosition on an algo order", form("POST", "/fapi/v1/algoOrder", type="STOP_MARKET", closePosition="true")),
    ("selling the long side in hedge mode", form("POST", "/fapi/v1/order", side="SELL", positionSide="LONG")),
    ("buying the short side in hedge mode", form("POST", "/fapi/v1/order", side="BUY", positionSide="SHORT")),
    (
        "a batch of nothing but reducing orders",
        form("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([{"reduceOnly": "true"}, {"closePosition": True}])),
    ),
]


@pytest.mark.parametrize("request_", [line[1] for line in REDUCING], ids=[line[0] for line in REDUCING])
def test_reduces_risk(request_: Request) -> None:
    intent = PROFILE.understand(request_)

    assert (intent.effect, intent.priority) == (Effect.REDUCES_RISK, Priority.REDUCE)


OPENING = [
    ("reduceOnly=false", form("POST", "/fapi/v1/order", side="SELL", reduceOnly="false")),
    ("a name that ends in reduceOnly", form("POST", "/fapi/v1/order", notreduceOnly="true")),
    ("buying the long side in hedge mode", form("POST", "/fapi/v1/order", side="BUY", positionSide="LONG")),
    ("one-way mode", form("POST", "/fapi/v1/order", side="SELL", positionSide="BOTH")),
    (
        "a batch with one order that opens",
        form("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([{"reduceOnly": "true"}, {"side": "BUY"}])),
    ),
    ("a batch that is no JSON", form("POST", "/fapi/v1/batchOrders", batchOrders="[{reduceOnly")),
    ("an empty batch", form("POST", "/fapi/v1/batchOrders", batchOrders="[]")),
    (
        "a batch whose sides are no text",
        form("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([{"side": ["SELL"], "positionSide": {}}])),
    ),
]


@pytest.mark.parametrize("request_", [line[1] for line in OPENING], ids=[line[0] for line in OPENING])
def test_opens_risk(request_: Request) -> None:
    intent = PROFILE.understand(request_)

    assert (intent.effect, intent.priority) == (Effect.OPENS_RISK, Priority.ORDER)


def test_where_query_and_body_disagree_the_query_counts_as_it_does_at_the_broker() -> None:
    request = Request("POST", f"/fapi/v1/order?reduceOnly=false&timestamp={STAMP}", (), b"reduceOnly=true")

    assert PROFILE.understand(request).effect is Effect.OPENS_RISK


CLIENT_IDS = [
    ("a new order", form("POST", "/fapi/v1/order", newClientOrderId="bot-1"), "bot-1"),
    ("a percent-encoded id", form("POST", "/fapi/v1/order", newClientOrderId="bot:1/a"), "bot:1/a"),
    ("a query", query("GET", "/fapi/v1/order", origClientOrderId="bot-1"), "bot-1"),
    ("a cancel", query("DELETE", "/fapi/v1/order", origClientOrderId="bot-1"), "bot-1"),
    ("an algo order", form("POST", "/fapi/v1/algoOrder", clientAlgoId="bot-1"), "bot-1"),
    ("an order without an id", form("POST", "/fapi/v1/order", symbol="BTCUSDT"), ""),
    ("a cancel by order id", query("DELETE", "/fapi/v1/order", orderId=1), ""),
]


@pytest.mark.parametrize(
    ("request_", "expected"), [line[1:] for line in CLIENT_IDS], ids=[line[0] for line in CLIENT_IDS]
)
def test_client_id_of(request_: Request, expected: str) -> None:
    assert PROFILE.understand(request_).client_id == expected


EXPIRIES = [
    ("the default window is five seconds", query("GET", "/fapi/v2/account"), STAMP / 1000 + 5),
    ("the request's own window counts", query("GET", "/fapi/v2/account", recvWindow=10_000), STAMP / 1000 + 10),
    ("a body is signed too", form("POST", "/fapi/v1/order", recvWindow=1000), STAMP / 1000 + 1),
    ("a window that is no number is the default", form("POST", "/fapi/v1/order", recvWindow="soon"), STAMP / 1000 + 5),
    ("an unsigned request does not perish", Request("GET", "/fapi/v1/time", ()), None),
    ("a timestamp that is no number tells nothing", Request("GET", "/fapi/v2/account?timestamp=nan", ()), None),
    ("an unknown path may be signed", query("POST", "/fapi/v1/nobodyKnows"), STAMP / 1000 + 5),
]


@pytest.mark.parametrize(("request_", "expected"), [line[1:] for line in EXPIRIES], ids=[line[0] for line in EXPIRIES])
def test_expiry(request_: Request, expected: float | None) -> None:
    assert PROFILE.understand(request_).expires_at == expected


@pytest.mark.parametrize(
    ("method", "path", "audit"),
    [
        ("POST", "/fapi/v1/order", "order_placed"),
        ("DELETE", "/fapi/v1/order", "order_cancelled"),
        ("PUT", "/fapi/v1/order", "order_modified"),
        ("GET", "/fapi/v1/order", "order_query"),
        ("GET", "/fapi/v3/positionRisk", "position_query"),
        ("GET", "/fapi/v3/balance", "balance_query"),
        ("POST", "/fapi/v1/leverage", "leverage_set"),
        ("POST", "/fapi/v1/marginType", "margin_type_set"),
        ("POST", "/fapi/v1/positionSide/dual", "position_mode_set"),
        ("POST", "/fapi/v1/nobodyKnows", "account_changed"),
        ("GET", "/fapi/v1/depth", ""),
    ],
)
def test_the_audit_log_names_what_happened(method: str, path: str, audit: str) -> None:
    assert PROFILE.understand(query(method, path)).endpoint.audit == audit


def test_nothing_that_was_understood_holds_the_signature() -> None:
    requests = [query(method, path, symbol="BTCUSDT") for method, path, *_ in ENDPOINTS]

    assert all(SIGNATURE not in repr(PROFILE.understand(request)) for request in requests)
