from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from sidecar.clock import VirtualClock
from sidecar.telemetry import events
from sidecar.telemetry.events import Bus, CallFinished, Event
from sidecar.telemetry.logs import NewsLog
from sidecar.words import BreakerState, DegradationCause, DegradationLevel, Effect, Outcome, RefusalKind
from tests.telemetry.audit_samples import NOON, attempt, call, failed

READ: dict[str, Any] = {"effect": Effect.READ, "audit": "", "endpoint": "get_price", "group": "pricing"}


class Bench:
    """A bus with the log behind it, and what was logged."""

    def __init__(self, logged: list[Any]) -> None:
        self.clock = VirtualClock(NOON)
        self.bus = Bus(self.clock, on_failure=self._raise)
        self.news = NewsLog(600, self.clock)
        self.news.subscribe(self.bus)
        self._logged = logged

    @staticmethod
    def _raise(failure: Exception) -> None:
        raise failure

    def emit(self, *happened: Event) -> list[str]:
        """The sentences that this added."""
        before = len(self._logged)
        for event in happened:
            self.bus.emit(event)
        return [str(line["event"]) for line in self._logged[before:]]

    def close(self) -> list[str]:
        before = len(self._logged)
        self.news.close()
        return [str(line["event"]) for line in self._logged[before:]]

    @property
    def last(self) -> dict[str, Any]:
        line: dict[str, Any] = self._logged[-1]
        return line


@pytest.fixture
def bench() -> Iterator[Bench]:
    with capture_logs() as logged:
        yield Bench(logged)


def timeout(**changes: Any) -> CallFinished:
    return failed(Outcome.TRANSIENT, "timeout", **READ, **changes)


def ok() -> CallFinished:
    return call(**READ)


def breaker(
    to: BreakerState, reason: str = "failures", before: BreakerState = BreakerState.CLOSED, **more: Any
) -> Event:
    return events.BreakerTransition("binance", "pricing", before, to, reason, **more)


def test_calls_that_succeed_are_no_news(bench: Bench) -> None:
    assert bench.emit(ok(), call()) == []


def test_a_failure_is_told_once_and_its_end_with_duration_and_count(bench: Bench) -> None:
    (begin,) = bench.emit(timeout())
    assert begin == "binance pricing: calls fail, and are known not to have been executed (timeout)"
    assert (bench.last["log_level"], bench.last["endpoint"]) == ("warning", "get_price")
    for _ in range(213):
        bench.clock.advance(2.8)
        bench.emit(timeout())
    bench.clock.advance(612 - 213 * 2.8)
    assert bench.emit(ok()) == ["binance pricing: recovered after 10m12s: 214 failures"]
    assert bench.emit(ok()) == []


def test_a_failure_that_goes_on_is_summed_up_every_repeat_seconds(bench: Bench) -> None:
    lines = []
    for _ in range(3600):
        lines += bench.emit(timeout())
        bench.clock.advance(1)
    assert len(lines) == 6
    assert lines[1].endswith("(timeout): 600 failures in the last 10m00s")


def test_what_comes_and_goes_is_told_once_and_then_summed_up(bench: Bench) -> None:
    lines = []
    for _ in range(1199):
        lines += bench.emit(timeout(), ok())
        bench.clock.advance(1)
    assert [line.partition(": ")[2].split(" after ")[0].split(",")[0] for line in lines] == [
        "calls fail",
        "recovered",
        "calls fail",
        "recovered",
    ]
    assert "600 failures in the last 10m00s" in lines[2]


def test_what_was_counted_and_not_told_is_told_at_the_end(bench: Bench) -> None:
    bench.emit(timeout(), timeout(), timeout())
    bench.clock.advance(5)
    (rest,) = bench.close()
    assert rest.endswith("2 failures in the last 5.0s")
    assert bench.close() == []


def test_different_groups_and_reasons_are_different_conditions(bench: Bench) -> None:
    lines = bench.emit(
        timeout(), failed(Outcome.TRANSIENT, "reset", **READ), failed(Outcome.TRANSIENT, "timeout", effect=Effect.READ)
    )
    assert len(lines) == 3
    assert len(bench.emit(ok())) == 2


def test_a_business_rejection_ends_an_outage_but_not_itself(bench: Bench) -> None:
    rejected = failed(Outcome.REJECTED, "declined", **READ)
    bench.emit(timeout())
    assert [line.rpartition(": ")[0] for line in bench.emit(rejected, rejected)] == [
        "binance pricing: recovered after 0.0s",
        "binance pricing",
    ]
    assert len(bench.emit(ok())) == 1


