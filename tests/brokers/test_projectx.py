"""What the ProjectX profile knows: endpoints, codes that mean something else everywhere, tags, tokens, refusals."""

import base64
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.brokers.limits import BucketSpec
from sidecar.brokers.profile import Inexpressible, Intent, Keys, Lane, OrderTerms, Refusal
from sidecar.brokers.projectx import ProjectX
from sidecar.wire import Answer, Request, header
from sidecar.words import Effect, OrderState, OrderType, Outcome, Priority, RefusalKind, Side, TimeInForce
from tests.brokers.support import body

PROJECTX = ProjectX()
ORDER = {"accountId": 465, "contractId": "CON.F.US.DA6.M25", "type": 2, "side": 1, "size": 1}
TERMS = OrderTerms("CON.F.US.EP.U25", Side.BUY, OrderType.LIMIT, Decimal(2), "mine", "465", Decimal("6900.250"))
CLOSE = replace(TERMS, type=OrderType.MARKET, side=Side.SELL, price=None, reduce_only=True)
"""Closes a long position of two contracts, or as much of it."""


def post(path: str, payload: Any = None) -> Request:
    return body("POST", f"/api/{path}", {} if payload is None else payload)


def meaning(path: str, payload: Any = None) -> Intent:
    return PROJECTX.understand(post(path, payload))


def said(code: int, success: bool | None = None, **more: Any) -> Answer:
    told = {**more, "success": code == 0 if success is None else success, "errorCode": code, "errorMessage": None}
    return Answer(200, (), json.dumps(told).encode())


def outcome(path: str, answer: Answer) -> Outcome:
    return PROJECTX.classify(meaning(path), answer).outcome


# What a request means


@pytest.mark.parametrize(
    ("path", "name", "effect", "priority"),
    [
        ("Order/place", "place_order", Effect.OPENS_RISK, Priority.ORDER),
        ("order/PLACE/", "place_order", Effect.OPENS_RISK, Priority.ORDER),
        ("Order/modify", "modify_order", Effect.OPENS_RISK, Priority.ORDER),
        ("Order/cancel", "cancel_order", Effect.REDUCES_RISK, Priority.CANCEL),
        ("Position/closeContract", "close_position", Effect.REDUCES_RISK, Priority.REDUCE),
        ("Position/partialCloseContract", "reduce_position", Effect.REDUCES_RISK, Priority.REDUCE),
        ("Order/searchOpen", "search_open_orders", Effect.READ, Priority.ACCOUNT),
        ("Order/v2/query", "query_orders", Effect.READ, Priority.ACCOUNT),
        ("History/retrieveBars", "get_bars", Effect.READ, Priority.MARKET_DATA),
        ("Auth/loginKey", "log_in", Effect.READ, Priority.ACCOUNT),
        ("Auth/logout", "log_out", Effect.OTHER, Priority.ACCOUNT),
        ("Order/v3/place", "other", Effect.OTHER, Priority.ORDER),
    ],
)
def test_a_path_means_the_same_in_any_case(path: str, name: str, effect: Effect, priority: Priority) -> None:
    found = meaning(path)
    assert (found.endpoint.name, found.effect, found.priority) == (name, effect, priority)


def test_a_search_is_a_post_that_changes_nothing() -> None:
    reads = ["Account/search", "Order/search", "Order/searchById", "Position/searchOpen", "Trade/search"]
    assert {meaning(path).effect for path in reads} == {Effect.READ}


@pytest.mark.parametrize(
    ("fields", "client_id"),
    [({"customTag": "mine"}, "mine"), ({"CUSTOMTAG": "mine"}, "mine"), ({"customTag": None}, ""), ({}, "")],
)
def test_an_orders_tag_is_its_client_id(fields: dict[str, Any], client_id: str) -> None:
    assert meaning("Order/place", {**ORDER, **fields}).client_id == client_id


def test_the_limits_let_no_more_through_than_the_gateway_allows_in_any_span() -> None:
    everything, history = PROJECTX.limits
    assert isinstance(everything, BucketSpec)
    assert isinstance(history, BucketSpec)
    assert everything.burst + 60 * everything.rate <= 200
    assert history.burst + 30 * history.rate <= 50


# How an attempt ended

PLACE = {1: "AccountNotFound", 2: "OrderRejected", 3: "InsufficientFunds", 4: "AccountViolation"}
PLACE |= {5: "OutsideTradingHours", 8: "ContractNotFound", 9: "ContractNotActive", 10: "AccountRejected"}


