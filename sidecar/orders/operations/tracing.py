"""What traces are told of an operation: all of its calls hang from one span, whose name is on the disk."""

from dataclasses import replace

from sidecar.orders.operations.model import Operation
from sidecar.telemetry.context import parse_traceparent
from sidecar.telemetry.events import OperationTraced, TraceContext


def begun(operation: Operation, asked_by: TraceContext) -> OperationTraced:
    """Its beginning; `asked_by`: the call by which it was asked for."""
    return replace(traced(operation, "begun", operation.created_at), trace=asked_by)


def traced(operation: Operation, part: str, at: float) -> OperationTraced:
    """A later part, at Unix seconds `at`: a restart that took it up, or its end."""
    trace = parse_traceparent(operation.record.traceparent)
    return OperationTraced(
        operation.broker,
        operation.id,
        operation.type,
        part,
        trace,
        trace.parent_id,
        operation.state,
        operation.created_at,
        at,
    )
