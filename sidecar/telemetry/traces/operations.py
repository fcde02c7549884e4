"""An operation in its trace: a span for its beginning, from which its calls hang, and others that are linked to it.

It may outlive the process that began it. So its beginning is told at once, and what comes later (a restart that takes
it up, its end) are spans of the same trace with a link to that first one, as OpenTelemetry's messaging conventions tie
what is processed later to where it was created.
"""

from random import getrandbits

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from sidecar.telemetry.events import OperationTraced
from sidecar.words import OperationState

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def operation_span(event: OperationTraced, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    """One part of an operation."""
    beginning = _context(event.trace.trace_id, event.span_id)
    first = event.part == "begun"
    parent = _context(event.trace.trace_id, event.trace.parent_id) if event.trace.parent_id else None
    return ReadableSpan(
        name=f"{event.broker} {event.type} {event.part}",
        context=beginning if first else _context(event.trace.trace_id, getrandbits(64) or 1),
        parent=parent if first else beginning,
        resource=resource,
        attributes={
            "sidecar.broker": event.broker,
            "sidecar.operation": event.operation,
            "sidecar.operation.type": event.type.value,
            "sidecar.operation.state": event.state.value,
        },
        links=() if first else (Link(beginning),),
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR if event.state is OperationState.FAILED else StatusCode.UNSET),
        start_time=int((event.began if event.part == "ended" else event.at) * 1e9),
        end_time=int(event.at * 1e9),
        instrumentation_scope=scope,
    )


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED)
