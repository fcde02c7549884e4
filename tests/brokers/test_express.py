"""How an order in nobody's words becomes a request in a broker's, and what takes it back."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.brokers.profile import Inexpressible, Lane, OrderTerms
from sidecar.wire import Request, header
from sidecar.words import Effect, OrderType, Side, TimeInForce
from tests.brokers.orders import ACCOUNT, BROKERS, WAITING, expressible, terms
from tests.brokers.support import body, form, query
from tests.brokers.test_profiles_hold_for_any_bytes import PROFILES

USDM, SPOT, OANDA, GENERIC = (PROFILES[name] for name in ("binance-usdm", "binance-spot", "oanda", "generic"))
any_order = st.sampled_from(BROKERS).flatmap(lambda broker: st.tuples(st.just(broker), expressible(broker)))


def parameters(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), strict_parsing=True))


FUTURES = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "newOrderRespType": "RESULT"}
EXPRESSED: list[tuple[str, dict[str, Any], str, dict[str, str]]] = [
    ("binance-usdm", {}, "/fapi/v1/order", {**FUTURES, "type": "MARKET", "newClientOrderId": "bs-1"}),
    (
        "binance-usdm",
        {"type": OrderType.LIMIT, "price": Decimal("60000.10"), "side": Side.SELL, "reduce_only": True},
        "/fapi/v1/order",
        {
            **FUTURES,
            "side": "SELL",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "price": "60000.10",
            "reduceOnly": "true",
            "newClientOrderId": "bs-1",
        },
    ),
    (
        "binance-usdm",
        {"type": OrderType.STOP, "stop_price": Decimal(61000)},
        "/fapi/v1/algoOrder",
        {
            **FUTURES,
            "algoType": "CONDITIONAL",
            "type": "STOP_MARKET",
            "triggerPrice": "61000",
            "clientAlgoId": "bs-1",
        },
    ),
    (
        "binance-spot",
        {"type": OrderType.TAKE_PROFIT, "stop_price": Decimal(50000), "quantity": Decimal("1E-8")},
        "/api/v3/order",
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "TAKE_PROFIT",
            "quantity": "0.00000001",
            "stopPrice": "50000",
            "newOrderRespType": "FULL",
            "newClientOrderId": "bs-1",
        },
    ),
]


@pytest.mark.parametrize(("broker", "changes", "path", "expected"), EXPRESSED)
def test_binance_is_told(broker: str, changes: dict[str, Any], path: str, expected: dict[str, str]) -> None:
    request = PROFILES[broker].express(terms(broker, **changes))
    assert (request.method, request.target, parameters(request)) == ("POST", path, expected)
    assert header(request.headers, b"content-type") == b"application/x-www-form-urlencoded"


OANDA_ORDERS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {"type": "MARKET", "units": "100", "timeInForce": "FOK", "positionFill": "DEFAULT"}),
    (
        {"side": Side.SELL, "reduce_only": True},
        {"type": "MARKET", "units": "-100", "timeInForce": "FOK", "positionFill": "REDUCE_ONLY"},
    ),
    (
        {"type": OrderType.LIMIT, "price": Decimal("1.1"), "time_in_force": TimeInForce.DAY},
        {"type": "LIMIT", "units": "100", "price": "1.1", "timeInForce": "GFD", "positionFill": "DEFAULT"},
    ),
    (
        {"type": OrderType.STOP, "stop_price": Decimal("1.2")},
        {"type": "STOP", "units": "100", "price": "1.2", "timeInForce": "GTC", "positionFill": "DEFAULT"},
    ),
    (
        {"type": OrderType.TAKE_PROFIT, "stop_price": Decimal("1.2")},
        {"type": "MARKET_IF_TOUCHED", "units": "100", "price": "1.2", "timeInForce": "GTC", "positionFill": "DEFAULT"},
    ),
]


@pytest.mark.parametrize(("changes", "expected"), OANDA_ORDERS)
def test_oanda_is_told(changes: dict[str, Any], expected: dict[str, str]) -> None:
    request = OANDA.express(terms("oanda", **changes))
    assert (request.method, request.target) == ("POST", f"/v3/accounts/{ACCOUNT}/orders")
    assert json.loads(request.body) == {
        "order": {**expected, "instrument": "EUR_USD", "clientExtensions": {"id": "bs-1"}}
    }


LIMIT: dict[str, Any] = {"type": OrderType.LIMIT, "price": Decimal(1)}
STOP: dict[str, Any] = {"type": OrderType.STOP, "stop_price": Decimal(1)}
EVERYWHERE: list[tuple[dict[str, Any], str]] = [
    ({"instrument": ""}, "names no instrument"),
    ({"instrument": "BTC\ud800"}, "names no instrument"),
    ({"instrument": "BTC\r\n"}, "names no instrument"),
    ({"client_id": ""}, "client id does not fit"),
    ({"client_id": "a&side=SELL"}, "client id does not fit"),
    ({"quantity": Decimal(0)}, "`quantity` has to be a number above 0"),
    ({"quantity": Decimal(-1)}, "`quantity` has to be a number above 0"),
    ({"quantity": Decimal("NaN")}, "`quantity` has to be a number above 0"),
    ({"quantity": Decimal("sNaN")}, "`quantity` has to be a number above 0"),
    ({"quantity": Decimal("Infinity")}, "`quantity` has to be a number above 0"),
    ({"quantity": Decimal("1E+999999")}, "`quantity` has more than 20 digits"),
    ({"quantity": Decimal("1E-21")}, "`quantity` has more than 20 digits"),
    ({"price": Decimal(1)}, "a market order takes no `price`"),
    ({"stop_price": Decimal(1)}, "a market order takes no `stop_price`"),
    ({"type": OrderType.LIMIT}, "a limit order needs a `price`"),
    ({**LIMIT, "stop_price": Decimal(1)}, "a limit order takes no `stop_price`"),
    ({"type": OrderType.TAKE_PROFIT}, "a take-profit order needs a `stop_price`"),
    ({**STOP, "price": Decimal(1)}, "a stop order takes no `price`"),
    ({**STOP, "time_in_force": TimeInForce.IOC}, "takes no stop order that is `ioc`"),
    ({"time_in_force": TimeInForce.GTC}, "takes no market order that is `gtc`"),
]


@pytest.mark.parametrize("broker", BROKERS)
@pytest.mark.parametrize(("changes", "message"), EVERYWHERE)
def test_no_broker_takes(broker: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Inexpressible, match=message):
        PROFILES[broker].express(terms(broker, **changes))


HERE: list[tuple[str, dict[str, Any], str]] = [
    ("binance-usdm", {"client_id": "x" * 37}, "1 to 36"),
    ("binance-usdm", {"account": "mine"}, "the key names the account"),
    ("binance-usdm", {**LIMIT, "time_in_force": TimeInForce.DAY}, "`day`.* use `gtc` or `ioc` or `fok`"),
    ("binance-usdm", {"time_in_force": TimeInForce.FOK}, "takes no market order that is `fok`"),
    ("binance-spot", {"client_id": "with.dot"}, 'digits, "-" and "_"'),
    ("binance-spot", {"reduce_only": True, "side": Side.SELL}, "spot has no positions"),
    ("oanda", {"client_id": "x" * 129}, "1 to 128"),
    ("oanda", {"client_id": "a/b"}, "1 to 128"),
    ("oanda", {"account": ""}, "has to be told the account"),
    ("oanda", {"account": ".."}, "has to be told the account"),
    ("generic", {}, "profile `generic`"),
]


@pytest.mark.parametrize(("broker", "changes", "message"), HERE)
def test_this_broker_does_not_take(broker: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Inexpressible, match=message):
        PROFILES[broker].express(terms(broker, **changes))


@given(order=any_order)
def test_an_expressed_order_is_understood_as_that_order(order: tuple[str, OrderTerms]) -> None:
    broker, wanted = order
    profile = PROFILES[broker]
    request = profile.express(wanted)
    intent = profile.understand(request)
    conditional = broker == "binance-usdm" and wanted.type in WAITING
    assert intent.endpoint.name == ("place_algo_order" if conditional else "place_order")
    assert intent.client_id == wanted.client_id
    assert intent.effect is (Effect.REDUCES_RISK if wanted.reduce_only else Effect.OPENS_RISK)
    assert intent.expires_at is None
    assert profile.lane(request) == Lane(wanted.account, wanted.instrument)


@given(order=any_order)
def test_an_expressed_order_tells_its_numbers_without_an_exponent(order: tuple[str, OrderTerms]) -> None:
    broker, wanted = order
    request = PROFILES[broker].express(wanted)
    told = json.loads(request.body)["order"] if broker == "oanda" else parameters(request)
    texts = [told[name] for name in ("quantity", "units", "price", "stopPrice", "triggerPrice") if name in told]
    numbers = [number for number in (wanted.quantity, wanted.price, wanted.stop_price) if number is not None]
    assert [abs(Decimal(text)) for text in texts] == numbers
    assert not any("E" in text for text in texts)


@given(order=any_order)
def test_an_expressed_order_is_unsigned_already_and_bears_its_id(order: tuple[str, OrderTerms]) -> None:
    broker, wanted = order
    profile = PROFILES[broker]
    request = profile.express(wanted)
    kept = profile.unsigned(request)
    assert (kept.method, kept.target, kept.headers, kept.body) == (
        request.method, request.target, request.headers, request.body
    )  # fmt: skip
    assert profile.identified(request, "another") is request
    assert profile.look(request, profile.understand(request), lambda: 0.0) is not None


@given(order=any_order)
def test_the_cancellation_names_the_same_order(order: tuple[str, OrderTerms]) -> None:
    broker, wanted = order
    profile = PROFILES[broker]
    cancel = profile.cancellation(profile.express(wanted))
    assert cancel is not None
    intent = profile.understand(cancel)
    assert intent.endpoint.name.startswith("cancel_")
    assert intent.effect is Effect.REDUCES_RISK
    assert intent.client_id == wanted.client_id
    assert profile.cancellation(cancel) is None


CANCELLATIONS = [
    (USDM, form("POST", "/fapi/v1/order", symbol="BTCUSDT", newClientOrderId="a:b"),
     "DELETE", "/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=a:b"),
    (USDM, query("POST", "/fapi/v1/algoOrder", symbol="BTCUSDT", clientAlgoId="a"),
     "DELETE", "/fapi/v1/algoOrder?clientAlgoId=a"),
    (USDM, Request("POST", "/fapi/v1/order", (), b"symbol=BTCUSDT&newClientOrderId=a b\r\nX:"),
     "DELETE", "/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=a%20b%0D%0AX:"),
    (SPOT, form("POST", "/api/v3/sor/order", symbol="BTCUSDT", newClientOrderId="a"),
     "DELETE", "/api/v3/order?symbol=BTCUSDT&origClientOrderId=a"),
    (OANDA, body("POST", "/v3/accounts/1/orders", {"order": {"clientExtensions": {"id": "my/id?"}}}),
     "PUT", "/v3/accounts/1/orders/@my%2Fid%3F/cancel"),
]  # fmt: skip


@pytest.mark.parametrize(("profile", "request_", "method", "target"), CANCELLATIONS)
def test_a_bots_own_order_is_cancelled_by(profile: Any, request_: Request, method: str, target: str) -> None:
    cancel = profile.cancellation(request_)
    assert (cancel.method, cancel.target, cancel.body, cancel.headers) == (method, target, b"", ())


@pytest.mark.parametrize(
    ("profile", "request_"),
    [
        (USDM, form("POST", "/fapi/v1/order", symbol="BTCUSDT")),
        (USDM, form("POST", "/fapi/v1/batchOrders", batchOrders="[]")),
        (USDM, query("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="a")),
        (OANDA, body("POST", "/v3/accounts/1/orders", {"order": {}})),
        (OANDA, body("PUT", "/v3/accounts/1/orders/7", {"order": {"clientExtensions": {"id": "a"}}})),
        (OANDA, Request("POST", "/v3/accounts/1/orders", (), b'{"order":{"clientExtensions":{"id":"\\ud800"}}}')),
        (GENERIC, body("POST", "/orders", {"client_id": "a"})),
    ],
)
def test_what_places_no_order_that_can_be_named_has_no_cancellation(profile: Any, request_: Request) -> None:
    assert profile.cancellation(request_) is None


LANES = [
    (USDM, form("POST", "/fapi/v1/order", symbol="btcusdt"), Lane("", "BTCUSDT")),
    (USDM, query("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="a"), Lane("", "BTCUSDT")),
    (USDM, query("DELETE", "/fapi/v1/algoOrder", clientAlgoId="a"), Lane("", "")),
    (OANDA, body("POST", "/v3/accounts/1/orders", {"order": {"instrument": "EUR_USD"}}), Lane("1", "EUR_USD")),
    (OANDA, Request("PUT", "/v3/accounts/1/orders/@a/cancel", ()), Lane("1", "")),
    (OANDA, body("PUT", "/v3/accounts/1/positions/EUR_USD/close", {"longUnits": "ALL"}), Lane("1", "EUR_USD")),
    (OANDA, Request("GET", "/v3/instruments/EUR_USD/candles", ()), Lane("", "")),
    (GENERIC, body("POST", "/orders", {"symbol": "BTCUSDT"}), Lane("", "")),
]


@pytest.mark.parametrize(("profile", "request_", "lane"), LANES)
def test_a_request_s_lane_is_its_account_and_instrument(profile: Any, request_: Request, lane: Lane) -> None:
    assert profile.lane(request_) == lane


NAMED = [
    (USDM, query("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="a:b"), ["a:b"]),
    (USDM, query("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", origClientOrderIdList='["a","b"]'), ["a", "b"]),
    (SPOT, form("POST", "/api/v3/order/cancelReplace", cancelOrigClientOrderId="a", newClientOrderId="b"), ["a"]),
    (OANDA, Request("PUT", "/v3/accounts/1/orders/@my%2Fid/cancel", ()), ["my/id"]),
    (OANDA, Request("PUT", "/v3/accounts/1/orders/7/cancel", ()), []),
    (GENERIC, query("DELETE", "/orders", client_id="a"), []),
]


@pytest.mark.parametrize(("profile", "request_", "ids"), NAMED)
def test_a_cancel_or_a_change_names_orders_by_their_client_ids(profile: Any, request_: Request, ids: list[str]) -> None:
    assert list(profile.named(request_)) == ids