@pytest.mark.parametrize(("code", "name"), PLACE.items())
def test_an_order_that_was_declined_was_not_executed(code: int, name: str) -> None:
    verdict = PROJECTX.classify(meaning("Order/place"), said(code))
    assert (verdict.outcome, verdict.reason, verdict.code) == (Outcome.REJECTED, "declined", name)


def test_a_rejected_order_is_rejected_though_it_has_a_number() -> None:
    assert outcome("Order/place", said(2, orderId=9057)) is Outcome.REJECTED


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ("Order/place", [6, 7]),
        ("Order/modify", [4, 5]),
        ("Order/cancel", [4, 5]),
        ("Position/closeContract", [6, 7]),
        ("Position/partialCloseContract", [7, 8]),
        ("Auth/logout", [2]),
    ],
)
def test_pending_and_unknown_error_leave_it_open(path: str, codes: list[int]) -> None:
    verdicts = [PROJECTX.classify(meaning(path), said(code)) for code in codes]
    assert {(verdict.outcome, verdict.reason) for verdict in verdicts} == {(Outcome.UNKNOWN, "unclear")}


@pytest.mark.parametrize(
    ("path", "code", "name"),
    [
        ("Order/cancel", 2, "OrderNotFound"),
        ("Order/cancel", 6, "AccountRejected"),
        ("Order/modify", 7, "ContractNotFound"),
        ("Position/closeContract", 5, "OrderRejected"),
        ("Position/partialCloseContract", 5, "InvalidCloseSize"),
        ("Position/partialCloseContract", 6, "OrderRejected"),
        ("Trade/search", 1, "AccountNotFound"),
        ("History/retrieveBars", 4, "LimitInvalid"),
    ],
)
def test_the_same_number_means_something_else_elsewhere(path: str, code: int, name: str) -> None:
    verdict = PROJECTX.classify(meaning(path), said(code))
    assert (verdict.outcome, verdict.code) == (Outcome.REJECTED, name)


@pytest.mark.parametrize(
    "answer",
    [
        said(11),
        said(-1),
        said(0, success=False),
        said(3, success=True),
        Answer(200, (), b'{"orderId"'),
        Answer(200, (), b"[]"),
        Answer(200, (), b""),
        Answer(200, (), b'{"success": "true", "errorCode": 0}'),
        Answer(200, (), b'{"success": false, "errorCode": [2]}'),
        Answer(200, (), b'{"success": true, "errorCode": {}}'),
        Answer(500, (), b""),
        Answer(502, (), b"<html>"),
        Answer(503, (), b""),
        Answer(504, (), b""),
        Answer(302, (), b""),
    ],
)
def test_what_is_not_documented_leaves_an_order_open_and_a_read_repeatable(answer: Answer) -> None:
    assert outcome("Order/place", answer) is Outcome.UNKNOWN
    assert outcome("Order/searchOpen", answer) is Outcome.TRANSIENT


@pytest.mark.parametrize(
    ("status", "expected", "reason"),
    [
        (400, Outcome.FATAL, "bad_request"),
        (401, Outcome.FATAL, "auth"),
        (403, Outcome.FATAL, "auth"),
        (404, Outcome.FATAL, "bad_request"),
        (429, Outcome.RATE_LIMITED, "rate_limit"),
    ],
)
def test_what_http_refuses_was_not_executed(status: int, expected: Outcome, reason: str) -> None:
    verdict = PROJECTX.classify(meaning("Order/place"), Answer(status, (), b""))
    assert (verdict.outcome, verdict.reason) == (expected, reason)


@pytest.mark.parametrize("code", [1, 2, 3, 7, 9, 10])
def test_a_login_that_is_refused_is_a_matter_of_keys(code: int) -> None:
    verdict = PROJECTX.classify(meaning("Auth/loginKey"), said(code, token=None))
    assert (verdict.outcome, verdict.reason) == (Outcome.FATAL, "auth")


def test_a_login_that_failed_for_no_known_reason_may_be_repeated() -> None:
    assert outcome("Auth/loginKey", said(8, token=None)) is Outcome.TRANSIENT


def test_many_bars_are_taken_for_what_they_are_without_being_parsed() -> None:
    many = b'{"bars":[' + b'{"o":1},' * 10_000 + b'{}],"success":true}'
    assert outcome("History/retrieveBars", Answer(200, (), many)) is Outcome.OK
    assert outcome("History/retrieveBars", Answer(200, (), many[:-5])) is Outcome.TRANSIENT


