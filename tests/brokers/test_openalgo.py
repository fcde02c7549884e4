import json
from typing import Any

import pytest

from sidecar.brokers.limits import BucketSpec
from sidecar.brokers.openalgo import OpenAlgo
from sidecar.brokers.profile import REASONS, Refusal
from sidecar.wire import Answer, Request, header
from sidecar.words import Effect, Outcome, Priority, RefusalKind
from tests.brokers.support import answer, body

PROFILE = OpenAlgo()
KEY = "5d2c7f0a9e"
ORDER = {"apikey": KEY, "strategy": "Python", "symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": "1"}

ENDPOINTS = [
    ("POST", "placeorder", "place_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("POST", "placeorder/", "place_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("POST", "placesmartorder", "place_smart_order", "smart_orders", Effect.OPENS_RISK, Priority.ORDER),
    ("POST", "optionsmultiorder", "place_options_multiorder", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("POST", "basketorder", "place_basket_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("POST", "splitorder", "place_split_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("POST", "modifyorder", "modify_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("POST", "cancelorder", "cancel_order", "orders", Effect.REDUCES_RISK, Priority.CANCEL),
    ("POST", "cancelallorder", "cancel_all_orders", "orders", Effect.REDUCES_RISK, Priority.CANCEL),
    ("POST", "closeposition", "close_positions", "orders", Effect.REDUCES_RISK, Priority.REDUCE),
    ("POST", "placegttorder", "place_gtt_order", "orders", Effect.OPENS_RISK, Priority.ORDER),
    ("POST", "orderstatus", "get_order", "accounts", Effect.READ, Priority.ACCOUNT),
    ("POST", "positionbook", "get_positions", "accounts", Effect.READ, Priority.ACCOUNT),
    ("POST", "funds", "get_funds", "accounts", Effect.READ, Priority.ACCOUNT),
    ("POST", "quotes", "get_quotes", "pricing", Effect.READ, Priority.MARKET_DATA),
    ("POST", "market/timings", "get_timings", "pricing", Effect.READ, Priority.MARKET_DATA),
    ("GET", "ticker/NSE:SBIN", "get_ticker", "pricing", Effect.READ, Priority.MARKET_DATA),
    ("POST", "ping", "ping", "accounts", Effect.READ, Priority.ACCOUNT),
    ("POST", "analyzer", "get_analyzer", "accounts", Effect.READ, Priority.ACCOUNT),
    ("POST", "analyzer/toggle", "toggle_analyzer", "accounts", Effect.OTHER, Priority.ORDER),
    ("GET", "chart", "get_chart", "accounts", Effect.READ, Priority.ACCOUNT),
    ("POST", "chart", "set_chart", "accounts", Effect.OTHER, Priority.ORDER),
    ("GET", "nobodyknows", "other_read", "accounts", Effect.READ, Priority.ACCOUNT),
    ("POST", "nobodyknows", "other", "accounts", Effect.OTHER, Priority.ORDER),
    ("GET", "placeorder", "other_read", "accounts", Effect.READ, Priority.ACCOUNT),
]


def post(path: str, **fields: Any) -> Request:
    return body("POST", f"/api/v1/{path}", fields)


@pytest.mark.parametrize("line", ENDPOINTS, ids=[f"{line[0]} {line[1]} is {line[2]}" for line in ENDPOINTS])
def test_a_method_and_path_mean_an_endpoint(line: tuple[str, str, str, str, Effect, Priority]) -> None:
    method, path, name, group, effect, priority = line

    intent = PROFILE.understand(Request(method, f"/api/v1/{path}", ()))

    assert (intent.endpoint.name, intent.endpoint.group) == (name, group)
    assert (intent.effect, intent.priority, intent.expires_at) == (effect, priority, None)
    assert intent.endpoint in PROFILE.endpoints


@pytest.mark.parametrize(
    ("size", "quantity", "effect"),
    [
        ("0", "0", Effect.REDUCES_RISK),
        (0, 0.0, Effect.REDUCES_RISK),
        # With no position the target 0 opens `quantity`: only one with neither can do nothing but close.
        ("0", "10", Effect.OPENS_RISK),
        ("5", "0", Effect.OPENS_RISK),
        (None, "0", Effect.OPENS_RISK),
        ("", "", Effect.OPENS_RISK),
    ],
)
def test_a_smart_order_only_reduces_when_neither_target_nor_quantity_can_open(
    size: object, quantity: object, effect: Effect
) -> None:
    assert PROFILE.understand(post("placesmartorder", position_size=size, quantity=quantity)).effect is effect


def error(status: int, message: object = "no", **more: object) -> Answer:
    return answer(status, {"status": "error", "message": message, **more})


def success(**fields: object) -> Answer:
    return answer(200, {"status": "success", **fields})


PLACE, SMART, CANCEL, ALL, BASKET, MULTI, GTT, MODIFY, CLOSE, QUOTE = (
    PROFILE.understand(Request("POST", f"/api/v1/{path}", ()))
    for path in (
        "placeorder",
        "placesmartorder",
        "cancelorder",
        "cancelallorder",
        "basketorder",
        "optionsmultiorder",
        "placegttorder",
        "modifyorder",
        "closeposition",
        "quotes",
    )
)
TICKER = PROFILE.understand(Request("GET", "/api/v1/ticker/NSE:SBIN", ()))
INTERNAL = "Failed to place order due to internal error"
LOGGED_OUT = "Incorrect `api_key` or `access_token`."
FINE, NO, BROKE = (
    {"status": "success", "orderid": "1"},
    {"status": "error", "message": "Insufficient funds"},
    {"status": "error", "message": INTERNAL},
)

VERDICTS = [
    ("an order that is named is placed", PLACE, success(orderid="1"), Outcome.OK, ""),
    ("a success that names no order leaves it in doubt", PLACE, success(orderid=None), Outcome.UNKNOWN, "unclear"),
    ("an order that waits for approval is taken", PLACE, success(mode="semi_auto", pending_order_id=3), Outcome.OK, ""),
    ("an error under 200 is a no", PLACE, error(200, "Insufficient funds"), Outcome.REJECTED, "declined"),
    (
        "an error under 200 that tells of a failure inside is none",
        PLACE,
        error(200, INTERNAL),
        Outcome.UNKNOWN,
        "unclear",
    ),
    ("a success without a status is in doubt", PLACE, answer(200, {}), Outcome.UNKNOWN, "bad_answer"),
    ("a page for an order is in doubt", PLACE, answer(200, b"<html>"), Outcome.UNKNOWN, "bad_answer"),
    ("a list for an order is in doubt", PLACE, answer(200, []), Outcome.UNKNOWN, "bad_answer"),
    ("a smart order at its target is done", SMART, success(message="No Action needed."), Outcome.OK, ""),
    ("a smart order of which nothing is said is in doubt", SMART, success(), Outcome.UNKNOWN, "unclear"),
    ("a trigger is named by its own id", GTT, success(trigger_id="9"), Outcome.OK, ""),
    ("a trigger without its id is in doubt", GTT, success(orderid="9"), Outcome.UNKNOWN, "unclear"),
    ("a cancel needs no more than success", CANCEL, success(), Outcome.OK, ""),
    ("a modification too", MODIFY, success(), Outcome.OK, ""),
    ("a close too", CLOSE, success(message="All Open Positions Squared Off"), Outcome.OK, ""),
    (
        "a bulk cancel is done when one is",
        ALL,
        success(canceled_orders=["1"], failed_cancellations=[{}]),
        Outcome.OK,
        "",
    ),
    ("with nothing to cancel too", ALL, success(canceled_orders=[], failed_cancellations=[]), Outcome.OK, ""),
    (
        "but not when all failed",
        ALL,
        success(canceled_orders=[], failed_cancellations=[{}]),
        Outcome.REJECTED,
        "declined",
    ),
    ("a batch is done when one order is", BASKET, success(results=[NO, FINE]), Outcome.OK, ""),
    ("a batch of failures is a failure", BASKET, success(results=[NO, NO]), Outcome.REJECTED, "declined"),
    ("a batch with one in doubt is in doubt", BASKET, success(results=[FINE, BROKE]), Outcome.UNKNOWN, "unclear"),
    ("an empty batch is in doubt", BASKET, success(results=[]), Outcome.UNKNOWN, "unclear"),
    ("a batch without results is in doubt", BASKET, success(), Outcome.UNKNOWN, "bad_answer"),
    ("a batch that waits for approval is taken", BASKET, success(pending_order_id=3), Outcome.OK, ""),
    (
        "a success in a batch must name its order",
        BASKET,
        success(results=[{"status": "success"}]),
        Outcome.UNKNOWN,
        "unclear",
    ),
    ("a split leg is told by its pieces", MULTI, success(results=[{"split_results": [FINE]}]), Outcome.OK, ""),
    (
        "a piece in doubt is a leg in doubt",
        MULTI,
        success(results=[{"status": "success", "split_results": [FINE, BROKE]}]),
        Outcome.UNKNOWN,
        "unclear",
    ),
    ("a quote is read", QUOTE, success(data={}), Outcome.OK, ""),
    ("a quote that was declined under 200 is a no", QUOTE, error(200), Outcome.REJECTED, "declined"),
    ("a page for a quote is asked for again", QUOTE, answer(200, b"<html>"), Outcome.TRANSIENT, "bad_answer"),
    ("a ticker need not be JSON", TICKER, answer(200, b"NSE:SBIN,2027-01-15,800"), Outcome.OK, ""),
    ("400 of the broker is its no", PLACE, error(400, "Insufficient funds"), Outcome.REJECTED, "declined"),
    ("400 of the schema is a bad request", PLACE, error(400, "{'quantity': ['…']}"), Outcome.FATAL, "bad_request"),
    ("400 of the schema as an object too", QUOTE, error(400, {"symbol": ["…"]}), Outcome.FATAL, "bad_request"),
    ("400 without the envelope too", PLACE, answer(400, b"<html>"), Outcome.FATAL, "bad_request"),
    ("404 for an order is a no", QUOTE, error(404, "Order 1 not found"), Outcome.REJECTED, "declined"),
    ("404 for a path is a bad request", PLACE, error(404, "Not found", path="/api/v1/x"), Outcome.FATAL, "bad_request"),
    ("a wrong key is fatal", PLACE, error(403, "Invalid openalgo apikey"), Outcome.FATAL, "auth"),
    ("an expired login is fatal", PLACE, error(403, LOGGED_OUT), Outcome.FATAL, "auth"),
    ("an expired login under a read's 500 is fatal", QUOTE, error(500, LOGGED_OUT), Outcome.FATAL, "auth"),
    ("the same under an order's 500 stays in doubt", PLACE, error(500, LOGGED_OUT), Outcome.UNKNOWN, "server_error"),
    (
        "semi-auto mode forbids a cancel",
        CANCEL,
        error(403, "… not allowed in Semi-Auto mode."),
        Outcome.REJECTED,
        "declined",
    ),
    (
        "a banned address is banned",
        PLACE,
        answer(403, b"Access Denied: Your IP has been banned"),
        Outcome.BANNED,
        "ban",
    ),
    ("429 is a rate limit", PLACE, error(429, retry_after=60), Outcome.RATE_LIMITED, "rate_limit"),
    ("429 is a rate limit on a read", QUOTE, error(429), Outcome.RATE_LIMITED, "rate_limit"),
    ("500 leaves an order in doubt", PLACE, error(500, INTERNAL), Outcome.UNKNOWN, "server_error"),
    ("500 leaves a cancel in doubt", CANCEL, error(500), Outcome.UNKNOWN, "server_error"),
    ("500 leaves a smart order in doubt", SMART, error(500), Outcome.UNKNOWN, "server_error"),
    ("500 leaves a close in doubt", CLOSE, error(500), Outcome.UNKNOWN, "server_error"),
    ("a redirect to the error page leaves an order in doubt", PLACE, answer(302, b""), Outcome.UNKNOWN, "server_error"),
    ("502 leaves an order in doubt", PLACE, answer(502, b"<html>"), Outcome.UNKNOWN, "server_error"),
    ("503 leaves an order in doubt", PLACE, error(503, "OMS is away"), Outcome.UNKNOWN, "server_error"),
    ("504 leaves an order in doubt", PLACE, error(504), Outcome.UNKNOWN, "timeout"),
    ("408 leaves an order in doubt", PLACE, error(408), Outcome.UNKNOWN, "timeout"),
    (
        "501 says what the broker cannot do",
        GTT,
        error(501, "GTT orders are not supported"),
        Outcome.REJECTED,
        "declined",
    ),
    ("501 of a gateway says nothing", GTT, answer(501, b"<html>"), Outcome.UNKNOWN, "server_error"),
    ("500 on a read is a failure to repeat", QUOTE, error(500), Outcome.TRANSIENT, "server_error"),
]


@pytest.mark.parametrize(
    ("intent", "given", "outcome", "reason"), [line[1:] for line in VERDICTS], ids=[line[0] for line in VERDICTS]
)
def test_verdict(intent: Any, given: Answer, outcome: Outcome, reason: str) -> None:
    verdict = PROFILE.classify(intent, given)

    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.reason in {"", *REASONS}


def test_a_rate_limit_is_not_taken_for_a_minute_that_the_moving_window_does_not_take() -> None:
    assert PROFILE.classify(PLACE, error(429, retry_after=60)).retry_after is None


def test_a_wait_that_a_gateway_asks_for_in_a_header_is_kept() -> None:
    told = answer(429, {"status": "error"}, (b"Retry-After", b"3"))

    assert PROFILE.classify(PLACE, told).retry_after == 3


@pytest.mark.parametrize(("name", "most"), [("global", 50), ("orders", 10), ("smart_orders", 10)])
def test_no_second_can_see_more_requests_than_documented(name: str, most: int) -> None:
    (limit,) = (limit for limit in PROFILE.limits if limit.name == name)

    assert isinstance(limit, BucketSpec)
    assert limit.rate + limit.burst == most


def test_the_audit_log_keeps_the_order_and_what_became_of_it() -> None:
    request = post("placeorder", **ORDER, product="CNC", price=10.5, nobody="knows")

    facts = PROFILE.facts(request, success(orderid="27", mode="analyze", balance="1000"))

    assert facts.symbol == "SBIN"
    assert facts.request == {
        "exchange": "NSE",
        "action": "BUY",
        "product": "CNC",
        "quantity": "1",
        "price": "10.5",
        "strategy": "Python",
    }
    assert facts.response == {"status": "success", "orderid": "27", "mode": "analyze"}


def test_the_audit_log_counts_what_became_of_a_batch() -> None:
    facts = PROFILE.facts(post("basketorder", apikey=KEY), success(results=[FINE, NO]))

    assert facts.response == {"status": "success", "results": "2", "succeeded": "1"}


def test_the_audit_log_counts_what_a_bulk_cancel_did() -> None:
    told = success(canceled_orders=["1", "2"], failed_cancellations=[{}])

    assert PROFILE.facts(post("cancelallorder"), told).response == {
        "status": "success",
        "canceled_orders": "2",
        "failed_cancellations": "1",
    }


def test_a_key_that_is_repeated_anywhere_is_taken_out() -> None:
    request = post("placeorder", **ORDER | {"symbol": f"X{KEY}", "strategy": KEY})

    facts = PROFILE.facts(request, error(400, f"no such key: {KEY}", orderid=KEY))

    assert KEY not in repr(facts)
    assert facts.response["message"] == "no such key: [removed]"


@pytest.mark.parametrize("kind", RefusalKind)
def test_a_refusal_is_openalgos_error_envelope(kind: RefusalKind) -> None:
    told = json.loads(PROFILE.refuse(Refusal(kind, "it rained")).body)

    assert list(told) == ["status", "message"]
    assert told["status"] == "error"
    assert f", {kind})" in told["message"]


@pytest.mark.parametrize("kind", RefusalKind)
def test_of_an_order_only_an_unknown_outcome_is_refused_with_what_leaves_one_in_doubt(kind: RefusalKind) -> None:
    outcome = PROFILE.classify(PLACE, PROFILE.refuse(Refusal(kind, "it rained"))).outcome

    # An answer that was spoilt is a refusal of reads alone.
    doubtful = kind in {RefusalKind.UNKNOWN, RefusalKind.BAD_ANSWER}
    assert (outcome is Outcome.UNKNOWN) == doubtful


def test_a_rate_limit_tells_when_to_come_back() -> None:
    given = PROFILE.refuse(Refusal(RefusalKind.RATE_LIMITED, "it rained", 0.3))

    assert (given.status, header(given.headers, b"retry-after")) == (429, b"1")


def test_the_probe_is_a_read_that_shows_no_key() -> None:
    assert PROFILE.understand(PROFILE.probe).effect is Effect.READ
    assert b"apikey" not in PROFILE.probe.body