def test_each_order_with_an_unknown_outcome_is_an_error(bench: Bench) -> None:
    lost = failed(Outcome.UNKNOWN, "timeout", request=(("newClientOrderId", "mine-1"), ("apiKey", "hunter2")))
    lines = bench.emit(lost, lost)
    assert len(lines) == 2
    assert "may have been executed" in lines[0]
    assert bench.last["log_level"] == "error"
    assert bench.last["correlation_id"] == "call-1"
    assert bench.last["order"] == {"newClientOrderId": "mine-1"}


def test_refused_credentials_are_one_error_that_says_what_to_do(bench: Bench) -> None:
    lines = bench.emit(*[failed(Outcome.FATAL, "auth", **READ)] * 50)
    assert len(lines) == 1
    assert "check the key" in lines[0]
    assert bench.last["log_level"] == "error"


def test_calls_behind_an_open_breaker_are_counted_in_the_line_that_closes_it(bench: Bench) -> None:
    refused = call(**READ, outcome=Outcome.TRANSIENT, attempts=0, source="sidecar", why=RefusalKind.BREAKER_OPEN)
    opened = bench.emit(breaker(BreakerState.OPEN, retry_in=60.0))
    assert opened == ["binance pricing: the breaker opened (failures), calls are refused; first probe in 1m00s"]
    assert bench.emit(*[refused] * 40) == []
    bench.clock.advance(60)
    assert bench.emit(breaker(BreakerState.HALF_OPEN, "recovery", BreakerState.OPEN)) == []
    assert bench.emit(breaker(BreakerState.CLOSED, "probe_ok", BreakerState.HALF_OPEN)) == [
        "binance pricing: the breaker closed after 1m00s: 1 opening, 40 calls refused meanwhile"
    ]


def test_a_breaker_set_by_hand_is_told_each_time_with_the_reason(bench: Bench) -> None:
    forced = breaker(BreakerState.FORCED_OPEN, "manual", note="broker asked us to")
    assert (
        bench.emit(forced, forced)
        == ["binance pricing: the breaker was set to forced open by hand: broker asked us to"] * 2
    )


def test_a_shut_gate_is_told_with_its_end(bench: Bench) -> None:
    refused = call(**READ, outcome=Outcome.RATE_LIMITED, attempts=0, source="sidecar", why=RefusalKind.RATE_LIMITED)
    assert bench.emit(events.GateShut("binance", Outcome.RATE_LIMITED, 30, NOON + 30)) == [
        "binance: the broker says too many requests; nothing is sent to it for 30s"
    ]
    assert bench.last["until"] == "2026-11-22T12:00:30+00:00"
    assert bench.emit(refused, refused) == []
    bench.clock.advance(30)
    assert bench.emit(events.GateOpened("binance")) == [
        "binance: calls may be sent again after 30s: 1 time, 2 calls refused meanwhile"
    ]


def test_a_ban_is_an_error(bench: Bench) -> None:
    bench.emit(events.GateShut("binance", Outcome.BANNED, 120, NOON + 120))
    assert bench.last["log_level"] == "error"


def test_a_limit_that_crosses_its_warning_each_minute_is_a_handful_of_lines(bench: Bench) -> None:
    lines = []
    for _ in range(60):
        lines += bench.emit(events.LimitThreshold("binance", "weight_1m", 1968, 2400, above=True))
        bench.clock.advance(40)
        lines += bench.emit(events.LimitThreshold("binance", "weight_1m", 5, 2400, above=False))
        bench.clock.advance(20)
    assert lines[:2] == [
        "binance: 1968 of 2400 (82%) of weight_1m is used",
        "binance: weight_1m is back below its warning share after 40s: 1 crossing",
    ]
    assert len(lines) <= 12


def test_learnt_and_reset_limits_are_told(bench: Bench) -> None:
    assert bench.emit(
        events.LimitLearnt("binance", "weight_1m", 2400, 6000), events.LimitReset("binance", "new address")
    ) == [
        "binance: the broker's weight_1m is 6000, not 2400 as assumed",
        "binance: the limits were reset by hand: new address",
    ]


def degradation(before: str, to: str, cause: str = "manual", note: str = "") -> Event:
    levels = DegradationLevel(before), DegradationLevel(to)
    return events.DegradationChanged("binance", *levels, DegradationCause(cause), note)


