import json
from typing import Any

import pytest

from sidecar.brokers.limits import BucketSpec
from sidecar.brokers.oanda import Oanda
from sidecar.brokers.profile import REASONS, Refusal
from sidecar.wire import Answer, Request, header
from sidecar.words import Effect, Outcome, Priority, RefusalKind
from tests.brokers.support import JSON, answer, body

PROFILE = Oanda()
ACCOUNT = "/v3/accounts/101-004-1234567-001"
TOKEN = "0123456789abcdef0123456789abcdef-0123456789abcdef0123456789abcdef"
ENDPOINTS = [
    ("GET", "/v3/accounts", "get_accounts", "accounts", Effect.READ, Priority.ACCOUNT),
    ("GET", ACCOUNT, "get_account", "accounts", Effect.READ, Priority.ACCOUNT),
    ("GET", f"{ACCOUNT}/summary", "get_account_summary", "accounts", Effect.READ, Priority.ACCOUNT),
    ("PATCH", f"{ACCOUNT}/configuration", "configure_account", "accounts", Effect.OTHER, Priority.ORDER),
    ("POST", f"{ACCOUNT}/orders", "place_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("GET", f"{ACCOUNT}/orders", "get_orders", "orders", Effect.READ, Priority.ACCOUNT),
    ("GET", f"{ACCOUNT}/orders/17", "get_order", "orders", Effect.READ, Priority.ACCOUNT),
    ("PUT", f"{ACCOUNT}/orders/17", "modify_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("PUT", f"{ACCOUNT}/orders/17/cancel", "cancel_order", "orders", Effect.REDUCES_RISK, Priority.CANCEL),
    ("PUT", f"{ACCOUNT}/trades/17/close", "close_trade", "orders", Effect.REDUCES_RISK, Priority.REDUCE),
    ("PUT", f"{ACCOUNT}/positions/EUR_USD/close", "close_position", "orders", Effect.REDUCES_RISK, Priority.REDUCE),
    ("GET", f"{ACCOUNT}/openPositions", "get_open_positions", "accounts", Effect.READ, Priority.ACCOUNT),
    ("GET", f"{ACCOUNT}/transactions/sinceid", "get_transactions_since", "transactions", Effect.READ, Priority.ACCOUNT),
    ("GET", f"{ACCOUNT}/transactions/17", "get_transaction", "transactions", Effect.READ, Priority.ACCOUNT),
    ("GET", f"{ACCOUNT}/transactions/stream", "stream_transactions", "streaming", Effect.READ, Priority.MARKET_DATA),
    ("GET", f"{ACCOUNT}/pricing", "get_pricing", "pricing", Effect.READ, Priority.MARKET_DATA),
    ("GET", f"{ACCOUNT}/pricing/stream", "stream_pricing", "streaming", Effect.READ, Priority.MARKET_DATA),
    ("GET", "/v3/instruments/EUR_USD/candles", "get_candles", "pricing", Effect.READ, Priority.MARKET_DATA),
    ("GET", "/labs/v1/calendar", "other_read", "accounts", Effect.READ, Priority.ACCOUNT),
    ("POST", f"{ACCOUNT}/nobodyKnows", "other", "accounts", Effect.OTHER, Priority.ORDER),
    ("POST", "/v3/accounts//orders", "other", "accounts", Effect.OTHER, Priority.ORDER),
]


@pytest.mark.parametrize("line", ENDPOINTS, ids=[f"{line[0]} {line[1]} is {line[2]}" for line in ENDPOINTS])
def test_a_method_and_path_mean_an_endpoint(line: tuple[str, str, str, str, Effect, Priority]) -> None:
    method, path, name, group, effect, priority = line

    intent = PROFILE.understand(Request(method, path, ()))

    assert (intent.endpoint.name, intent.endpoint.group) == (name, group)
    assert (intent.effect, intent.priority, intent.expires_at) == (effect, priority, None)
    assert intent.endpoint in PROFILE.endpoints


def test_only_the_two_streams_never_end() -> None:
    assert {endpoint.name for endpoint in PROFILE.endpoints if endpoint.stream} == {
        "stream_pricing",
        "stream_transactions",
    }


def place(**order: Any) -> Request:
    return body("POST", f"{ACCOUNT}/orders", {"order": {"instrument": "EUR_USD", "units": "100", **order}})


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(place(type="MARKET", positionFill="REDUCE_ONLY"), id="REDUCE_ONLY"),
        pytest.param(place(type="STOP_LOSS", tradeID="17"), id="a stop loss on a trade"),
        pytest.param(
            body("PUT", f"{ACCOUNT}/trades/17/orders", {"stopLoss": {"price": "1"}}), id="protection for a trade"
        ),
    ],
)
def test_reduces_risk(request_: Request) -> None:
    intent = PROFILE.understand(request_)

    assert (intent.effect, intent.priority) == (Effect.REDUCES_RISK, Priority.REDUCE)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(place(type="MARKET", positionFill="REDUCE_FIRST"), id="REDUCE_FIRST"),
        pytest.param(place(type="MARKET", positionFill=["REDUCE_ONLY"]), id="nonsense"),
        pytest.param(place(type="STOP"), id="a stop entry"),
        pytest.param(
            body("PUT", f"{ACCOUNT}/trades/17/orders", {"stopLoss": None}), id="taking a trade's protection away"
        ),
        pytest.param(Request("POST", f"{ACCOUNT}/orders", JSON, b"{"), id="a body that is no JSON"),
    ],
)
def test_does_not_count_as_reducing(request_: Request) -> None:
    assert PROFILE.understand(request_).priority is Priority.ORDER


