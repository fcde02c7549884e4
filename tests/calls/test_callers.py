"""What the caller's own doing means for a call: hanging up, impatience, bytes that make no request, deadlines."""

import asyncio
from typing import Any

import pytest

from sidecar.calls.limiter import Limiter
from sidecar.calls.model import Result
from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.telemetry.events import BreakerTransition, CallFinished, RetryScheduled
from sidecar.wire import Request
from sidecar.words import BreakerState, BrokerState, Outcome, RefusalKind, Why
from tests.calls.scripted import CANCEL, DEFINITE, FILLED, READ, Bench, Step, answer, order

LATE = MaybeSent("timeout", "TimeoutError")
NO_CONNECTION_IN_TIME = NotSent("connect", "TimeoutError")
MALFORMED = NotSent("bad_request", "UnicodeDecodeError")
ONE_ORDER: dict[str, Any] = {"windows": {"orders_10s": {"capacity": 1}}, "wait_at": 1}
ONE_CALL: dict[str, Any] = {"windows": {"weight_1m": {"capacity": 1}}, "wait_at": 1}


def second(bench: Bench, first: Request, request: Request, hangs_up_after: float) -> Result:
    """A call that has to wait behind another one, and whose caller hangs up."""

    async def main() -> Result:
        await bench.gateway.run(first)
        leaves = bench.clock.monotonic() + hangs_up_after
        return await bench.gateway.run(request, deadline_seconds=120, gone=lambda: bench.clock.monotonic() > leaves)

    return bench.clock.run(main())


def test_an_order_whose_bot_hung_up_while_it_waited_for_a_limit_is_not_sent_any_more() -> None:
    bench = Bench([FILLED], limits=ONE_ORDER)
    result = second(bench, order(), order(), hangs_up_after=1)
    assert bench.attempts == 1
    assert (result.fate.outcome, result.fate.attempts, result.fate.why) == (
        Outcome.TRANSIENT,
        0,
        RefusalKind.DEADLINE,
    )


def test_an_order_whose_bot_stays_is_sent_when_its_turn_comes() -> None:
    bench = Bench([FILLED], limits=ONE_ORDER)
    assert second(bench, order(), order(), hangs_up_after=100).fate.outcome is Outcome.OK
    assert bench.attempts == 2


def test_the_place_of_an_order_that_is_not_sent_goes_to_the_next() -> None:
    bench = Bench([FILLED], limits=ONE_ORDER)
    second(bench, order(), order(), hangs_up_after=1)
    assert bench.call(order(), deadline=5).fate.outcome is Outcome.OK


def test_a_retry_is_not_made_for_a_bot_that_has_hung_up() -> None:
    bench = Bench([DEFINITE, FILLED])
    result = bench.clock.run(bench.gateway.run(order(), gone=lambda: bench.attempts > 0))
    assert bench.attempts == 1
    assert (result.fate.outcome, result.fate.why) == (Outcome.TRANSIENT, Why.DEADLINE)


def test_a_cancel_goes_on_when_its_bot_has_hung_up() -> None:
    bench = Bench([FILLED], limits=ONE_CALL)
    assert second(bench, READ, CANCEL, hangs_up_after=1).fate.outcome is Outcome.OK


def test_new_risk_is_not_sent_after_a_wait_that_leaves_no_time_to_hear_of_it() -> None:
    bench = Bench([FILLED], limits=ONE_ORDER)

    async def main() -> Result:
        await bench.gateway.run(order())
        # The window turns after eleven seconds.
        return await bench.gateway.run(order(), deadline_seconds=11.3)

    result = bench.clock.run(main())
    assert (bench.attempts, result.fate.why) == (1, RefusalKind.RATE_LIMITED)


def test_new_risk_is_not_retried_so_late_that_nobody_would_hear_of_it() -> None:
    bench = Bench([DEFINITE, FILLED], retry={"jitter": 0}, takes=0.0)
    assert bench.call(order(), deadline=1.3).fate.why is Why.DEADLINE
    assert bench.attempts == 1


def test_a_cancel_is_sent_even_at_the_last_moment() -> None:
    bench = Bench([DEFINITE, FILLED], retry={"jitter": 0}, takes=0.0)
    assert bench.call(CANCEL, deadline=1.3).fate.outcome is Outcome.OK


@pytest.mark.parametrize("failure", [LATE, NO_CONNECTION_IN_TIME], ids=["no answer", "no connection"])
def test_an_impatient_caller_does_not_open_the_breaker_for_the_others(failure: Step) -> None:
    bench = Bench([failure], takes=1.0, retry={"attempts": 1})
    for _ in range(20):
        bench.call(READ, deadline=0.05)
    assert bench.attempts == 20
    assert not bench.events(BreakerTransition)


def test_an_impatient_probe_leaves_the_breaker_half_open_for_the_next() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 1})
    for _ in range(5):
        bench.call(order())
    bench.clock.advance(100)
    bench.wire.script = [LATE]
    bench.call(order(), deadline=0.05)
    assert bench.gateway.controls.reading().breakers[1].state is BreakerState.HALF_OPEN
    bench.wire.script = [FILLED]
    assert bench.call(order()).fate.outcome is Outcome.OK


