"""Events become counts, states become gauges, and everything known is there from the start."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from sidecar.brokers.profile import REASONS
from sidecar.clock import VirtualClock
from sidecar.telemetry import events
from sidecar.telemetry.audit import AuditReadings
from sidecar.telemetry.events import Bus, CallFinished, Event, Stamped
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.state import BrokerShape, GateReading
from sidecar.telemetry.traces import SpanReadings
from sidecar.words import BreakerState, Outcome, Priority, Why
from tests.telemetry.seen_samples import (
    AUDIT,
    CALL,
    FAILED,
    REFUSED_CALL,
    SAMPLES,
    SHAPE,
    STATE,
    T0,
    TRACE_ID,
    shape_reading,
)


class Bench:
    """Metrics on a bus."""

    def __init__(
        self,
        shape: BrokerShape = SHAPE,
        traced: Callable[[CallFinished], bool] = lambda _: False,
        read_audit: Callable[[], AuditReadings] | None = None,
        read_spans: Callable[[], SpanReadings] | None = None,
    ) -> None:
        self.metrics = Metrics(
            [shape], bot="momentum", version="9.8.7", traced=traced, read_audit=read_audit, read_spans=read_spans
        )
        self.bus = Bus(VirtualClock(), on_failure=self.metrics.count_failure)
        self.metrics.subscribe(self.bus)

    def emit(self, *happened: Event) -> "Bench":
        for event in happened:
            self.bus.emit(event)
        return self

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def binance(**labels: str) -> dict[str, str]:
    return {"broker": "binance", **labels}


@pytest.mark.parametrize("name", ["sidecar_calls_total", "sidecar_attempts_total"])
@pytest.mark.parametrize("outcome", Outcome)
def test_every_endpoint_and_outcome_is_counted_from_zero(name: str, outcome: Outcome) -> None:
    for endpoint, _ in SHAPE.endpoints:
        assert Bench().value(name, **binance(endpoint=endpoint, outcome=outcome)) == 0


def test_every_reason_of_a_retry_and_of_its_denial_is_counted_from_zero() -> None:
    bench = Bench()
    for reason in REASONS:
        assert bench.value("sidecar_retries_total", **binance(endpoint="place_order", reason=reason)) == 0
    for why in Why:
        assert bench.value("sidecar_retries_denied_total", **binance(endpoint="place_order", why=why)) == 0


def test_every_change_that_a_breaker_can_make_is_counted_from_zero() -> None:
    opened = binance(group="orders", from_state="closed", to_state="open", reason="slow_calls")
    forced = binance(group="orders", from_state="half_open", to_state="forced_closed", reason="manual")
    assert Bench().value("sidecar_breaker_transitions_total", **opened) == 0
    assert Bench().value("sidecar_breaker_transitions_total", **forced) == 0


@pytest.mark.parametrize("priority", Priority)
def test_refusals_by_a_limit_are_counted_from_zero_for_every_priority(priority: Priority) -> None:
    labels = binance(group="orders", priority=priority.label)
    assert Bench().value("sidecar_rate_limit_rejections_total", **labels) == 0


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("sidecar_rate_limit_readings_total", {"limit": "orders_10s"}),
        ("sidecar_rate_limit_capacity_changes_total", {"limit": "orders_10s"}),
        ("sidecar_rate_limit_threshold_crossings_total", {"limit": "orders_10s", "direction": "up"}),
        ("sidecar_rate_limit_resets_total", {}),
        ("sidecar_rate_limit_gate_closures_total", {"outcome": "banned"}),
        ("sidecar_rate_limit_gate_openings_total", {}),
        ("sidecar_own_answers_total", {"reason": "breaker_open"}),
        ("sidecar_own_answers_total", {"reason": "unsafe"}),
        ("sidecar_stream_messages_total", {"stream": "price_stream"}),
        ("sidecar_stream_reconnects_total", {"stream": "price_stream", "reason": "lost"}),
        ("sidecar_stream_closures_total", {"stream": "price_stream", "reason": "bot_left"}),
        ("sidecar_overhead_seconds_count", {}),
    ],
)
def test_what_alerts_ask_for_is_counted_from_zero(name: str, labels: dict[str, str]) -> None:
    assert Bench().value(name, **binance(**labels)) == 0


def test_refused_requests_and_broken_subscribers_are_counted_from_zero() -> None:
    assert Bench().value("sidecar_refused_requests_total", listener="unix", reason="too_large") == 0
    assert Bench().value("sidecar_telemetry_failures_total") == 0


def test_a_call_is_counted_once_by_its_outcome_and_timed() -> None:
    bench = Bench().emit(CALL, CALL)
    labels = binance(endpoint="get_account", outcome="ok")
    assert bench.value("sidecar_calls_total", **labels) == 2
    assert bench.value("sidecar_call_duration_seconds_count", **labels) == 2
    assert bench.value("sidecar_call_duration_seconds_sum", **labels) == pytest.approx(2 * CALL.seconds)
    assert bench.value("sidecar_overhead_seconds_sum", broker="binance") == pytest.approx(2 * CALL.overhead)


def test_a_duration_on_a_buckets_bound_falls_into_that_bucket() -> None:
    bench = Bench().emit(replace(CALL, seconds=0.025))
    labels = binance(endpoint="get_account", outcome="ok")
    assert bench.value("sidecar_call_duration_seconds_bucket", **labels, le="0.01") == 0
    assert bench.value("sidecar_call_duration_seconds_bucket", **labels, le="0.025") == 1
    assert bench.value("sidecar_call_duration_seconds_bucket", **labels, le="+Inf") == 1


def test_a_duration_beyond_all_buckets_is_still_counted() -> None:
    bench = Bench().emit(replace(CALL, seconds=3600.0))
    labels = binance(endpoint="get_account", outcome="ok")
    assert bench.value("sidecar_call_duration_seconds_bucket", **labels, le="30.0") == 0
    assert bench.value("sidecar_call_duration_seconds_bucket", **labels, le="+Inf") == 1


def test_an_answer_by_the_sidecar_itself_is_counted_with_its_reason() -> None:
    bench = Bench().emit(REFUSED_CALL)
    assert bench.value("sidecar_own_answers_total", **binance(reason="breaker_open")) == 1


def test_an_answer_by_the_broker_is_no_answer_of_the_sidecar() -> None:
    bench = Bench().emit(replace(CALL, outcome=Outcome.TRANSIENT, why=Why.EXHAUSTED))
    assert bench.value("sidecar_own_answers_total", **binance(reason="exhausted")) == 0


def test_an_outcome_at_an_endpoint_that_nobody_knew_is_counted_too() -> None:
    bench = Bench().emit(replace(CALL, endpoint="new_here"))
    assert bench.value("sidecar_calls_total", **binance(endpoint="new_here", outcome="ok")) == 1


def test_a_breakers_change_is_counted_by_what_changed_and_why() -> None:
    bench = Bench().emit(SAMPLES[events.BreakerTransition])
    labels = binance(group="orders", from_state="closed", to_state="open", reason="failures")
    assert bench.value("sidecar_breaker_transitions_total", **labels) == 1


def test_a_breaker_shows_exactly_one_state() -> None:
    bench = Bench()
    states = {
        state: bench.value("sidecar_breaker_state", **binance(group="orders", state=state)) for state in BreakerState
    }
    assert states == {state: float(state is BreakerState.OPEN) for state in BreakerState}


def test_only_an_open_breaker_has_a_next_probe() -> None:
    assert Bench().value("sidecar_breaker_next_probe_timestamp_seconds", **binance(group="orders")) == T0 + 60
    assert Bench().value("sidecar_breaker_next_probe_timestamp_seconds", **binance(group="accounts")) is None


def test_a_limit_shows_what_is_used_what_it_allows_and_when_it_ends() -> None:
    bench, limit = Bench(), binance(limit="weight_1m")
    assert bench.value("sidecar_rate_limit_used", **limit) == 480
    assert bench.value("sidecar_rate_limit_capacity", **limit) == 2400
    assert bench.value("sidecar_rate_limit_exhaustion_seconds", **limit) == 12.5
    assert bench.value("sidecar_rate_limit_reading_timestamp_seconds", **limit) == T0 + 0.02
    assert bench.value("sidecar_rate_limit_waiting", **limit) == 3


def test_a_limit_that_is_never_used_up_says_infinity() -> None:
    assert Bench().value("sidecar_rate_limit_exhaustion_seconds", **binance(limit="orders_10s")) == math.inf


def test_a_limit_without_a_reading_has_no_time_of_one() -> None:
    assert Bench().value("sidecar_rate_limit_reading_timestamp_seconds", **binance(limit="orders_10s")) is None


def test_new_risk_that_waits_for_the_start_up_checks_is_told() -> None:
    now = [replace(STATE, held="authentication: the broker refuses the key")]
    bench = Bench(shape=replace(SHAPE, read=lambda: now[0]))
    assert bench.value("sidecar_new_risk_held", broker="binance") == 1
    now[0] = STATE
    assert bench.value("sidecar_new_risk_held", broker="binance") == 0


def test_the_gate_tells_when_it_opens_only_while_it_is_shut() -> None:
    opened = replace(STATE, gate=GateReading(shut=False, outcome="", until=None))
    now = [STATE]
    bench = Bench(shape=replace(SHAPE, read=lambda: now[0]))
    assert bench.value("sidecar_rate_limit_gate_shut", broker="binance") == 1
    assert bench.value("sidecar_rate_limit_gate_opening_timestamp_seconds", broker="binance") == T0 + 120
    now[0] = opened
    assert bench.value("sidecar_rate_limit_gate_shut", broker="binance") == 0
    assert bench.value("sidecar_rate_limit_gate_opening_timestamp_seconds", broker="binance") is None


def test_calls_in_flight_and_the_retry_budget_are_read_at_the_scrape() -> None:
    bench = Bench(shape=shape_reading(replace(STATE, in_flight=17, retry_budget=2.5)))
    assert bench.value("sidecar_calls_in_flight", broker="binance") == 17
    assert bench.value("sidecar_retry_budget_remaining", broker="binance") == 2.5


def test_a_stream_that_opens_again_is_a_reconnect_for_the_reason_of_its_end() -> None:
    stream = binance(stream="price_stream")
    bench = Bench().emit(SAMPLES[events.StreamOpened])
    assert bench.value("sidecar_stream_reconnects_total", **stream, reason="lost") == 0
    bench.emit(SAMPLES[events.StreamClosed], SAMPLES[events.StreamOpened])
    assert bench.value("sidecar_stream_reconnects_total", **stream, reason="lost") == 1


def test_a_second_stream_beside_an_open_one_is_no_reconnect() -> None:
    bench = Bench().emit(SAMPLES[events.StreamOpened], SAMPLES[events.StreamOpened])
    assert bench.value("sidecar_streams_open", **binance(stream="price_stream")) == 2
    assert bench.value("sidecar_stream_reconnects_total", **binance(stream="price_stream", reason="lost")) == 0


def test_a_streams_messages_are_counted_and_the_newest_dated() -> None:
    bench = Bench().emit(SAMPLES[events.StreamMessages], SAMPLES[events.StreamMessages])
    assert bench.value("sidecar_stream_messages_total", **binance(stream="price_stream")) == 14
    assert bench.value("sidecar_stream_last_message_timestamp_seconds", **binance(stream="price_stream")) == T0 + 5


def test_a_stream_that_never_spoke_has_no_newest_message() -> None:
    assert Bench().value("sidecar_stream_last_message_timestamp_seconds", **binance(stream="price_stream")) is None


def test_version_and_bot_are_told() -> None:
    assert Bench().value("sidecar_info", version="9.8.7", bot="momentum") == 1


def test_a_subscriber_that_fails_is_counted() -> None:
    bench = Bench()

    def broken(_: CallFinished) -> None:
        raise ValueError

    bench.bus.subscribe(CallFinished, broken)
    bench.emit(CALL)
    assert bench.value("sidecar_telemetry_failures_total") == 1


def test_the_audit_log_and_the_trace_export_tell_how_they_fare() -> None:
    bench = Bench(read_audit=lambda: AUDIT, read_spans=lambda: SpanReadings(exported=5, failed=4, dropped=3))
    assert bench.value("sidecar_audit_lines_total") == 11
    assert bench.value("sidecar_audit_dropped_events_total") == 2
    assert bench.value("sidecar_audit_chain_intact") == 1
    assert bench.value("sidecar_spans_total", result="exported") == 5
    assert bench.value("sidecar_spans_total", result="failed") == 4
    assert bench.value("sidecar_spans_total", result="dropped") == 3


def test_an_audit_log_that_never_wrote_has_no_time_of_writing() -> None:
    bench = Bench(read_audit=lambda: replace(AUDIT, last_write=None))
    assert bench.value("sidecar_audit_last_write_timestamp_seconds") is None


def test_the_process_tells_its_memory_and_processor_time() -> None:
    bench = Bench()
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        value = bench.value(name)
        assert value is not None
        assert value > 0


def exemplar_lines(bench: Bench) -> list[str]:
    text, _ = bench.metrics.exposition("application/openmetrics-text")
    return [line for line in text.decode().splitlines() if " # " in line]


def test_a_traced_calls_durations_name_its_trace() -> None:
    waited = events.LimitWaited("binance", "accounts", Priority.ACCOUNT, 0.4, "weight_1m")
    call = replace(CALL, waited=0.4, trail=(Stamped(T0, waited), *CALL.trail))
    bench = Bench(traced=lambda _: True).emit(waited, *(step.event for step in CALL.trail), call)
    lines = exemplar_lines(bench)
    assert [line.split("{")[0] for line in lines] == [
        "sidecar_call_duration_seconds_bucket",
        "sidecar_overhead_seconds_bucket",
        "sidecar_attempt_duration_seconds_bucket",
        "sidecar_rate_limit_wait_seconds_bucket",
    ]
    assert all(f'trace_id="{TRACE_ID:032x}"' in line for line in lines)


def test_a_call_that_is_not_traced_names_no_trace() -> None:
    assert exemplar_lines(Bench(traced=lambda _: False).emit(FAILED, CALL)) == []


def test_the_newest_trace_of_a_bucket_is_named() -> None:
    newer = replace(CALL, trace=replace(CALL.trace, trace_id=TRACE_ID + 1))
    lines = exemplar_lines(Bench(traced=lambda _: True).emit(CALL, newer))
    assert lines
    assert all(f"{TRACE_ID + 1:032x}" in line for line in lines)


def test_no_label_ever_carries_a_symbol_an_id_or_what_was_asked() -> None:
    secret = "BTCUSDT-4711"
    asked, answered = (("symbol", secret),), (("orderId", secret),)
    told = replace(CALL, id=secret, symbol=secret, request=asked, response=answered, audit=secret)
    note = events.BreakerTransition("binance", "orders", BreakerState.OPEN, BreakerState.CLOSED, "manual", note=secret)
    bench = Bench(traced=lambda _: True).emit(told, note, events.LimitReset("binance", secret))
    for accept in ("", "application/openmetrics-text"):
        assert secret not in bench.metrics.exposition(accept)[0].decode()