@pytest.mark.parametrize(("code", "expected"), [(2, True), (3, True), (1, False), (6, False)])
def test_a_cancel_that_finds_no_open_order_may_have_come_too_late(code: int, expected: bool) -> None:
    cancel = meaning("Order/cancel")
    assert PROJECTX.gone(cancel, PROJECTX.classify(cancel, said(code))) is expected


# Refusals


@pytest.mark.parametrize("kind", sorted(set(RefusalKind) - {RefusalKind.UNKNOWN}))
def test_a_refusal_never_looks_like_something_that_may_have_been_executed(kind: RefusalKind) -> None:
    answer = PROJECTX.refuse(Refusal(kind, "not sent: because", 7.0))
    told = json.loads(answer.body)
    # To project-x-py these say of an order: perhaps executed.
    assert answer.status not in {401, 429, 503, 504}
    assert (told["success"], told["errorMessage"].startswith("not sent: because")) == (False, True)
    assert outcome("Order/place", Answer(200, (), answer.body)) is Outcome.UNKNOWN  # no endpoint's code is borrowed


def test_an_unknown_outcome_is_told_as_one_and_asks_nobody_to_send_again() -> None:
    answer = PROJECTX.refuse(Refusal(RefusalKind.UNKNOWN, "sent, outcome unknown", 7.0))
    assert answer.status == 504
    assert header(answer.headers, b"retry-after") is None


# The record


def test_the_record_keeps_an_orders_terms_and_its_number() -> None:
    facts = PROJECTX.facts(
        post("Order/place", {**ORDER, "customTag": "mine", "limitPrice": 0.5}), said(0, orderId=9056)
    )
    assert facts.symbol == "CON.F.US.DA6.M25"
    assert facts.request == {"type": "2", "side": "1", "size": "1", "limitPrice": "0.5", "customTag": "mine"}
    assert facts.response == {"orderId": "9056", "success": "true", "errorCode": "0"}


def test_the_record_keeps_nothing_of_a_login() -> None:
    request = post("Auth/loginKey", {"userName": "ada", "apiKey": "short"})
    kept = repr(PROJECTX.facts(request, said(0, token="short-too")))
    assert "short" not in kept
    assert "ada" not in kept


# Keys


def token(claims: object) -> str:
    return f"h.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (token({"exp": 1600}), 600),
        (token({"exp": 900}), 86_400),
        (token({"exp": 10**12}), 86_400),
        (token({"exp": "soon"}), 86_400),
        (token([]), 86_400),
        ("opaque", 86_400),
        ("a.%%%.c", 86_400),
    ],
)
def test_a_token_lives_as_long_as_it_says_and_else_a_day(value: str, seconds: float) -> None:
    told = PROJECTX.login(Keys(key="k", user_name="ada")).told(said(0, token=value), 1000.0)
    assert told is not None
    assert (told.value, told.seconds) == (value, seconds)
    assert value not in repr(told)


@given(st.text(max_size=60))
def test_no_token_makes_reading_it_fail(value: str) -> None:
    told = PROJECTX.login(Keys()).told(said(0, token=value), 1000.0)
    assert told is None or 0 < told.seconds <= 86_400


def test_the_token_is_shown_everywhere_but_at_the_login() -> None:
    signer = PROJECTX.signer(Keys(token="t"))
    assert signer is not None
    bots = ((b"authorization", b"Bearer dummy"), (b"Accept", b"*/*"))
    shown = signer.sign(Request("POST", "/api/Order/place", bots, b"{}"), 0.0)
    assert shown.headers == ((b"Accept", b"*/*"), (b"Authorization", b"Bearer t"))
    assert signer.sign(Request("POST", "/api/auth/loginkey", bots, b"{}"), 0.0).headers == ((b"Accept", b"*/*"),)


def test_without_a_token_there_is_nothing_to_sign_with() -> None:
    assert PROJECTX.signer(Keys(key="k", user_name="ada")) is None


