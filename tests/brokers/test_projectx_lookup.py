"""A ProjectX order in doubt: what is asked, and how a finding becomes the answer that was lost."""

import json
from decimal import Decimal
from typing import Any

import pytest

from sidecar.brokers.profile import Finding, Look, OrderTerms, Progress
from sidecar.brokers.projectx import ProjectX
from sidecar.wire import Answer, Request
from sidecar.words import OrderState, OrderType, Outcome, Side

PROJECTX = ProjectX()
BEARER = ((b"Authorization", b"Bearer mine"), (b"User-Agent", b"bot"))
EIGHT = 1_800_000_000.0  # 2027-01-15T08:00:00Z
ORDER = {"accountId": 1, "contractId": "CON.F.US.EP.U25", "type": 2, "side": 0, "size": 1, "customTag": "my tag"}
FOUND = {
    "id": 36598,
    "contractId": "CON.F.US.EP.U25",
    "creationTimestamp": "2027-01-15T08:00:00.268009+00:00",
    "status": 2,
    "side": 0,
    "customTag": "my tag",
}


def post(path: str, payload: Any) -> Request:
    return Request("POST", f"/api/{path}", BEARER, json.dumps(payload).encode())


PLACED, CANCELLED = post("Order/place", ORDER), post("Order/cancel", {"accountId": 1, "orderId": 36598})


def look_at(request: Request) -> Look:
    look = PROJECTX.look(request, PROJECTX.understand(request), lambda: EIGHT)
    assert look is not None
    return look


def told(**fields: Any) -> Answer:
    return Answer(200, (), json.dumps({"success": True, "errorCode": 0, "errorMessage": None, **fields}).encode())


def finding(request: Request, answer: Answer) -> Finding | None:
    look = look_at(request)
    next(look)
    with pytest.raises(StopIteration) as end:
        look.send(answer)
    found: Finding | None = end.value.value
    return found


def test_a_placed_order_is_searched_for_from_a_moment_before_it_was_sent() -> None:
    question = next(look_at(PLACED))
    assert (question.method, question.target) == ("POST", "/api/Order/search")
    assert json.loads(question.body) == {"accountId": 1, "startTimestamp": "2027-01-15T07:59:58+00:00"}
    assert (b"Authorization", b"Bearer mine") in question.headers


@pytest.mark.parametrize("status", [1, 2, 3, 4, 7, 8])
def test_an_order_that_is_there_was_accepted(status: int) -> None:
    found = finding(PLACED, told(orders=[{**FOUND, "status": status}]))
    assert found is not None
    assert found.answer is not None
    assert json.loads(found.answer.body) == {
        "orderId": 36598,
        "success": True,
        "errorCode": 0,
        "errorMessage": None,
    }
    assert PROJECTX.classify(PROJECTX.understand(PLACED), found.answer).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (1, OrderState.WORKING),
        (2, OrderState.FILLED),
        (3, OrderState.CANCELLED),
        (4, OrderState.EXPIRED),
        (5, OrderState.REJECTED),
        (8, OrderState.WORKING),
    ],
)
def test_a_look_tells_how_far_the_order_is(status: int, state: OrderState) -> None:
    found = finding(PLACED, told(orders=[{**FOUND, "status": status, "fillVolume": 1}]))
    assert found is not None
    assert found.progress is not None
    assert (found.progress.state, found.progress.broker_order_id) == (state, "36598")


def test_an_order_that_was_rejected_is_the_rejection_that_it_was() -> None:
    found = finding(PLACED, told(orders=[{**FOUND, "status": 5}]))
    assert found is not None
    assert found.answer is not None
    assert found.status == "Rejected"
    assert PROJECTX.classify(PROJECTX.understand(PLACED), found.answer).outcome is Outcome.REJECTED


@pytest.mark.parametrize("status", [0, 6, 99, None, [2]])
def test_an_order_that_is_still_being_processed_settles_nothing(status: Any) -> None:
    found = finding(PLACED, told(orders=[{**FOUND, "status": status}]))
    assert found is not None
    assert found.answer is None


@pytest.mark.parametrize(
    "change",
    [
        {"customTag": "another"},
        {"customTag": None},
        {"contractId": "CON.F.US.MES.U25"},
        {"side": 1},
        {"creationTimestamp": "2027-01-15T07:59:50+00:00"},
        {"creationTimestamp": None},
        {"creationTimestamp": "soon"},
        {"parentOrderId": 5},
        {"id": "36598"},
    ],
)
def test_another_order_is_not_taken_for_it(change: dict[str, Any]) -> None:
    assert finding(PLACED, told(orders=[{**FOUND, **change}])) is None


def test_two_orders_of_the_same_tag_settle_nothing() -> None:
    assert finding(PLACED, told(orders=[FOUND, {**FOUND, "id": 36599}])) is None


@pytest.mark.parametrize(
    "answer",
    [told(orders=[]), told(orders="none"), told(), Answer(200, (), b"[]"), Answer(401, (), b""), told(success=False)],
)
def test_an_answer_without_the_order_finds_nothing(answer: Answer) -> None:
    assert finding(PLACED, answer) is None


