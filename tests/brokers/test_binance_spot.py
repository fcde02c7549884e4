import pytest

from sidecar.brokers.binance_spot import BinanceSpot
from sidecar.wire import Request
from sidecar.words import Effect, Priority
from tests.brokers.support import STAMP, form, query

PROFILE = BinanceSpot()

COSTS = [
    ("an order counts once", form("POST", "/api/v3/order"), {"weight_1m": 1, "orders_10s": 1, "orders_1d": 1}),
    ("an OCO counts twice", form("POST", "/api/v3/orderList/oco"), {"weight_1m": 1, "orders_10s": 2, "orders_1d": 2}),
    ("a cancel weighs 1", query("DELETE", "/api/v3/order"), {"weight_1m": 1}),
    ("open orders of one symbol weigh 6", query("GET", "/api/v3/openOrders", symbol="BTCUSDT"), {"weight_1m": 6}),
    ("open orders of all symbols weigh 80", query("GET", "/api/v3/openOrders"), {"weight_1m": 80}),
    ("the account weighs 20", query("GET", "/api/v3/account"), {"weight_1m": 20}),
    ("a default depth weighs 5", Request("GET", "/api/v3/depth?symbol=BTCUSDT", ()), {"weight_1m": 5}),
    ("a full depth weighs 250", Request("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000", ()), {"weight_1m": 250}),
    ("one price weighs 2", Request("GET", "/api/v3/ticker/price?symbol=BTCUSDT", ()), {"weight_1m": 2}),
    ("all prices weigh 4", Request("GET", "/api/v3/ticker/price", ()), {"weight_1m": 4}),
    (
        "a list of symbols costs by its length",
        Request("GET", "/api/v3/ticker/24hr?symbols=[" + "%2C".join(["%22A%22"] * 21) + "]", ()),
        {"weight_1m": 40},
    ),
    (
        "a rolling ticker costs 4 a symbol",
        Request("GET", '/api/v3/ticker?symbols=["A","B","C"]', ()),
        {"weight_1m": 12},
    ),
    ("sapi counts in its own window", query("GET", "/sapi/v1/capital/config/getall"), {"sapi_ip_weight_1m": 1}),
]


@pytest.mark.parametrize(("request_", "costs"), [line[1:] for line in COSTS], ids=[line[0] for line in COSTS])
def test_cost(request_: Request, costs: dict[str, float]) -> None:
    assert dict(PROFILE.understand(request_).costs) == costs


def test_a_sale_may_open_risk_because_spot_has_no_reduce_only() -> None:
    intent = PROFILE.understand(form("POST", "/api/v3/order", side="SELL", reduceOnly="true"))

    assert (intent.effect, intent.priority) == (Effect.OPENS_RISK, Priority.ORDER)


def test_an_unknown_sapi_change_is_never_taken_for_a_read() -> None:
    intent = PROFILE.understand(form("POST", "/sapi/v1/capital/withdraw/apply"))

    assert (intent.endpoint.name, intent.effect) == ("other", Effect.OTHER)


def test_timestamps_in_microseconds_are_understood() -> None:
    request = Request("GET", f"/api/v3/account?timestamp={STAMP * 1000}&recvWindow=2500.5", ())

    assert PROFILE.understand(request).expires_at == pytest.approx(STAMP / 1000 + 2.5005)


def test_an_order_list_is_known_by_its_own_client_id() -> None:
    intent = PROFILE.understand(form("POST", "/api/v3/orderList/oco", listClientOrderId="bot-1"))

    assert intent.client_id == "bot-1"


def test_every_cost_is_taken_from_a_limit_of_the_profile() -> None:
    names = {limit.name for limit in PROFILE.limits}

    assert {name for _, request, _ in COSTS for name, _ in PROFILE.understand(request).costs} <= names