# Tags


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"accountId": 1, "limitPrice": 1.10}', b'{"customTag":"bs-1","accountId": 1, "limitPrice": 1.10}'),
        (b'{"size":1,"customTag": null}', b'{"size":1,"customTag":"bs-1"}'),
        (b'{"customtag":"" ,"size":1.0}', b'{"customtag":"bs-1" ,"size":1.0}'),
        (b" {}", b' {"customTag":"bs-1"}'),
        (b'{"customTag":"mine"}', b'{"customTag":"mine"}'),
        (b'{"a":{"customTag":null},"customTag":null}', b'{"a":{"customTag":null},"customTag":null}'),
        (b'{"customTag":7}', b'{"customTag":7}'),
        (b"[1]", b"[1]"),
        (b"{", b"{"),
    ],
)
def test_an_order_without_a_tag_gets_one_and_keeps_every_other_byte(before: bytes, after: bytes) -> None:
    request = Request("POST", "/api/Order/place", (), before)
    assert PROJECTX.identified(request, "bs-1").body == after


def test_only_orders_get_a_tag() -> None:
    request = post("Order/cancel", {"accountId": 1, "orderId": 2})
    assert PROJECTX.identified(request, "bs-1") is request


# Orders that the sidecar itself carries


def test_an_order_is_expressed_digit_for_digit() -> None:
    request = PROJECTX.express(TERMS)
    assert (request.method, request.target) == ("POST", "/api/Order/place")
    assert b'"limitPrice":6900.250,' in request.body
    assert json.loads(request.body) == {
        "accountId": 465,
        "contractId": "CON.F.US.EP.U25",
        "type": 1,
        "side": 0,
        "size": 2,
        "limitPrice": 6900.25,
        "stopPrice": None,
        "customTag": "mine",
    }
    assert PROJECTX.understand(request).client_id == "mine"
    assert PROJECTX.lane(request) == Lane("465", "CON.F.US.EP.U25")


def test_a_stop_sells_at_the_market() -> None:
    terms = replace(TERMS, type=OrderType.STOP, side=Side.SELL, price=None, stop_price=Decimal(6880))
    told = json.loads(PROJECTX.express(terms).body)
    assert (told["type"], told["side"], told["stopPrice"], told["limitPrice"]) == (4, 1, 6880, None)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"type": OrderType.TAKE_PROFIT, "price": None, "stop_price": Decimal(7000)}, "no take-profit"),
        ({"reduce_only": True}, "under /v1/operations"),
        ({"time_in_force": TimeInForce.IOC}, "time in force"),
        ({"quantity": Decimal("1.5")}, "whole contracts"),
        ({"client_id": "two words"}, "client id does not fit"),
        ({"price": None}, "needs a `price`"),
        ({"account": ""}, "number of the account"),
        ({"account": "PRACTICE"}, "number of the account"),
    ],
)
def test_what_the_gateway_cannot_take_is_said_plainly(change: dict[str, Any], why: str) -> None:
    with pytest.raises(Inexpressible, match=why):
        PROJECTX.express(replace(TERMS, **change))


def test_what_is_kept_of_a_request_holds_no_secret() -> None:
    headers = ((b"Authorization", b"Bearer t"), (b"Content-Type", b"application/json"), (b"Accept", b"*/*"))
    order = PROJECTX.unsigned(Request("POST", "/api/Order/place", headers, b'{"size":1}'))
    login = PROJECTX.unsigned(Request("POST", "/api/Auth/loginKey?x=1", headers, b'{"apiKey":"k"}'))
    assert (order.headers, order.body) == (headers[1:2], b'{"size":1}')
    assert (login.target, login.body) == ("/api/Auth/loginKey", b"")


@pytest.mark.parametrize("terms", [TERMS, CLOSE], ids=["an order", "a close"])
def test_an_order_is_cancelled_by_its_number_and_by_nothing_else(terms: OrderTerms) -> None:
    cancel = PROJECTX.cancellation(PROJECTX.express(terms), "9056")
    assert cancel is not None
    assert (cancel.target, json.loads(cancel.body)) == ("/api/Order/cancel", {"accountId": 465, "orderId": 9056})
    assert PROJECTX.cancellation(cancel, "9056") is None
    for number in ("", "none", "٣"):
        assert PROJECTX.cancellation(PROJECTX.express(terms), number) is None


def test_an_operation_gets_its_stop_and_its_target_as_plain_orders() -> None:
    exits = replace(TERMS, side=Side.SELL, price=None, reduce_only=True, watched=True)
    stop = replace(exits, type=OrderType.STOP, stop_price=Decimal("6880.25"))
    target = replace(stop, type=OrderType.TAKE_PROFIT)
    told = [json.loads(PROJECTX.express(terms).body) for terms in (stop, target)]
    assert [(one["type"], one["stopPrice"], one["limitPrice"]) for one in told] == [
        (4, 6880.25, None),
        (1, None, 6880.25),
    ]