@pytest.mark.parametrize(
    ("request_", "client_id"),
    [
        (place(clientExtensions={"id": "bot-1"}), "bot-1"),
        (place(clientExtensions={"id": 1}), ""),
        (Request("GET", f"{ACCOUNT}/orders/@bot-1", ()), "bot-1"),
        (Request("PUT", f"{ACCOUNT}/orders/%40bot%2F1/cancel", ()), "bot/1"),
        (Request("GET", f"{ACCOUNT}/orders/17", ()), ""),
    ],
)
def test_client_id(request_: Request, client_id: str) -> None:
    assert PROFILE.understand(request_).client_id == client_id


PLACE = PROFILE.understand(place(type="MARKET"))
REPLACE = PROFILE.understand(Request("PUT", f"{ACCOUNT}/orders/17", ()))
CANCEL = PROFILE.understand(Request("PUT", f"{ACCOUNT}/orders/17/cancel", ()))
CLOSE = PROFILE.understand(Request("PUT", f"{ACCOUNT}/positions/EUR_USD/close", ()))
GET = PROFILE.understand(Request("GET", ACCOUNT, ()))
STREAM = PROFILE.understand(Request("GET", f"{ACCOUNT}/pricing/stream", ()))
HALTED = {"reason": "MARKET_HALTED", "orderID": "17"}
FILLED = {"id": "18", "units": "100"}
MAINTENANCE = {"errorMessage": "System under maintenance, please try again later."}

