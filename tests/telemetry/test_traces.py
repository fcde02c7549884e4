"""A finished call becomes one SERVER span and one CLIENT span an attempt, and tells no secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sidecar.clock import VirtualClock
from sidecar.config.model import Otlp, Telemetry
from sidecar.telemetry import events
from sidecar.telemetry.events import Bus, CallFinished, Event, Stamped, TraceContext
from sidecar.telemetry.traces import Traces
from sidecar.words import BreakerState, Effect, OperationState, Outcome, Priority, Why
from tests.telemetry.seen_samples import ATTEMPT, BOT_SPAN_ID, CALL, FAILED, REFUSED_CALL, SAMPLES, SHAPE, T0, TRACE_ID

TELEMETRY = Telemetry(otlp=Otlp(endpoint="http://collector.example.com:4318"))

RETRIED = replace(
    CALL,
    attempts=2,
    waited=0.5,
    seconds=0.55,
    trail=(
        Stamped(T0 + 0.021, FAILED),
        Stamped(T0 + 0.022, SAMPLES[events.BreakerTransition]),
        Stamped(T0 + 0.023, SAMPLES[events.RetryScheduled]),
        Stamped(T0 + 0.545, replace(ATTEMPT, number=2, started=T0 + 0.525)),
    ),
)


def spans_of(
    *calls: Event, telemetry: Telemetry = TELEMETRY, environment: Mapping[str, str] | None = None
) -> list[ReadableSpan]:
    """What is exported when these calls finish."""
    exporter = InMemorySpanExporter()
    traces = Traces(
        telemetry, [SHAPE], bot="momentum", version="9.8.7", environment=environment or {}, exporter=exporter
    )
    bus = Bus(VirtualClock())
    traces.subscribe(bus)
    for call in calls:
        bus.emit(call)
    traces.shutdown(10)
    return list(exporter.get_finished_spans())


def call_span(call: CallFinished) -> ReadableSpan:
    (span,) = (span for span in spans_of(call) if span.kind is SpanKind.SERVER)
    return span


def attempt_spans(call: CallFinished) -> list[ReadableSpan]:
    return [span for span in spans_of(call) if span.kind is SpanKind.CLIENT]


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def event_names(span: ReadableSpan) -> list[str]:
    return [event.name for event in span.events]


def nanoseconds(seconds: float) -> object:
    return pytest.approx(seconds * 1e9, abs=1000)


def test_a_call_is_one_server_span_with_one_client_span_an_attempt() -> None:
    names = [(span.kind, span.name) for span in spans_of(RETRIED)]
    assert names == [
        (SpanKind.CLIENT, "GET get_account"),
        (SpanKind.CLIENT, "GET get_account"),
        (SpanKind.SERVER, "binance get_account"),
    ]


def test_the_spans_of_a_call_hang_together() -> None:
    *attempts, call = spans_of(RETRIED)
    assert {span.context.trace_id for span in (*attempts, call)} == {TRACE_ID}
    assert [span.parent and span.parent.span_id for span in attempts] == [call.context.span_id] * 2
    assert len({span.context.span_id for span in (*attempts, call)}) == 3


def test_a_call_without_a_trace_of_the_bots_is_the_root_of_the_trace_chosen_at_receipt() -> None:
    span = call_span(CALL)
    assert span.parent is None
    assert span.context.trace_id == TRACE_ID


def test_the_bots_trace_is_continued_with_its_state() -> None:
    continued = replace(CALL, trace=TraceContext(TRACE_ID, BOT_SPAN_ID, sampled=True, state="vendor=1"))
    span = call_span(continued)
    assert span.parent is not None
    assert (span.parent.span_id, span.parent.is_remote) == (BOT_SPAN_ID, True)
    assert span.context.trace_id == TRACE_ID
    assert span.context.trace_state.to_header() == "vendor=1"


def test_what_has_to_do_with_a_call_in_another_trace_is_a_link() -> None:
    span = call_span(replace(CALL, trace=TraceContext(TRACE_ID, 0, sampled=True, links=((77, 5),))))
    assert [(link.context.trace_id, link.context.span_id) for link in span.links] == [(77, 5)]


def test_an_operation_is_a_span_at_its_beginning_and_linked_ones_afterwards() -> None:
    begun = SAMPLES[events.OperationTraced]
    assert isinstance(begun, events.OperationTraced)
    trace = TraceContext(TRACE_ID, begun.span_id, sampled=True)
    ended = replace(begun, part="ended", trace=trace, state=OperationState.FAILED, at=T0 + 9)
    first, last = spans_of(begun, ended)
    assert (first.context.span_id, first.parent and first.parent.span_id) == (7, BOT_SPAN_ID)
    assert (first.start_time, first.end_time) == (nanoseconds(T0), nanoseconds(T0))
    assert [link.context for link in last.links] == [last.parent]
    assert (last.parent and last.parent.span_id, last.context.trace_id) == (7, TRACE_ID)
    assert (last.start_time, last.end_time) == (nanoseconds(T0), nanoseconds(T0 + 9))
    assert last.status.status_code is StatusCode.ERROR


def test_spans_carry_the_times_of_what_they_stand_for() -> None:
    _, second, call = spans_of(RETRIED)
    assert (call.start_time, call.end_time) == (nanoseconds(T0), nanoseconds(T0 + 0.55))
    assert (second.start_time, second.end_time) == (nanoseconds(T0 + 0.525), nanoseconds(T0 + 0.545))


def test_resends_are_numbered_from_the_second_attempt_on() -> None:
    first, second = attempt_spans(RETRIED)
    assert "http.request.resend_count" not in attributes(first)
    assert attributes(second)["http.request.resend_count"] == 1


def test_an_attempt_names_the_server_without_path_or_query() -> None:
    (span,) = attempt_spans(CALL)
    assert attributes(span)["server.address"] == "fapi.example.com"
    assert attributes(span)["server.port"] == 443
    assert "prefix" not in span.to_json()


def test_a_failed_attempt_is_an_error_of_its_outcomes_type() -> None:
    first, second = attempt_spans(RETRIED)
    assert first.status.status_code is StatusCode.ERROR
    assert attributes(first)["error.type"] == "transient"
    assert attributes(first)["sidecar.reason"] == "server_error"
    assert attributes(first)["sidecar.code"] == "-1001"
    assert attributes(first)["http.response.status_code"] == 503
    assert second.status.status_code is StatusCode.UNSET
    assert "error.type" not in attributes(second)


def test_an_attempt_without_an_answer_has_no_status_code() -> None:
    lost = replace(FAILED, status=None, reason="reset")
    (span,) = attempt_spans(replace(CALL, trail=(Stamped(T0, lost),)))
    assert "http.response.status_code" not in attributes(span)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_calls_error_type_is_the_outcome_that_its_metric_has(outcome: Outcome) -> None:
    expected = None if outcome is Outcome.OK else outcome.value
    assert attributes(call_span(replace(CALL, outcome=outcome))).get("error.type") == expected


@pytest.mark.parametrize("outcome", Outcome)
def test_a_call_is_an_error_unless_the_broker_answered_yes_or_no(outcome: Outcome) -> None:
    is_error = call_span(replace(CALL, outcome=outcome)).status.status_code is StatusCode.ERROR
    assert is_error is (outcome not in {Outcome.OK, Outcome.REJECTED})


def test_a_call_tells_its_fate() -> None:
    told = attributes(call_span(replace(RETRIED, outcome=Outcome.TRANSIENT, why=Why.BUDGET, status=503)))
    expected = {
        "http.request.method": "GET",
        "http.response.status_code": 503,
        "sidecar.call_id": CALL.id,
        "sidecar.broker": "binance",
        "sidecar.endpoint": "get_account",
        "sidecar.group": "accounts",
        "sidecar.effect": "read",
        "sidecar.priority": "account",
        "sidecar.outcome": "transient",
        "sidecar.attempts": 2,
        "sidecar.waited": 0.5,
        "sidecar.why": "budget",
        "sidecar.source": "broker",
    }
    assert {name: told.get(name) for name in expected} == expected


def test_a_call_that_never_reached_the_broker_is_a_span_without_attempts() -> None:
    (span,) = spans_of(REFUSED_CALL)
    assert attributes(span)["sidecar.why"] == "breaker_open"
    assert attributes(span)["sidecar.source"] == "sidecar"


def test_limit_readings_are_attributes_of_the_attempt_that_read_them() -> None:
    first, second = attempt_spans(RETRIED)
    assert not [name for name in attributes(first) if name.startswith("sidecar.limit")]
    assert attributes(second)["sidecar.limit.weight_1m.used"] == 480
    assert attributes(second)["sidecar.limit.weight_1m.capacity"] == 2400


def test_what_an_answer_caused_is_an_event_on_that_attempts_span() -> None:
    first, second, call = spans_of(RETRIED)
    assert event_names(first) == ["breaker_transition"]
    assert event_names(second) == []
    assert event_names(call) == ["retry_scheduled"]
    (transition,) = first.events
    assert transition.timestamp == nanoseconds(T0 + 0.022)
    assert dict(transition.attributes or {}) == {
        "sidecar.group": "orders",
        "sidecar.from_state": "closed",
        "sidecar.to_state": "open",
        "sidecar.reason": "failures",
        "sidecar.retry_in": 60.0,
    }


def test_what_an_answer_caused_belongs_to_it_even_when_told_before_it() -> None:
    shut = Stamped(T0 + 0.02, SAMPLES[events.GateShut])
    attempt, call = spans_of(replace(CALL, trail=(shut, *CALL.trail)))
    assert event_names(attempt) == ["gate_shut"]
    assert event_names(call) == []


def test_a_breaker_that_tries_again_is_an_event_on_the_calls_span() -> None:
    recovery = events.BreakerTransition("binance", "accounts", BreakerState.OPEN, BreakerState.HALF_OPEN, "recovery")
    attempt, call = spans_of(replace(CALL, trail=(*CALL.trail, Stamped(T0 + 0.0212, recovery))))
    assert event_names(call) == ["breaker_transition"]
    assert event_names(attempt) == []


def test_a_wait_for_a_limit_is_an_event_on_the_calls_span() -> None:
    wait = events.LimitWaited("binance", "accounts", Priority.ACCOUNT, 0.4, "weight_1m")
    span = call_span(replace(CALL, waited=0.4, trail=(Stamped(T0, wait), *CALL.trail)))
    (event,) = span.events
    assert event.name == "limit_waited"
    assert dict(event.attributes or {}) == {
        "sidecar.group": "accounts",
        "sidecar.priority": "account",
        "sidecar.seconds": 0.4,
        "sidecar.limit": "weight_1m",
    }


def test_nothing_that_was_asked_or_answered_is_in_any_span() -> None:
    secret = "5up3r-s3cr3t"
    call = replace(
        RETRIED,
        symbol=secret,
        request=(("signature", secret),),
        response=(("apiKey", secret),),
        effect=Effect.OPENS_RISK,
    )
    spans = spans_of(call)
    assert len(spans) == 3
    assert not [span.name for span in spans if secret in span.to_json()]


def resource_of(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Mapping[str, object]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return spans_of(CALL)[0].resource.attributes


def test_the_resource_tells_who_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = resource_of({}, monkeypatch)
    assert resource["service.name"] == "broker-sidecar"
    assert resource["service.version"] == "9.8.7"
    assert resource["sidecar.bot"] == "momentum"


def test_the_standard_variables_name_the_service_and_its_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"OTEL_SERVICE_NAME": "sidecar-eu", "OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=bot-7,service.version=x"}
    resource = resource_of(variables, monkeypatch)
    assert resource["service.name"] == "sidecar-eu"
    assert resource["k8s.pod.name"] == "bot-7"
    assert resource["sidecar.bot"] == "momentum"


def test_a_plain_read_outside_the_share_has_no_spans() -> None:
    none = Telemetry(otlp=TELEMETRY.otlp, sample_ratio=0.0)
    assert spans_of(CALL, telemetry=none) == []
    assert len(spans_of(replace(CALL, effect=Effect.OPENS_RISK), telemetry=none)) == 2


def in_trace(event: Event) -> Sequence[str]:
    """Names of the span events that an event on the trail becomes."""
    return [name for span in spans_of(replace(CALL, trail=(Stamped(T0, event),))) for name in event_names(span)]


@pytest.mark.parametrize("kind", [events.LimitReading, events.Started, events.StreamMessages])
def test_what_is_no_step_of_a_call_is_no_span_event(kind: type) -> None:
    assert in_trace(SAMPLES[kind]) == []
