"""One call's way: what is repeated, what never is, what the bot is told, and what is on the record."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.telemetry.events import (
    AttemptFinished,
    BreakerTransition,
    BrokerStateChanged,
    CallFinished,
    GateShut,
    LimitRejected,
    RetryDenied,
    RetryScheduled,
)
from sidecar.words import BrokerState, Outcome, RefusalKind, Why
from tests.calls.scripted import (
    AMBIGUOUS,
    BAD_KEY,
    CANCEL,
    DEFINITE,
    FILLED,
    MARGIN,
    READ,
    Bench,
    Step,
    answer,
    order,
)

REFUSED = NotSent("connect", "ClientConnectorError")
RESET = MaybeSent("reset", "ServerDisconnectedError")
LATE = MaybeSent("timeout", "TimeoutError")


def test_a_good_answer_comes_back_untouched_after_one_attempt() -> None:
    bench = Bench([FILLED])
    result = bench.call(order())
    assert result.answer is FILLED
    assert result.fate.header() == b"ok; attempts=1"


@pytest.mark.parametrize("failure", [DEFINITE, REFUSED], ids=["the broker's definite no", "no connection"])
def test_an_order_that_was_definitely_not_executed_is_sent_again(failure: Step) -> None:
    bench = Bench([failure, FILLED])
    result = bench.call(order())
    assert (result.fate.outcome, result.fate.attempts, bench.attempts) == (Outcome.OK, 2, 2)
    assert [event.attempt for event in bench.events(RetryScheduled)] == [1]


@pytest.mark.parametrize("failure", [AMBIGUOUS, RESET, LATE], ids=["ambiguous 503", "reset", "no answer"])
def test_an_order_that_may_have_been_executed_is_sent_once(failure: Step) -> None:
    bench = Bench([failure, FILLED])
    result = bench.call(order())
    assert (result.fate.outcome, result.fate.why, bench.attempts) == (Outcome.UNKNOWN, Why.UNSAFE, 1)
    assert [event.why for event in bench.events(RetryDenied)] == [Why.UNSAFE]


def test_an_ambiguous_answer_reaches_the_bot_in_the_brokers_words() -> None:
    bench = Bench([AMBIGUOUS])
    result = bench.call(order())
    assert result.answer is AMBIGUOUS
    assert result.fate.header() == b"unknown; attempts=1; why=unsafe"


def test_a_lost_answer_is_told_as_execution_unknown_and_never_as_a_rejection() -> None:
    bench = Bench([RESET])
    result = bench.call(order(newClientOrderId="mine-1"))
    told = json.loads(result.answer.body)
    assert told["code"] == -1007
    assert "mine-1" in told["msg"]
    assert result.fate.source == "sidecar"


@pytest.mark.parametrize("failure", [AMBIGUOUS, RESET, LATE, DEFINITE, REFUSED])
def test_a_read_is_repeated_whatever_went_wrong(failure: Step) -> None:
    bench = Bench([failure, FILLED])
    assert bench.call(READ).fate.outcome is Outcome.OK
    assert bench.attempts == 2


@pytest.mark.parametrize("verdict", [MARGIN, BAD_KEY], ids=["business no", "bad key"])
def test_what_can_never_succeed_is_not_repeated(verdict: Step) -> None:
    bench = Bench([verdict])
    assert bench.call(order()).answer is verdict
    assert bench.attempts == 1


def test_attempts_end_with_the_policy_and_the_brokers_last_answer_goes_back() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 3})
    result = bench.call(order())
    assert result.answer is DEFINITE
    assert result.fate.header().startswith(b"transient; attempts=3; waited=")
    assert result.fate.why is Why.EXHAUSTED


def test_retries_follow_the_presets_delays() -> None:
    bench = Bench([DEFINITE], retry={"jitter": 0}, takes=0.0)
    bench.call(order())
    assert bench.wire.sent_at == pytest.approx([0.0, 1.0, 3.0, 7.0])


def test_no_attempt_starts_after_the_callers_deadline() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 20, "jitter": 0})
    result = bench.call(order(), deadline=4.0)
    assert result.fate.why is Why.DEADLINE
    assert max(bench.wire.sent_at) < 4.0


def test_no_attempt_starts_after_the_signature_has_expired() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 20, "jitter": 0})
    now_ms = int(bench.clock.now() * 1000)
    result = bench.call(order(timestamp=str(now_ms), recvWindow="2000"))
    assert result.fate.why is Why.DEADLINE
    assert max(bench.wire.sent_at) < 2.0


def test_a_signature_that_looks_expired_on_arrival_is_left_to_the_broker_to_judge() -> None:
    bench = Bench([FILLED])
    long_ago = int(bench.clock.now() * 1000) - 60_000
    assert bench.call(order(timestamp=str(long_ago))).fate.outcome is Outcome.OK


def test_a_call_whose_deadline_is_over_is_not_sent() -> None:
    bench = Bench([FILLED])
    result = bench.call(order(), deadline=0.0)
    assert (bench.attempts, result.fate.why) == (0, RefusalKind.DEADLINE)
    assert result.fate.header() == b"transient; attempts=0; why=deadline; from=sidecar"


def test_retry_after_is_honoured_and_never_early() -> None:
    bench = Bench([answer(429, {"code": -1003, "msg": "Too many requests."}, Retry_After="7"), FILLED])
    assert bench.call(order()).fate.outcome is Outcome.OK
    assert bench.wire.sent_at[1] - bench.wire.sent_at[0] >= 7.1


def test_a_rate_limit_shuts_the_gate_for_other_calls_to_the_address() -> None:
    bench = Bench([answer(429, {"code": -1003, "msg": "Too many requests."}, Retry_After="30")])
    bench.call(READ, deadline=5)
    refused = bench.call(order(), deadline=5)
    assert bench.attempts == 1
    assert refused.fate.outcome is Outcome.RATE_LIMITED
    assert refused.fate.attempts == 0
    assert json.loads(refused.answer.body)["code"] == -1003
    assert len(bench.events(GateShut)) == 1
    assert len(bench.events(LimitRejected)) == 1


def test_a_ban_stops_everything_even_cancels_until_it_ends() -> None:
    bench = Bench([FILLED])
    until = int((bench.clock.now() + 120) * 1000)
    bench.wire.script = [answer(418, {"code": -1003, "msg": f"Way too many requests; IP banned until {until}."})]
    bench.call(READ, deadline=5)
    assert bench.call(CANCEL, deadline=5).fate.outcome is Outcome.BANNED
    assert bench.attempts == 1
    bench.clock.advance(121)
    bench.wire.script = [FILLED]
    assert bench.call(CANCEL, deadline=5).fate.outcome is Outcome.OK


def test_five_failures_open_the_breaker_and_the_next_order_is_refused_unsent() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 1})
    for _ in range(5):
        bench.call(order())
    refused = bench.call(order())
    assert bench.attempts == 5
    assert refused.fate.header() == b"transient; attempts=0; why=breaker_open; from=sidecar"
    assert [event.to_state for event in bench.events(BreakerTransition)] == ["open"]


def test_a_cancel_goes_through_an_open_breaker() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 1})
    for _ in range(5):
        bench.call(order())
    bench.wire.script = [FILLED]
    assert bench.call(CANCEL).fate.outcome is Outcome.OK


def test_reading_prices_does_not_suffer_from_an_open_orders_breaker() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 1})
    for _ in range(5):
        bench.call(order())
    bench.wire.script = [FILLED]
    assert bench.call(READ).fate.outcome is Outcome.OK


def test_a_breaker_that_opens_ends_the_retries() -> None:
    bench = Bench([DEFINITE], breaker={"failures": 2}, retry={"attempts": 10})
    result = bench.call(order())
    assert (bench.attempts, result.fate.why) == (2, Why.BREAKER_OPEN)
    assert result.answer is DEFINITE


def test_an_empty_retry_budget_ends_the_retries() -> None:
    bench = Bench([DEFINITE], retry={"budget": 0, "budget_floor": 1, "attempts": 10})
    assert bench.call(order()).fate.why is Why.BUDGET
    assert bench.attempts == 2


def test_a_breaker_that_opens_while_a_call_waits_for_a_limit_still_stops_it() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 1}, limits={"windows": {"orders_10s": {"capacity": 5}}, "wait_at": 1})

    async def main() -> None:
        # The sixth waits for room in the window; meanwhile five fail.
        calls = [bench.gateway.run(order(), deadline_seconds=30) for _ in range(6)]
        results = await asyncio.gather(*calls)
        assert results[5].fate.why is RefusalKind.BREAKER_OPEN

    bench.clock.run(main())
    assert bench.attempts == 5


MAINTENANCE = answer(503, {"code": 0, "msg": "System is under maintenance."})


def test_maintenance_ends_the_retries_and_the_next_calls_are_told_without_being_sent() -> None:
    bench = Bench([MAINTENANCE])
    first = bench.call(order(), deadline=9)
    assert (first.answer, first.fate.why, bench.attempts) == (MAINTENANCE, Why.DEADLINE, 1)
    refused = bench.call(READ, deadline=9)
    assert bench.attempts == 1
    assert refused.fate.header() == b"maintenance; attempts=0; why=maintenance; from=sidecar"
    assert [event.to_state for event in bench.events(BrokerStateChanged)] == ["maintenance"]


def test_the_first_call_after_the_pause_is_the_probe_and_ends_the_maintenance() -> None:
    bench = Bench([MAINTENANCE, FILLED])
    bench.call(order(), deadline=9)
    bench.clock.advance(40)
    assert bench.call(READ).fate.outcome is Outcome.OK
    assert bench.call(order()).fate.outcome is Outcome.OK


def test_a_probe_that_a_limit_keeps_from_being_sent_frees_its_place() -> None:
    bench = Bench([MAINTENANCE, FILLED], limits={"windows": {"orders_10s": {"capacity": 1}}, "wait_at": 1})
    bench.call(order(), deadline=9)
    bench.clock.advance(40)
    bench.wire.script = [answer(429, {"code": -1003, "msg": "Too many requests."}, Retry_After="60")]
    bench.call(CANCEL, deadline=1)
    bench.call(READ, deadline=1)
    bench.clock.advance(61)
    bench.wire.script = [FILLED]
    assert bench.call(READ, deadline=9).fate.outcome is Outcome.OK


def test_a_look_at_the_broker_is_good_when_it_answers_anything_to_the_point() -> None:
    bench = Bench([MAINTENANCE, BAD_KEY])
    bench.call(order(), deadline=9)
    bench.clock.run(bench.gateway.look())
    assert bench.condition.state is BrokerState.OK
    assert bench.wire.requests[-1].target == "/fapi/v1/ping"


def test_the_trail_tells_the_way_in_order() -> None:
    bench = Bench([DEFINITE, FILLED])
    bench.call(order())
    kinds = [type(step.event) for step in bench.finished.trail]
    assert kinds == [AttemptFinished, RetryScheduled, AttemptFinished]


def test_time_is_split_into_the_brokers_the_waits_and_the_sidecars_own() -> None:
    bench = Bench([DEFINITE, FILLED], takes=0.25, retry={"jitter": 0})
    bench.call(order())
    finished = bench.finished
    assert finished.seconds == pytest.approx(1.5)
    assert finished.waited == pytest.approx(1.0)
    assert finished.overhead == pytest.approx(0.0, abs=1e-6)


def test_an_order_whose_bot_is_gone_in_mid_flight_is_on_the_record_as_unknown() -> None:
    bench = Bench([FILLED], takes=5)

    async def main() -> None:
        task = asyncio.create_task(bench.gateway.run(order()))
        await bench.clock.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    bench.clock.run(main())
    assert bench.finished.outcome is Outcome.UNKNOWN
    assert bench.gateway.controls.reading().in_flight == 0


def test_a_cancelled_wait_for_a_limit_leaves_nothing_behind() -> None:
    bench = Bench([FILLED], limits={"windows": {"orders_10s": {"capacity": 1}}, "wait_at": 1})

    async def main() -> None:
        await bench.gateway.run(order())
        waiting = asyncio.create_task(bench.gateway.run(order(), deadline_seconds=60))
        await bench.clock.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await bench.gateway.run(order(), deadline_seconds=60)).fate.outcome is Outcome.OK

    bench.clock.run(main())
    cut_short = bench.events(CallFinished)[1]
    assert (cut_short.outcome, cut_short.attempts) == (Outcome.TRANSIENT, 0)


# What the broker really did at each step, beside what the wire showed of it.
STEPS: dict[str, tuple[Step, bool]] = {
    "filled": (FILLED, True),
    "definite": (DEFINITE, False),
    "throttled": (answer(503, {"code": -1008, "msg": "Request throttled by system-level protection."}), False),
    "internal": (answer(500, {"code": -1001, "msg": "Internal error; unable to process your request."}), False),
    "limited": (answer(429, {"code": -1003, "msg": "Too many requests."}, Retry_After="1"), False),
    "refused": (REFUSED, False),
    "margin": (MARGIN, False),
    "ambiguous, executed": (AMBIGUOUS, True),
    "ambiguous, not executed": (AMBIGUOUS, False),
    "reset before": (RESET, False),
    "reset after": (RESET, True),
    "answer lost": (LATE, True),
    "html": (answer(502, "<html>Bad Gateway</html>"), True),
    "cut short": (answer(200, '{"orderId": 7, "sta'), True),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=8), st.integers(0, 1000))
def test_an_order_is_executed_at_most_once_and_the_bot_is_told_the_truth(names: list[str], seed: int) -> None:
    bench = Bench([STEPS[name][0] for name in names], seed=seed, retry={"attempts": 8, "budget_floor": 100})
    result = bench.call(order())
    happened = [STEPS[names[min(number, len(names) - 1)]][1] for number in range(bench.attempts)]
    assert sum(happened) <= 1
    if result.fate.outcome is Outcome.OK:
        assert sum(happened) == 1
    elif result.fate.outcome is not Outcome.UNKNOWN:
        assert sum(happened) == 0
