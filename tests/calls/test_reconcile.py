"""An order in doubt is looked up by its id: a finding is the truth, and none proves nothing."""

import asyncio
import json
from typing import Any

import pytest

from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.telemetry.events import CallFinished, OrderLookedUp
from sidecar.wire import Answer, Request
from sidecar.words import LookResult, Outcome, Why
from tests.calls.scripted import AMBIGUOUS, DEFINITE, Bench, Step, answer, order

NOW = 1_800_000_000
RESET = MaybeSent("reset", "ServerDisconnectedError")
ABSENT = answer(400, {"code": -2013, "msg": "Order does not exist."})
TOO_LATE = answer(400, {"code": -2011, "msg": "Unknown order sent."})
BUSY = answer(503, {"code": 0, "msg": "Service Unavailable."})
LOOKUP = {"key": "k", "secret": "s", "use": "lookup"}
MINE = order(newClientOrderId="mine", timestamp="1", signature="x")
CANCEL = Request("DELETE", "/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=mine&timestamp=1&signature=x", ())


def found(status: str = "FILLED", at: float = NOW, side: str = "BUY") -> Answer:
    return answer(
        200,
        {"orderId": 7, "clientOrderId": "mine", "status": status, "side": side, "time": int(at * 1000)},
        Content_Type="application/json",
    )


def bench(*script: Step, **settings: Any) -> Bench:
    return Bench(script, **{"credentials": LOOKUP, **settings})


@pytest.mark.parametrize("failure", [AMBIGUOUS, RESET, answer(502, "<html>"), answer(200, '{"orderId"')])
def test_an_executed_order_whose_answer_was_lost_is_told_as_done(failure: Step) -> None:
    world = bench(failure, truth := found())
    result = world.call(MINE)
    assert result.answer is truth
    assert result.fate.header() == b"ok; attempts=1; waited=0.25; reconciled"


def test_the_order_is_asked_for_by_its_id_and_signed_by_the_sidecar() -> None:
    world = bench(RESET, found())
    world.call(MINE)
    placed, asked = world.wire.requests
    assert placed is MINE
    assert asked.method == "GET"
    assert asked.target.startswith("/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=mine&recvWindow=5000&timestamp=")
    assert (b"X-MBX-APIKEY", b"k") in asked.headers


def test_a_conditional_order_is_asked_for_where_those_live() -> None:
    truth = answer(200, {"algoId": 5, "algoStatus": "NEW", "side": "SELL", "createTime": NOW * 1000})
    world = bench(RESET, truth)
    placed = Request("POST", "/fapi/v1/algoOrder?symbol=BTCUSDT&side=SELL&clientAlgoId=stop-1", ())
    assert world.call(placed).answer is truth
    assert world.wire.requests[1].target.startswith("/fapi/v1/algoOrder?clientAlgoId=stop-1&")


def test_an_order_that_is_not_visible_at_once_is_looked_for_again() -> None:
    world = bench(RESET, ABSENT, ABSENT, BUSY, found())
    assert world.call(MINE).fate.outcome is Outcome.OK
    results = [event.result for event in world.events(OrderLookedUp)]
    assert results == [LookResult.NOT_FOUND, LookResult.NOT_FOUND, LookResult.FAILED, LookResult.FOUND]
    assert world.wire.sent_at == pytest.approx([0, 0.35, 0.95, 2.05, 4.15])


@pytest.mark.parametrize("looks", [ABSENT, BUSY, RESET, NotSent("connect", "x"), answer(200, "[]"), answer(401, "")])
def test_an_order_that_is_never_found_stays_unknown_and_is_never_called_rejected(looks: Step) -> None:
    world = bench(AMBIGUOUS, looks)
    result = world.call(MINE)
    assert result.answer is AMBIGUOUS
    assert (result.fate.outcome, result.fate.why, result.fate.reconciled) == (Outcome.UNKNOWN, Why.UNSAFE, False)
    assert len(world.events(OrderLookedUp)) == 5
    assert [request.method for request in world.wire.requests].count("POST") == 1


def test_the_looks_end_before_the_caller_goes() -> None:
    world = bench(RESET, ABSENT)
    assert world.call(MINE, deadline=2.0).fate.outcome is Outcome.UNKNOWN
    assert world.clock.monotonic() < 2.0
    assert len(world.events(OrderLookedUp)) == 2