VERDICTS = [
    ("a created order is ok", PLACE, answer(201, {"orderCreateTransaction": {"id": "17"}}), Outcome.OK, "", ""),
    (
        "201 is no success when the order was cancelled at once",
        PLACE,
        answer(201, {"orderCreateTransaction": {"id": "17"}, "orderCancelTransaction": HALTED}),
        Outcome.REJECTED,
        "declined",
        "MARKET_HALTED",
    ),
    (
        "an order that was filled in part and then cancelled is ok",
        PLACE,
        answer(201, {"orderFillTransaction": FILLED, "orderCancelTransaction": HALTED}),
        Outcome.OK,
        "",
        "",
    ),
    (
        "a cancelled order is what a cancel wants",
        CANCEL,
        answer(200, {"orderCancelTransaction": HALTED}),
        Outcome.OK,
        "",
        "",
    ),
    (
        "the replaced order's end is what a replacement wants",
        REPLACE,
        answer(201, {"orderCancelTransaction": HALTED, "orderCreateTransaction": {"id": "18"}}),
        Outcome.OK,
        "",
        "",
    ),
    (
        "the replacing order's end is not",
        REPLACE,
        answer(201, {"orderCancelTransaction": HALTED, "replacingOrderCancelTransaction": HALTED}),
        Outcome.REJECTED,
        "declined",
        "MARKET_HALTED",
    ),
    (
        "a position that could not be closed is rejected",
        CLOSE,
        answer(200, {"longOrderCancelTransaction": HALTED}),
        Outcome.REJECTED,
        "declined",
        "MARKET_HALTED",
    ),
    ("an order answer that is no JSON is in doubt", PLACE, answer(201, b"{"), Outcome.UNKNOWN, "bad_answer", ""),
    ("a read answer that is no JSON is not", GET, answer(200, b"<html>"), Outcome.TRANSIENT, "bad_answer", ""),
    ("a stream is ok when it begins", STREAM, Answer(200, ()), Outcome.OK, "", ""),
    (
        "400 with a reject transaction is rejected",
        PLACE,
        answer(400, {"orderRejectTransaction": {"rejectReason": "UNITS_INVALID"}}),
        Outcome.REJECTED,
        "declined",
        "UNITS_INVALID",
    ),
    (
        "a client id that exists is rejected",
        PLACE,
        answer(400, {"errorCode": "CLIENT_ORDER_ID_ALREADY_EXISTS", "orderRejectTransaction": {}}),
        Outcome.REJECTED,
        "declined",
        "CLIENT_ORDER_ID_ALREADY_EXISTS",
    ),
    (
        "404 with a code is rejected",
        CANCEL,
        answer(404, {"errorCode": "ORDER_DOESNT_EXIST"}),
        Outcome.REJECTED,
        "declined",
        "ORDER_DOESNT_EXIST",
    ),
    (
        "400 without either is a bad request",
        PLACE,
        answer(400, {"errorMessage": "…"}),
        Outcome.FATAL,
        "bad_request",
        "",
    ),
    ("401 is about the token", GET, answer(401, {"errorMessage": "…"}), Outcome.FATAL, "auth", ""),
    ("403 is about the token", PLACE, answer(403, {"errorMessage": "…"}), Outcome.FATAL, "auth", ""),
    ("405 is a bad request", PLACE, answer(405, {"errorMessage": "…"}), Outcome.FATAL, "bad_request", ""),
    ("429 is a rate limit", GET, answer(429, {"errorMessage": "…"}), Outcome.RATE_LIMITED, "rate_limit", ""),
    ("maintenance is maintenance on an order", PLACE, answer(503, MAINTENANCE), Outcome.MAINTENANCE, "maintenance", ""),
    ("maintenance is maintenance on a read", GET, answer(503, MAINTENANCE), Outcome.MAINTENANCE, "maintenance", ""),
    (
        "another 503 leaves an order in doubt",
        PLACE,
        answer(503, {"errorMessage": "…"}),
        Outcome.UNKNOWN,
        "server_error",
        "",
    ),
    (
        "a page about maintenance too",
        PLACE,
        answer(503, b"<h1>under maintenance</h1>"),
        Outcome.UNKNOWN,
        "server_error",
        "",
    ),
    (
        "504 leaves an order in doubt",
        PLACE,
        answer(504, {"errorMessage": "Timeout waiting for response."}),
        Outcome.UNKNOWN,
        "timeout",
        "",
    ),
    ("an HTML 502 leaves an order in doubt", PLACE, answer(502, b"<html>"), Outcome.UNKNOWN, "server_error", ""),
    (
        "an HTML 502 on a read is a failure to repeat",
        GET,
        answer(502, b"<html>"),
        Outcome.TRANSIENT,
        "server_error",
        "",
    ),
]