def test_a_level_that_refuses_orders_is_told_with_what_it_refused(bench: Bench) -> None:
    assert bench.emit(degradation("none", "read_only", note="flat")) == [
        "binance: degradation level read only (by hand: flat); new orders are refused"
    ]
    refused = call(outcome=Outcome.TRANSIENT, attempts=0, source="sidecar", why=RefusalKind.DEGRADED)
    assert bench.emit(*[refused] * 7) == []
    bench.clock.advance(60)
    assert bench.emit(degradation("read_only", "cached_data", "recovery")) == [
        "binance: no longer at degradation level read only after 1m00s: 1 time, 7 calls refused meanwhile"
    ]


def test_a_level_that_refuses_nothing_is_told_when_a_person_set_it(bench: Bench) -> None:
    assert bench.emit(degradation("none", "cached_data", "maintenance")) == []
    assert bench.emit(degradation("cached_data", "none", note="all clear")) == [
        "binance: degradation level none (by hand: all clear)"
    ]


def test_a_remembered_answer_does_not_show_that_the_broker_works_again(bench: Bench) -> None:
    bench.emit(timeout())
    assert bench.emit(call(**READ, source="cache")) == []
    assert len(bench.emit(ok())) == 1


def test_what_changed_no_level_is_no_news(bench: Bench) -> None:
    assert bench.emit(degradation("none", "none", note="to be sure")) == []


def test_a_refused_request_is_told_once(bench: Bench) -> None:
    lines = bench.emit(*[events.CallRefused("", "browser", "tcp")] * 30)
    assert lines == ["tcp listener: refused: a web page tried to use the sidecar"]


def test_a_lost_stream_is_told_until_it_is_open_again(bench: Bench) -> None:
    assert bench.emit(events.StreamClosed("oanda", "pricing", "bot_left")) == []
    assert bench.emit(events.StreamClosed("oanda", "pricing", "lost")) == ["oanda pricing: the stream was lost"]
    bench.clock.advance(3)
    assert bench.emit(events.StreamOpened("oanda", "pricing")) == [
        "oanda pricing: the stream is open again after 3.0s: 1 interruption"
    ]


def test_start_and_stop_are_told(bench: Bench) -> None:
    assert bench.emit(
        events.Started("1.0", "bot", 0.4), events.Stopped("SIGTERM", 0), events.Stopped("SIGTERM", 2)
    ) == [
        "Started after 0.4s",
        "Stopped (SIGTERM)",
        "Stopped (SIGTERM) with 2 calls unfinished: look their orders up at the broker",
    ]


def test_what_a_stop_has_closed_is_told_and_louder_what_it_has_not(bench: Bench) -> None:
    assert bench.emit(
        events.PositionsClosed("binance", ()),
        events.PositionsClosed("binance", ("long 1 BTCUSDT",)),
        events.PositionsClosed("binance", (), ("long 1 BTCUSDT at binance",)),
    ) == [
        "binance: nothing was held at the stop",
        "binance: closed before the stop: long 1 BTCUSDT; nothing is held any more",
        "binance: NOT closed before the stop: long 1 BTCUSDT at binance; closed before the stop: nothing",
    ]


def test_a_ten_minute_outage_with_retries_and_a_breaker_is_a_handful_of_lines() -> None:
    """Two calls a second; each minute the breaker's probe fails, and the broker answers with two kinds of failure."""
    with capture_logs() as logged:
        bench = Bench(logged)

        async def outage() -> None:
            sick = failed(Outcome.MAINTENANCE, "maintenance", **READ, attempts=3)
            down = call(**READ, outcome=Outcome.TRANSIENT, attempts=3, trail=(attempt(3, Outcome.TRANSIENT, "reset"),))
            refused = call(
                **READ, outcome=Outcome.TRANSIENT, attempts=0, source="sidecar", why=RefusalKind.BREAKER_OPEN
            )
            bench.emit(sick, down, sick, down, sick, breaker(BreakerState.OPEN, retry_in=60.0))
            for half_seconds in range(1, 1200):
                await bench.clock.sleep(0.5)
                bench.emit(refused)
                if half_seconds % 120 == 0:
                    bench.emit(
                        breaker(BreakerState.HALF_OPEN, "recovery", BreakerState.OPEN),
                        sick,
                        breaker(BreakerState.OPEN, "probe_failed", BreakerState.HALF_OPEN, retry_in=60.0),
                    )
            await bench.clock.sleep(0.5)
            bench.emit(breaker(BreakerState.CLOSED, "probe_ok", BreakerState.HALF_OPEN), ok())

        bench.clock.run(outage())
        bench.close()
    lines = [str(line["event"]) for line in logged]
    assert len(lines) == 6
    assert lines[3] == "binance pricing: the breaker closed after 10m00s: 10 openings, 1199 calls refused meanwhile"
    assert lines[4] == "binance pricing: recovered after 10m00s: 12 failures"