@pytest.mark.parametrize("other", [found(at=NOW - 10), found(side="SELL")], ids=["an older one", "another side"])
def test_another_order_of_the_same_id_is_not_taken_for_it(other: Answer) -> None:
    world = bench(RESET, other)
    assert world.call(MINE).fate.outcome is Outcome.UNKNOWN


def test_the_age_of_an_order_goes_by_the_brokers_clock() -> None:
    ahead = answer(503, {"msg": "Unknown error, please check your request or try again later."})
    ahead = Answer(503, ((b"Date", b"Fri, 15 Jan 2027 08:10:00 GMT"),), ahead.body)  # ten minutes ahead
    world = bench(ahead, found(at=NOW))
    assert world.call(MINE).fate.outcome is Outcome.UNKNOWN
    world = bench(ahead, found(at=NOW + 600))
    assert world.call(MINE).fate.outcome is Outcome.OK


def test_without_keys_a_binance_order_in_doubt_is_told_as_unknown_at_once() -> None:
    world = bench(RESET, found(), credentials={})
    assert world.call(MINE).fate.outcome is Outcome.UNKNOWN
    assert world.attempts == 1


def test_an_order_without_an_id_is_told_as_unknown_at_once() -> None:
    world = bench(RESET, found())
    assert world.call(order()).fate.outcome is Outcome.UNKNOWN
    assert world.attempts == 1


def test_a_definite_failure_is_not_looked_up() -> None:
    world = bench(DEFINITE, retry={"attempts": 2})
    world.call(MINE)
    assert world.events(OrderLookedUp) == []


def test_an_open_breaker_does_not_keep_an_order_from_being_looked_up() -> None:
    world = bench(RESET, found(), breaker={"failures": 1})
    assert world.call(MINE).fate.outcome is Outcome.OK


def test_a_shut_gate_does() -> None:
    banned = answer(418, {"code": -1003, "msg": "Way too many requests."}, Retry_After="600")
    world = bench(RESET, banned)
    assert world.call(MINE).fate.outcome is Outcome.UNKNOWN
    assert world.attempts == 2


def test_a_bot_that_leaves_during_the_looks_leaves_an_unknown_outcome_on_the_record() -> None:
    world = bench(RESET, ABSENT)

    async def main() -> None:
        task = asyncio.create_task(world.gateway.run(MINE))
        await world.clock.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    world.clock.run(main())
    assert world.finished.outcome is Outcome.UNKNOWN


def test_the_record_says_that_the_truth_was_asked_for() -> None:
    world = bench(RESET, found())
    world.call(MINE)
    finished: CallFinished = world.finished
    assert (finished.outcome, finished.reconciled, finished.attempts) == (Outcome.OK, True, 1)
    assert OrderLookedUp("binance", "place_order", 1, LookResult.FOUND, "FILLED") in world.told


# Cancels


def test_a_cancel_in_doubt_whose_order_is_cancelled_is_told_as_done() -> None:
    world = bench(RESET, truth := found("CANCELED", at=NOW - 60))
    result = world.call(CANCEL)
    assert (result.answer, result.fate.outcome) == (truth, Outcome.OK)


def test_a_cancel_in_doubt_whose_order_has_filled_is_told_as_the_exchange_would() -> None:
    world = bench(RESET, found("FILLED", at=NOW - 60))
    result = world.call(CANCEL)
    assert (result.answer.status, json.loads(result.answer.body)["code"]) == (400, -2011)
    assert (result.fate.outcome, result.fate.reconciled) == (Outcome.REJECTED, True)


def test_a_cancel_in_doubt_whose_order_is_still_open_stays_unknown() -> None:
    world = bench(RESET, found("NEW", at=NOW - 60))
    assert world.call(CANCEL).fate.outcome is Outcome.UNKNOWN


def test_a_cancel_that_came_too_late_tells_what_became_of_the_order() -> None:
    world = bench(TOO_LATE, found("FILLED", at=NOW - 60))
    result = world.call(CANCEL)
    assert result.answer is TOO_LATE
    assert result.fate.header() == b"rejected; attempts=1; order=filled"


def test_a_cancel_by_order_id_needs_no_client_id() -> None:
    world = bench(RESET, found("CANCELED"))
    by_id = Request("DELETE", "/fapi/v1/order?symbol=BTCUSDT&orderId=7", ())
    assert world.call(by_id).fate.outcome is Outcome.OK
    assert "orderId=7" in world.wire.requests[1].target
