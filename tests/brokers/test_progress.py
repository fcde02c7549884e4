"""How far an order is, by what its broker answered."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sidecar.brokers.profile import Progress
from sidecar.wire import Answer, Request
from sidecar.words import OrderState
from tests.brokers.support import SIGNATURE, answer, body, error, form, query
from tests.brokers.test_profiles_hold_for_any_bytes import PROFILES

USDM, SPOT, OANDA, GENERIC = (PROFILES[name] for name in ("binance-usdm", "binance-spot", "oanda", "generic"))
WORKING, FILLED, REJECTED, CANCELLED, EXPIRED = (
    OrderState.WORKING, OrderState.FILLED, OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED
)  # fmt: skip
PLACE = form("POST", "/fapi/v1/order", symbol="BTCUSDT", newClientOrderId="a")
CANCEL = query("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="a")
PLACE_ALGO = form("POST", "/fapi/v1/algoOrder", symbol="BTCUSDT", clientAlgoId="a")
CANCEL_ALGO = query("DELETE", "/fapi/v1/algoOrder", clientAlgoId="a")
PLACE_SPOT = form("POST", "/api/v3/order", symbol="BTCUSDT", newClientOrderId="a")


def order(status: str, filled: str = "0.000") -> dict[str, Any]:
    return {"orderId": 7, "status": status, "executedQty": filled, "origQty": "1.000"}


def algo(status: str, **fields: Any) -> dict[str, Any]:
    return {"algoId": 9, "algoStatus": status, **fields}


STATUSES = [
    ("NEW", "0.000", Progress(WORKING, "7", "NEW")),
    ("PARTIALLY_FILLED", "0.400", Progress(WORKING, "7", "PARTIALLY_FILLED 0.400 of 1.000")),
    ("FILLED", "1.000", Progress(FILLED, "7", "FILLED 1.000 of 1.000")),
    ("CANCELED", "0.000", Progress(CANCELLED, "7", "CANCELED")),
    ("EXPIRED", "0.400", Progress(EXPIRED, "7", "EXPIRED 0.400 of 1.000")),
    ("EXPIRED_IN_MATCH", "0.000", Progress(EXPIRED, "7", "EXPIRED_IN_MATCH")),
    ("REJECTED", "0.000", Progress(REJECTED, "7", "REJECTED")),
    ("SOMETHING_NEW", "0.000", None),
]


@pytest.mark.parametrize("place", [PLACE, PLACE_SPOT], ids=["usdm", "spot"])
@pytest.mark.parametrize(("status", "filled", "expected"), STATUSES)
def test_a_binance_order_is(place: Request, status: str, filled: str, expected: Progress | None) -> None:
    profile = USDM if place is PLACE else SPOT
    told = None if expected is None else replace(expected, filled=Decimal(filled))
    assert profile.progress(place, answer(200, order(status, filled))) == told


ALGO_STATUSES = [
    (algo("NEW"), Progress(WORKING, "9", "NEW")),
    (algo("TRIGGERING"), Progress(WORKING, "9", "TRIGGERING")),
    (algo("TRIGGERED"), Progress(WORKING, "9", "TRIGGERED")),
    (algo("CANCELED"), Progress(CANCELLED, "9", "CANCELED")),
    (algo("REJECTED"), Progress(REJECTED, "9", "REJECTED")),
    (algo("EXPIRED"), Progress(EXPIRED, "9", "EXPIRED")),
    (algo("FINISHED", actualPrice="60000.10"), Progress(FILLED, "9", "FINISHED at 60000.10")),
    (algo("FINISHED", actualPrice="0.00"), Progress(CANCELLED, "9", "FINISHED without a fill")),
    (algo("FINISHED"), None),
]


@pytest.mark.parametrize(("said", "expected"), ALGO_STATUSES)
def test_a_conditional_binance_order_is(said: dict[str, Any], expected: Progress | None) -> None:
    assert USDM.progress(PLACE_ALGO, answer(200, said)) == expected


def test_a_cancel_that_did_its_work_is_cancelled() -> None:
    assert USDM.progress(CANCEL, answer(200, order("CANCELED", "0.400"))) == Progress(
        CANCELLED, "7", "CANCELED 0.400 of 1.000", Decimal("0.4")
    )
    done = {"algoId": 9, "clientAlgoId": "a", "code": "200", "msg": "success"}
    assert USDM.progress(CANCEL_ALGO, answer(200, done)) == Progress(CANCELLED, "9", "success")
    every = query("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert USDM.progress(every, answer(200, {"code": 200, "msg": "done"})) == Progress(CANCELLED, "", "done")
    every_on_spot = query("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert SPOT.progress(every_on_spot, answer(200, [order("CANCELED")] * 2)) == Progress(CANCELLED, "", "2 orders")


def test_a_cancel_that_came_too_late_is_itself_rejected() -> None:
    assert USDM.progress(CANCEL, error(400, -2011, "Unknown order sent.")) == Progress(
        REJECTED, "", "-2011 Unknown order sent."
    )


def test_spot_s_shortest_answer_says_that_the_order_is_there() -> None:
    assert SPOT.progress(PLACE_SPOT, answer(200, {"symbol": "BTCUSDT", "orderId": 7})) == Progress(WORKING, "7", "ACK")


@pytest.mark.parametrize(
    ("code", "msg"), [(-2019, "Margin is insufficient."), (-1111, "Precision is over the maximum defined.")]
)
def test_a_refused_order_is_rejected_with_the_brokers_own_words(code: int, msg: str) -> None:
    assert USDM.progress(PLACE, error(400, code, msg)) == Progress(REJECTED, "", f"{code} {msg}")


def test_a_rejection_is_told_in_200_characters_and_without_secrets() -> None:
    told = USDM.progress(PLACE, error(400, -2019, f"{SIGNATURE} " + "word " * 100))
    assert told is not None
    assert len(told.detail) == 200
    assert SIGNATURE not in told.detail


UNREADABLE = [
    (USDM, PLACE, answer(200, {})),
    (USDM, PLACE, answer(200, b"<html>")),
    (USDM, PLACE, answer(200, [order("NEW")])),
    (USDM, PLACE, answer(200, order("NEW"), (b"Content-Encoding", b"br"))),
    (USDM, CANCEL, answer(200, {})),
    (USDM, CANCEL, answer(200, order("NEW"))),
    (USDM, form("PUT", "/fapi/v1/order", symbol="BTCUSDT"), answer(200, order("NEW"))),
    (USDM, query("GET", "/fapi/v1/order", symbol="BTCUSDT"), answer(200, order("NEW"))),
    (USDM, PLACE, answer(400, b"<html>")),
    (USDM, PLACE, error(503, -1007, "Timeout")),
    (USDM, PLACE, error(429, -1003, "Too many requests")),
    (SPOT, PLACE_SPOT, error(500, -2010, "Account has insufficient balance")),
    (OANDA, body("POST", "/v3/accounts/1/orders", {"order": {}}), answer(201, {})),
    (OANDA, body("POST", "/v3/accounts/1/orders", {"order": {}}), answer(201, b"[]")),
    (OANDA, Request("PUT", "/v3/accounts/1/orders/7/cancel", ()), answer(200, {})),
    (OANDA, body("POST", "/v3/accounts/1/orders", {"order": {}}), answer(504, {"errorMessage": "Timeout"})),
    (GENERIC, body("POST", "/orders", {}), answer(200, {"status": "FILLED"})),
]


@pytest.mark.parametrize(("profile", "request_", "given"), UNREADABLE)
def test_what_does_not_say_is_not_guessed(profile: Any, request_: Request, given: Answer) -> None:
    assert profile.progress(request_, given) is None


@pytest.mark.parametrize(
    "given",
    [error(401, -2015, "Invalid API-key"), error(400, -1021, "Timestamp outside"), error(400, -1022, "Signature")],
)
def test_a_wrong_key_or_clock_says_nothing_about_the_order(given: Answer) -> None:
    assert USDM.progress(PLACE, given) is None


DUPLICATES = [
    (USDM, PLACE, error(400, -4116, "clientOrderId is duplicated")),
    (SPOT, PLACE_SPOT, error(400, -2010, "Duplicate order sent.")),
    (
        OANDA,
        body("POST", "/v3/accounts/1/orders", {"order": {}}),
        answer(400, {"orderRejectTransaction": {"id": "1"}, "errorCode": "CLIENT_ORDER_ID_ALREADY_EXISTS"}),
    ),
]


@pytest.mark.parametrize(("profile", "request_", "given"), DUPLICATES, ids=["usdm", "spot", "oanda"])
def test_a_refused_repeat_does_not_make_a_rejection_of_an_order_that_is_there(
    profile: Any, request_: Request, given: Answer
) -> None:
    assert profile.progress(request_, given) is None


NONE = Decimal(0)
CREATED = {"id": "41", "type": "LIMIT_ORDER"}
FILL = {"id": "42", "orderID": "41", "units": "100", "requestedUnits": "100", "price": "1.10007"}


def cancelled(reason: str) -> dict[str, str]:
    return {"id": "42", "orderID": "41", "reason": reason}


OANDA_ANSWERS = [
    ({"orderCreateTransaction": CREATED}, Progress(WORKING, "41", "LIMIT_ORDER")),
    (
        {"orderCreateTransaction": CREATED, "orderFillTransaction": FILL},
        Progress(FILLED, "41", "ORDER_FILL 100 at 1.10007", Decimal(100)),
    ),
    (
        {"orderFillTransaction": {**FILL, "units": "40"}},
        Progress(FILLED, "41", "ORDER_FILL 40 of 100 at 1.10007", Decimal(40)),
    ),
    (
        {
            "orderFillTransaction": {**FILL, "units": "40"},
            "orderCancelTransaction": cancelled("INSUFFICIENT_LIQUIDITY"),
        },
        Progress(CANCELLED, "41", "INSUFFICIENT_LIQUIDITY, ORDER_FILL 40 of 100 at 1.10007", Decimal(40)),
    ),
    ({"orderCancelTransaction": cancelled("MARKET_HALTED")}, Progress(REJECTED, "41", "MARKET_HALTED", NONE)),
    (
        {"orderCancelTransaction": cancelled("INSUFFICIENT_MARGIN")},
        Progress(REJECTED, "41", "INSUFFICIENT_MARGIN", NONE),
    ),
    (
        {"orderCancelTransaction": cancelled("TIME_IN_FORCE_EXPIRED")},
        Progress(EXPIRED, "41", "TIME_IN_FORCE_EXPIRED", NONE),
    ),
    (
        {"orderCancelTransaction": cancelled("LINKED_TRADE_CLOSED")},
        Progress(EXPIRED, "41", "LINKED_TRADE_CLOSED", NONE),
    ),
]


@pytest.mark.parametrize(("said", "expected"), OANDA_ANSWERS)
def test_an_oanda_order_is(said: dict[str, Any], expected: Progress) -> None:
    assert OANDA.progress(body("POST", "/v3/accounts/1/orders", {"order": {}}), answer(201, said)) == expected
    assert OANDA.progress(Request("PUT", "/v3/accounts/1/trades/7/close", ()), answer(200, said)) == expected


def test_a_position_of_two_sides_is_closed_when_both_are() -> None:
    close = body("PUT", "/v3/accounts/1/positions/EUR_USD/close", {"longUnits": "ALL"})
    long = {"longOrderCreateTransaction": CREATED, "longOrderFillTransaction": FILL}
    assert OANDA.progress(close, answer(200, long)) == Progress(FILLED, "41", "ORDER_FILL 100 at 1.10007", Decimal(100))
    halted = {"shortOrderCancelTransaction": cancelled("MARKET_HALTED")}
    assert OANDA.progress(close, answer(200, {**long, **halted})) is None


def test_an_oanda_cancel_is_cancelled_or_comes_too_late() -> None:
    cancel = Request("PUT", "/v3/accounts/1/orders/@a/cancel", ())
    said = {"orderCancelTransaction": cancelled("CLIENT_REQUEST")}
    assert OANDA.progress(cancel, answer(200, said)) == Progress(CANCELLED, "41", "CLIENT_REQUEST")
    gone = {"errorCode": "ORDER_DOESNT_EXIST", "errorMessage": "The Order specified does not exist"}
    assert OANDA.progress(cancel, answer(404, gone)) == Progress(
        REJECTED, "", "ORDER_DOESNT_EXIST The Order specified does not exist"
    )