def test_a_time_without_an_offset_is_utc() -> None:
    assert finding(PLACED, told(orders=[{**FOUND, "creationTimestamp": "2027-01-15T08:00:00.2680091"}])) is not None


@pytest.mark.parametrize(
    "request_", [post("Order/place", {**ORDER, "customTag": None}), post("Order/place", {**ORDER, "accountId": "1"})]
)
def test_an_order_that_cannot_be_named_is_not_looked_for(request_: Request) -> None:
    assert PROJECTX.look(request_, PROJECTX.understand(request_), lambda: EIGHT) is None


# Orders whose number is known, and closes


def by(request: Request, order_id: str = "", **told_: Any) -> tuple[Request, Finding | None]:
    """What a look with the broker's own number asks, and what it makes of the answer."""
    look = PROJECTX.look(request, PROJECTX.understand(request), lambda: EIGHT, order_id)
    assert look is not None
    question = next(look)
    with pytest.raises(StopIteration) as end:
        look.send(told(**told_))
    found: Finding | None = end.value.value
    return question, found


def test_an_order_is_asked_for_by_its_number_once_that_is_known() -> None:
    question, found = by(PLACED, "36598", order={**FOUND, "fillVolume": 1})
    assert (question.target, json.loads(question.body)) == ("/api/Order/searchById", {"accountId": 1, "orderId": 36598})
    assert found is not None
    assert found.progress == Progress(OrderState.FILLED, "36598", "Filled 1", Decimal(1))


def test_a_resting_order_is_found_among_the_open_ones_or_else_by_its_number() -> None:
    resting = post("Order/place", {**ORDER, "type": 1})
    question, found = by(resting, "36598", orders=[{**FOUND, "status": 1, "fillVolume": 0}])
    assert (question.target, json.loads(question.body)) == ("/api/Order/searchOpen", {"accountId": 1})
    assert found is not None
    assert found.status == "Open"

    look = PROJECTX.look(resting, PROJECTX.understand(resting), lambda: EIGHT, "36598")
    assert look is not None
    next(look)
    assert look.send(told(orders=[{**FOUND, "id": 1}])).target == "/api/Order/searchById"


def test_what_traded_of_a_cancelled_order_is_told() -> None:
    _, found = by(PLACED, "36598", order={**FOUND, "status": 3, "fillVolume": 2})
    assert found is not None
    assert found.progress == Progress(OrderState.CANCELLED, "36598", "Cancelled 2", Decimal(2))


def test_another_number_settles_nothing() -> None:
    assert by(PLACED, "36599", order=FOUND)[1] is None


def closing() -> Request:
    terms = OrderTerms("CON.F.US.EP.U25", Side.SELL, OrderType.MARKET, Decimal(1), "bs-1", "1", reduce_only=True)
    return PROJECTX.unsigned(PROJECTX.express(terms))


CLOSED = {**FOUND, "customTag": None, "type": 2, "side": 1, "size": 1}


def test_a_close_is_the_one_untagged_market_order_of_its_size_and_side() -> None:
    question, found = by(closing(), orders=[FOUND, CLOSED])
    assert question.target == "/api/Order/search"
    assert found is not None
    assert found.status == "Filled"


@pytest.mark.parametrize(
    "orders",
    [
        [],
        [CLOSED, {**CLOSED, "id": 36599}],
        [{**CLOSED, "side": 0}],
        [{**CLOSED, "size": 2}],
        [{**CLOSED, "type": 1}],
        [{**CLOSED, "customTag": "a bot's own"}],
        [{**CLOSED, "contractId": "CON.F.US.MES.U25"}],
        [{**CLOSED, "creationTimestamp": "2027-01-15T07:59:50+00:00"}],
    ],
)
def test_what_may_be_another_order_is_not_taken_for_the_close(orders: list[dict[str, Any]]) -> None:
    assert by(closing(), orders=orders)[1] is None


def test_a_bots_own_close_is_not_looked_for() -> None:
    own = post("Position/partialCloseContract", {"accountId": 1, "contractId": "CON.F.US.EP.U25", "size": 1})
    assert PROJECTX.look(own, PROJECTX.understand(own), lambda: EIGHT) is None


# Cancels


def test_a_cancel_in_doubt_asks_for_its_order_by_number() -> None:
    question = next(look_at(CANCELLED))
    assert question.target == "/api/Order/searchById"
    assert json.loads(question.body) == {"accountId": 1, "orderId": 36598}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(3, Outcome.OK), (2, Outcome.REJECTED), (4, Outcome.REJECTED), (5, Outcome.REJECTED), (1, None), (7, None)],
)
def test_a_cancel_is_told_by_what_became_of_its_order(status: int, outcome: Outcome | None) -> None:
    found = finding(CANCELLED, told(order={**FOUND, "status": status}))
    assert found is not None
    answered = found.answer and PROJECTX.classify(PROJECTX.understand(CANCELLED), found.answer).outcome
    assert answered == outcome


@pytest.mark.parametrize("order", [None, {**FOUND, "id": 1}, []])
def test_a_cancel_whose_order_is_not_told_settles_nothing(order: Any) -> None:
    assert finding(CANCELLED, told(order=order)) is None
