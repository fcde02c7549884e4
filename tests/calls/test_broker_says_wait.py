"""A broker that asks to wait: who waits, for how long, and who may go on."""

import asyncio
from email.utils import formatdate
from typing import Any

import pytest

from sidecar.calls.model import Result
from sidecar.telemetry.events import GateShut
from sidecar.words import BreakerState, Outcome, RefusalKind, Why
from tests.calls.scripted import CANCEL, DEFINITE, FILLED, READ, Bench, answer, order

TOO_MANY_ORDERS = answer(
    429, {"code": -1015, "msg": "Too many new orders; current limit is 300 orders per TEN_SECONDS."}
)

MID_WINDOW = 3.0
"""The clock starts where a window does; at a boundary nobody could say which window is full."""


def test_used_up_orders_of_the_account_do_not_stop_a_cancel() -> None:
    bench = Bench([TOO_MANY_ORDERS, FILLED], retry={"attempts": 1})
    bench.call(order())
    assert bench.call(CANCEL).fate.header() == b"ok; attempts=1"
    assert not bench.events(GateShut)


def test_used_up_orders_of_the_account_keep_the_next_order_until_their_window_ends() -> None:
    bench = Bench([TOO_MANY_ORDERS, FILLED], retry={"attempts": 1})
    bench.clock.advance(MID_WINDOW)
    bench.call(order())
    refused = bench.call(order(), deadline=5)
    assert (refused.fate.outcome, refused.fate.attempts, refused.fate.why) == (
        Outcome.RATE_LIMITED,
        0,
        RefusalKind.RATE_LIMITED,
    )
    assert bench.call(order(), deadline=20).fate.outcome is Outcome.OK
    # The window ends after ten seconds, and clocks may be a second apart.
    assert bench.wire.sent_at[1] == pytest.approx(11.0, abs=0.01)


def test_an_order_that_was_one_too_many_is_retried_when_the_window_has_turned() -> None:
    bench = Bench([TOO_MANY_ORDERS, FILLED], retry={"jitter": 0})
    bench.clock.advance(MID_WINDOW)
    assert bench.call(order(), deadline=20).fate.outcome is Outcome.OK
    assert bench.wire.sent_at[1] == pytest.approx(11.0, abs=0.01)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_retry_after_counts_whatever_the_status_is_that_it_comes_with(status: int) -> None:
    bench = Bench([answer(status, "<html>Bad Gateway</html>", Retry_After="5"), FILLED])
    assert bench.call(READ).fate.outcome is Outcome.OK
    assert bench.wire.sent_at[1] - bench.wire.sent_at[0] >= 5.1


def test_a_retry_after_that_is_a_date_is_never_early() -> None:
    bench = Bench([FILLED])
    at = formatdate(bench.clock.now() + 7, usegmt=True)
    bench.wire.script = [answer(503, {"code": 0, "msg": "Service Unavailable."}, Retry_After=at), FILLED]
    assert bench.call(order()).fate.outcome is Outcome.OK
    assert bench.wire.sent_at[1] >= 7.0


@pytest.mark.parametrize("seconds", ["99999999999", "1" + "0" * 300])
def test_a_broken_retry_after_keeps_the_gate_shut_for_days_and_not_for_ever(seconds: str) -> None:
    bench = Bench([answer(429, {"code": -1003, "msg": "Too many requests."}, Retry_After=seconds), FILLED])
    bench.call(READ, deadline=5)
    bench.clock.advance(3 * 86_400 - 60)
    assert bench.call(CANCEL, deadline=5).fate.outcome is Outcome.RATE_LIMITED
    bench.clock.advance(60)
    assert bench.call(CANCEL, deadline=5).fate.outcome is Outcome.OK


def test_a_broken_retry_after_keeps_a_breaker_open_for_days_and_not_for_ever() -> None:
    bench = Bench([answer(503, {"code": 0, "msg": "Service Unavailable."}, Retry_After="1e300")], retry={"attempts": 1})
    for _ in range(5):
        bench.call(order())
    bench.clock.advance(4 * 86_400)
    bench.wire.script = [FILLED]
    assert bench.call(order()).fate.outcome is Outcome.OK


def test_a_probe_that_waits_for_a_limit_does_not_keep_the_others_out() -> None:
    windows: dict[str, Any] = {"orders_10s": {"capacity": 5}}
    bench = Bench(
        [DEFINITE], retry={"attempts": 1}, breaker={"recovery_seconds": 1}, limits={"windows": windows, "wait_at": 1}
    )

    async def main() -> list[Result]:
        for _ in range(5):
            await bench.gateway.run(order())
        await bench.clock.sleep(2)
        bench.wire.script = [FILLED]
        waiting = asyncio.create_task(bench.gateway.run(order(), deadline_seconds=30))
        await bench.clock.sleep(0.1)
        lookup = type(READ)("GET", "/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=mine", ())
        return [await bench.gateway.run(lookup), await waiting]

    lookup, waited = bench.clock.run(main())
    assert (lookup.fate.outcome, waited.fate.outcome) == (Outcome.OK, Outcome.OK)
    assert bench.gateway.controls.reading().breakers[1].state is BreakerState.CLOSED


def test_a_refused_retry_gives_the_brokers_own_answer_back() -> None:
    bench = Bench([TOO_MANY_ORDERS], retry={"jitter": 0})
    bench.clock.advance(MID_WINDOW)
    result = bench.call(order(), deadline=5)
    assert result.answer is TOO_MANY_ORDERS
    assert (result.fate.outcome, result.fate.attempts, result.fate.why) == (Outcome.RATE_LIMITED, 1, Why.DEADLINE)
