"""The bytes that go to a collector are those that OpenTelemetry itself would have written."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from sidecar.telemetry import events
from sidecar.telemetry.events import TraceContext
from sidecar.telemetry.traces.encoding import encoded
from sidecar.words import Outcome
from tests.telemetry.seen_samples import CALL, REFUSED_CALL, SAMPLES, TRACE_ID
from tests.telemetry.test_traces import RETRIED, spans_of

CALLS = {
    "a plain read": CALL,
    "a call that was retried": RETRIED,
    "a call that was refused": REFUSED_CALL,
    "a call that failed": replace(CALL, outcome=Outcome.UNKNOWN),
    "a call of a traced bot": replace(CALL, trace=TraceContext(TRACE_ID, 7, sampled=True, state="a=1,b=2")),
    "a call with a link": replace(CALL, trace=TraceContext(TRACE_ID, 0, sampled=False, links=((5, 6),))),
    "a part of an operation": SAMPLES[events.OperationTraced],
}

SCOPE = InstrumentationScope("sidecar", "1")
RESOURCE = Resource({"service.name": "broker-sidecar", "host.cpus": 2, "os.known": True})
integers = st.integers(-(2**63), 2**63 - 1)
attributes = st.dictionaries(
    st.text(min_size=1), st.text() | integers | st.booleans() | st.floats(allow_nan=False), max_size=6
)
ids = st.integers(1, 2**64 - 1)
times = st.integers(0, 2**63)


@st.composite
def spans(draw: st.DrawFn) -> ReadableSpan:
    def context() -> SpanContext:
        state = TraceState([("vendor", draw(st.sampled_from(["1", "abc"])))]) if draw(st.booleans()) else None
        trace = draw(st.integers(1, 2**128 - 1))
        return SpanContext(trace, draw(ids), draw(st.booleans()), TraceFlags(TraceFlags.SAMPLED), state)

    return ReadableSpan(
        name=draw(st.text()),
        context=context(),
        parent=context() if draw(st.booleans()) else None,
        resource=RESOURCE,
        attributes=draw(attributes),
        events=[Event(draw(st.text()), draw(attributes), draw(times)) for _ in range(draw(st.integers(0, 2)))],
        links=[Link(context(), draw(attributes)) for _ in range(draw(st.integers(0, 2)))],
        kind=draw(st.sampled_from(SpanKind)),
        status=Status(draw(st.sampled_from(StatusCode))),
        start_time=draw(times),
        end_time=draw(times),
        instrumentation_scope=SCOPE,
    )


def read(content: bytes) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    request.ParseFromString(content)
    return request


@pytest.mark.parametrize("name", CALLS)
def test_what_becomes_of_a_call_is_written_as_opentelemetry_writes_it(name: str) -> None:
    made = spans_of(CALLS[name])

    assert read(encoded(made)) == encode_spans(made)


@given(st.lists(spans(), min_size=1, max_size=3))
def test_any_span_is_written_as_opentelemetry_writes_it(made: list[ReadableSpan]) -> None:
    assert read(encoded(made)) == encode_spans(made)


def test_a_character_that_utf8_cannot_carry_costs_nothing_else() -> None:
    (attempt, call) = spans_of(replace(CALL, endpoint="get_\ud800"))
    (written,) = (scope.spans for scope in read(encoded([attempt, call])).resource_spans[0].scope_spans)
    assert [span.name for span in written] == ["GET get_account", "binance get_?"]