def test_answers_that_stay_out_for_patient_callers_open_the_breaker() -> None:
    bench = Bench([LATE], takes=1.0, retry={"attempts": 1})
    for _ in range(5):
        bench.call(READ, deadline=1.0)
    assert [event.to_state for event in bench.events(BreakerTransition)] == [BreakerState.OPEN]


def test_what_cannot_be_put_into_http_is_refused_at_once_and_no_failure_of_the_broker() -> None:
    bench = Bench([MALFORMED])
    for _ in range(20):
        result = bench.call(order())
    assert bench.attempts == 20
    assert result.fate.header() == b"fatal; attempts=0; why=bad_request; from=sidecar"
    assert not bench.events(BreakerTransition)
    assert not bench.events(RetryScheduled)


def test_what_cannot_be_put_into_http_does_not_close_a_breaker_either() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 1})
    for _ in range(5):
        bench.call(order())
    bench.clock.advance(100)
    bench.wire.script = [MALFORMED]
    bench.call(order())
    assert bench.gateway.controls.reading().breakers[1].state is BreakerState.HALF_OPEN


def test_the_time_spent_waiting_in_vain_is_told_as_waiting() -> None:
    bench = Bench([answer(503, "<html>", Retry_After="1")], limits={"wait_at": 1} | ONE_CALL, retry={"attempts": 2})
    bench.call(READ, deadline=1.5)
    assert bench.finished.overhead == pytest.approx(0.0, abs=1e-6)


# What ends a call from inside


def test_an_order_that_a_fault_in_the_sidecar_interrupts_is_on_the_record_as_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench([FILLED])

    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("sidecar.brokers._binance.BinanceProfile.classify", broken)
    with pytest.raises(RuntimeError):
        bench.call(order())
    assert (bench.finished.outcome, bench.finished.attempts) == (Outcome.UNKNOWN, 1)
    assert bench.gateway.controls.reading().in_flight == 0


def test_an_order_that_a_fault_stops_before_it_is_sent_is_on_the_record_as_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench([FILLED])

    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Limiter, "try_acquire", broken)
    with pytest.raises(RuntimeError):
        bench.call(order())
    assert (bench.finished.outcome, bench.finished.attempts) == (Outcome.TRANSIENT, 0)


def test_an_order_cancelled_while_it_pauses_after_a_definite_failure_is_on_the_record_as_not_executed() -> None:
    bench = Bench([DEFINITE], retry={"jitter": 0})

    async def main() -> None:
        task = asyncio.create_task(bench.gateway.run(order()))
        await bench.clock.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    bench.clock.run(main())
    assert [(call.outcome, call.attempts) for call in bench.events(CallFinished)] == [(Outcome.TRANSIENT, 2)]


# The end of the drain


def ended_by_the_stop(bench: Bench, after: float) -> Result:
    """An order that is still under way when the time for the drain is over."""

    async def main() -> Result:
        task = asyncio.create_task(bench.gateway.run(order(newClientOrderId="mine-1")))
        await bench.clock.sleep(after)
        bench.gateway.wind_down()
        task.cancel()
        return await task

    return bench.clock.run(main())


def test_an_order_that_the_stop_finds_waiting_is_told_as_not_executed() -> None:
    bench = Bench([DEFINITE], retry={"jitter": 0})
    result = ended_by_the_stop(bench, after=0.5)
    assert (result.fate.outcome, result.fate.attempts) == (Outcome.TRANSIENT, 1)
    assert b"nothing was changed" in result.answer.body
    assert bench.finished.outcome is Outcome.TRANSIENT


def test_an_order_that_the_stop_finds_at_the_broker_is_told_as_unknown() -> None:
    bench = Bench([FILLED], takes=5)
    result = ended_by_the_stop(bench, after=1)
    assert (result.fate.outcome, result.fate.why) == (Outcome.UNKNOWN, RefusalKind.UNKNOWN)
    assert b"mine-1" in result.answer.body
    assert bench.finished.outcome is Outcome.UNKNOWN
    assert bench.gateway.controls.reading().in_flight == 0


def test_a_look_at_the_broker_ends_with_the_stop() -> None:
    bench = Bench([FILLED], takes=5)

    async def main() -> None:
        looking = asyncio.create_task(bench.gateway.look())
        await bench.clock.sleep(1)
        bench.gateway.wind_down()
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking

    bench.clock.run(main())


def test_what_cannot_be_put_into_http_proves_no_broker_to_be_back_and_leaves_the_look_to_the_next() -> None:
    bench = Bench([answer(503, {"code": 0, "msg": "System is under maintenance."})], retry={"attempts": 1})
    bench.call(order())
    bench.clock.advance(3600)
    bench.wire.script = [MALFORMED]
    bench.call(order())
    assert bench.condition.state is BrokerState.MAINTENANCE
    bench.wire.script = [FILLED]
    assert bench.call(order()).fate.outcome is Outcome.OK
    assert bench.condition.state is BrokerState.OK