def test_only_market_orders_and_closes_end_by_themselves() -> None:
    at_market = replace(TERMS, type=OrderType.MARKET, price=None)
    assert [PROJECTX.at_market(PROJECTX.express(terms)) for terms in (at_market, CLOSE, TERMS)] == [True, True, False]
    assert not PROJECTX.at_market(post("Order/cancel", {}))


def fitted(held: list[dict[str, Any]], terms: OrderTerms) -> Request | str:
    """What is sent to close a position, or why nothing is."""
    fit = PROJECTX.fit(PROJECTX.unsigned(PROJECTX.express(terms)))
    assert fit is not None
    question = next(fit)
    assert (question.target, json.loads(question.body)) == ("/api/Position/searchOpen", {"accountId": 465})
    with pytest.raises(StopIteration) as end:
        fit.send(said(0, positions=held))
    found: Request | str = end.value.value
    return found


def held(size: int, kind: int = 1, contract: str = "CON.F.US.EP.U25") -> dict[str, Any]:
    return {"contractId": contract, "type": kind, "size": size}


def test_a_position_is_closed_in_part_or_as_a_whole() -> None:
    part, whole = fitted([held(5)], CLOSE), fitted([held(7, contract="CON.F.US.MES.U25"), held(2)], CLOSE)
    assert isinstance(part, Request)
    assert isinstance(whole, Request)
    there = {"accountId": 465, "contractId": "CON.F.US.EP.U25"}
    assert (part.target, json.loads(part.body)) == ("/api/Position/partialCloseContract", there | {"size": 2})
    assert (whole.target, json.loads(whole.body)) == ("/api/Position/closeContract", there)


@pytest.mark.parametrize("positions", [[], [held(1)], [held(2, kind=2)], [held(2, contract="CON.F.US.MES.U25")]])
def test_a_position_that_is_not_there_is_not_closed(positions: list[dict[str, Any]]) -> None:
    assert "2 are to be closed" in str(fitted(positions, CLOSE))


@pytest.mark.parametrize("path", ["Order/place", "Position/partialCloseContract", "Position/closeContract"])
def test_nothing_is_asked_before_what_a_bot_sends_itself(path: str) -> None:
    assert PROJECTX.fit(post(path, ORDER)) is None


def test_an_order_is_priced_by_no_request() -> None:
    assert PROJECTX.price_request(TERMS) is None
    assert PROJECTX.told_price(TERMS, said(0)) is None


@pytest.mark.parametrize(
    ("path", "answer", "state", "number", "detail"),
    [
        ("Order/place", said(0, orderId=9056), OrderState.WORKING, "9056", "accepted"),
        ("Order/place", said(2, orderId=9057), OrderState.REJECTED, "9057", "OrderRejected"),
        ("Order/cancel", said(0), OrderState.CANCELLED, "7", ""),
        ("Order/cancel", said(2), OrderState.REJECTED, "7", "OrderNotFound"),
        ("Order/cancel", said(3), OrderState.REJECTED, "7", "Rejected"),
        ("Position/partialCloseContract", said(0), OrderState.WORKING, "", "accepted"),
        ("Position/partialCloseContract", said(5), OrderState.REJECTED, "", "InvalidCloseSize"),
        ("Position/closeContract", said(5), OrderState.REJECTED, "", "OrderRejected"),
    ],
)
def test_an_answer_tells_how_far_the_order_is(
    path: str, answer: Answer, state: OrderState, number: str, detail: str
) -> None:
    found = PROJECTX.progress(post(path, {"accountId": 1, "orderId": 7} if "cancel" in path else ORDER), answer)
    assert found is not None
    assert (found.state, found.broker_order_id, found.detail) == (state, number, detail)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("Order/place", said(6)),
        ("Order/place", Answer(200, (), said(2).body.replace(b"null", b'"The customTag is in use."'))),
        ("Order/place", Answer(502, (), b"<html>")),
        ("Order/cancel", said(5)),
        ("Order/search", said(0, orders=[])),
    ],
)
def test_an_answer_that_does_not_say_tells_nothing(path: str, answer: Answer) -> None:
    assert PROJECTX.progress(post(path, ORDER), answer) is None