@pytest.mark.parametrize(
    ("intent", "given", "outcome", "reason", "code"),
    [line[1:] for line in VERDICTS],
    ids=[line[0] for line in VERDICTS],
)
def test_verdict(intent: Any, given: Answer, outcome: Outcome, reason: str, code: str) -> None:
    verdict = PROFILE.classify(intent, given)

    assert (verdict.outcome, verdict.reason, verdict.code) == (outcome, reason, code)
    assert verdict.reason in {"", *REASONS}


def test_retry_after_is_kept() -> None:
    assert PROFILE.classify(GET, answer(429, {}, (b"Retry-After", b"3"))).retry_after == 3


def test_no_second_can_see_more_than_the_documented_120_requests() -> None:
    everything = [limit for limit in PROFILE.limits if isinstance(limit, BucketSpec) and not limit.group]

    assert [limit.rate + limit.burst for limit in everything] == [120]


def test_every_group_has_its_bucket() -> None:
    groups = {limit.group for limit in PROFILE.limits if isinstance(limit, BucketSpec)}

    assert {endpoint.group for endpoint in PROFILE.endpoints} <= groups


def test_the_audit_log_keeps_the_order_and_its_transactions() -> None:
    request = place(type="LIMIT", price="1.1", clientExtensions={"id": "bot-1", "comment": TOKEN})
    given = answer(
        201,
        {
            "orderCreateTransaction": {"id": "17", "accountID": "101"},
            "orderFillTransaction": {"id": "18", "units": "100", "price": "1.0999", "accountBalance": "12345.6"},
            "lastTransactionID": "18",
        },
    )

    facts = PROFILE.facts(request, given)

    assert facts.symbol == "EUR_USD"
    assert facts.request == {"type": "LIMIT", "units": "100", "price": "1.1", "clientExtensions.id": "bot-1"}
    assert facts.response == {
        "orderID": "17",
        "fillID": "18",
        "units": "100",
        "price": "1.0999",
        "lastTransactionID": "18",
    }


def test_the_audit_log_keeps_why_an_order_was_cancelled() -> None:
    facts = PROFILE.facts(place(type="MARKET"), answer(201, {"orderCancelTransaction": HALTED}))

    assert facts.response == {"cancelledOrderID": "17", "cancelReason": "MARKET_HALTED"}


def test_the_audit_log_keeps_which_position_was_closed() -> None:
    facts = PROFILE.facts(body("PUT", f"{ACCOUNT}/positions/EUR_USD/close", {"longUnits": "ALL"}), None)

    assert (facts.symbol, facts.request) == ("EUR_USD", {"longUnits": "ALL"})


def test_an_error_message_loses_a_quoted_token() -> None:
    facts = PROFILE.facts(place(type="MARKET"), answer(401, {"errorMessage": f"Insufficient authorization: {TOKEN}"}))

    assert facts.response == {"errorMessage": "Insufficient authorization: [removed]"}


@pytest.mark.parametrize("kind", RefusalKind)
def test_a_refusal_is_oandas_error_envelope(kind: RefusalKind) -> None:
    told = json.loads(PROFILE.refuse(Refusal(kind, "it rained")).body)

    assert list(told) == ["errorMessage"]
    assert f", {kind})" in told["errorMessage"]


@pytest.mark.parametrize("kind", RefusalKind)
def test_only_an_unknown_outcome_is_refused_with_504(kind: RefusalKind) -> None:
    assert (PROFILE.refuse(Refusal(kind, "it rained")).status == 504) == (kind is RefusalKind.UNKNOWN)


def test_a_rate_limit_tells_when_to_come_back() -> None:
    given = PROFILE.refuse(Refusal(RefusalKind.RATE_LIMITED, "it rained", 0.3))

    assert (given.status, header(given.headers, b"retry-after")) == (429, b"1")


def test_a_gateways_page_that_asks_to_wait_is_heard() -> None:
    page = answer(502, b"<html>", (b"Retry-After", b"30"))
    assert Oanda().classify(Oanda().understand(Request("GET", "/v3/accounts", ())), page).retry_after == 30
