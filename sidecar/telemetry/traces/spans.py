"""A finished call as spans: one SERVER span for the call, one CLIENT span for each attempt.

Everything is known when the call has ended, so the spans are written as the finished records that exporters take. A
tracer's bookkeeping of spans in progress would cost some 60 microseconds a call for nothing.

Names and attributes follow OpenTelemetry's HTTP conventions; `sidecar.*` are the sidecar's own. There is no path,
query, body or header in them: only labels, codes and numbers.
"""

from collections.abc import Mapping, Sequence
from random import getrandbits
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from sidecar.telemetry.events import AttemptFinished, CallFinished, OperationTraced, Stamped, TraceContext
from sidecar.telemetry.state import BrokerShape
from sidecar.telemetry.traces.operations import operation_span
from sidecar.telemetry.traces.steps import STEP_NAMES, Attributes, caused_by_an_answer, step_attributes
from sidecar.words import Outcome

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)
_ERROR = Status(StatusCode.ERROR)
_FINE_FOR_A_SERVER = {Outcome.OK, Outcome.REJECTED}
"""A broker's business no is not the sidecar's error, as a 4xx is none of a server's."""


def addresses(shapes: Sequence[BrokerShape]) -> dict[str, Attributes]:
    """The `server.*` attributes of each broker."""
    return {shape.name: _address(shape.read().base_url) for shape in shapes}


class SpanWriter:
    """Writes the spans of calls, all of one resource."""

    def __init__(self, resource: Resource, version: str, servers: Mapping[str, Attributes]) -> None:
        self._resource = resource
        self._scope = InstrumentationScope("sidecar", version)
        self._servers = servers

    def write(self, call: CallFinished) -> list[ReadableSpan]:
        """The call's span and its attempts', the call's last."""
        attempts = [step.event for step in call.trail if isinstance(step.event, AttemptFinished)]
        steps = _by_attempt(call.trail, attempts)
        state = _state(call.trace)
        context = _context(call.trace.trace_id, state)
        spans = [
            self._attempt(call, attempt, context, steps[1 + index], state) for index, attempt in enumerate(attempts)
        ]
        spans.append(
            ReadableSpan(
                name=f"{call.broker} {call.endpoint}",
                context=context,
                parent=_bot(call.trace, state),
                resource=self._resource,
                attributes=_call_attributes(call),
                links=[Link(SpanContext(*other, is_remote=True, trace_flags=_SAMPLED)) for other in call.trace.links],
                events=steps[0],
                kind=SpanKind.SERVER,
                status=_UNSET if call.outcome in _FINE_FOR_A_SERVER else _ERROR,
                start_time=_nanoseconds(call.received),
                end_time=_nanoseconds(call.received + call.seconds),
                instrumentation_scope=self._scope,
            )
        )
        return spans

    def write_operation(self, event: OperationTraced) -> ReadableSpan:
        """The span of a part of an operation."""
        return operation_span(event, self._resource, self._scope)

    def _attempt(
        self,
        call: CallFinished,
        attempt: AttemptFinished,
        parent: SpanContext,
        events: Sequence[SpanEvent],
        state: TraceState | None,
    ) -> ReadableSpan:
        return ReadableSpan(
            name=f"{call.method} {attempt.endpoint}",
            context=_context(call.trace.trace_id, state),
            parent=parent,
            resource=self._resource,
            attributes={**self._servers.get(attempt.broker, {}), **_attempt_attributes(call, attempt)},
            events=events,
            kind=SpanKind.CLIENT,
            status=_UNSET if attempt.outcome is Outcome.OK else _ERROR,
            start_time=_nanoseconds(attempt.started),
            end_time=_nanoseconds(attempt.started + attempt.seconds),
            instrumentation_scope=self._scope,
        )


def _call_attributes(call: CallFinished) -> Attributes:
    attributes: Attributes = {
        "http.request.method": call.method,
        "sidecar.call_id": call.id,
        "sidecar.broker": call.broker,
        "sidecar.endpoint": call.endpoint,
        "sidecar.group": call.group,
        "sidecar.effect": call.effect.value,
        "sidecar.priority": call.priority.label,
        "sidecar.outcome": call.outcome.value,
        "sidecar.attempts": call.attempts,
        "sidecar.waited": call.waited,
        "sidecar.overhead": call.overhead,
        "sidecar.source": call.source,
    }
    if call.status:
        attributes["http.response.status_code"] = call.status
    if call.reconciled:
        attributes["sidecar.reconciled"] = True
    if call.why is not None:
        attributes["sidecar.why"] = call.why.value
    if call.outcome is not Outcome.OK:
        attributes["error.type"] = call.outcome.value
    return attributes


def _attempt_attributes(call: CallFinished, attempt: AttemptFinished) -> Attributes:
    attributes: Attributes = {
        "http.request.method": call.method,
        "sidecar.broker": attempt.broker,
        "sidecar.endpoint": attempt.endpoint,
        "sidecar.outcome": attempt.outcome.value,
        "sidecar.attempt": attempt.number,
    }
    if attempt.number > 1:
        attributes["http.request.resend_count"] = attempt.number - 1
    if attempt.status is not None:
        attributes["http.response.status_code"] = attempt.status
    if attempt.outcome is not Outcome.OK:
        attributes["error.type"] = attempt.outcome.value
    if attempt.reason:
        attributes["sidecar.reason"] = attempt.reason
    if attempt.code:
        attributes["sidecar.code"] = attempt.code
    for reading in attempt.readings:
        attributes[f"sidecar.limit.{reading.limit}.used"] = reading.used
        attributes[f"sidecar.limit.{reading.limit}.capacity"] = reading.capacity
    return attributes


def _by_attempt(trail: Sequence[Stamped], attempts: Sequence[AttemptFinished]) -> list[list[SpanEvent]]:
    """The trail's events: those of the call first, then those of each attempt."""
    sorted_steps: list[list[SpanEvent]] = [[] for _ in range(len(attempts) + 1)]
    for step in trail:
        name = STEP_NAMES.get(type(step.event))
        if name is not None:
            # An attempt tells of itself last, after what its answer caused: its start is what comes before both.
            begun = sum(attempt.started <= step.at for attempt in attempts)
            index = begun if caused_by_an_answer(step.event) else 0
            sorted_steps[index].append(SpanEvent(name, step_attributes(step.event), _nanoseconds(step.at)))
    return sorted_steps


def _context(trace_id: int, state: TraceState | None) -> SpanContext:
    return SpanContext(trace_id, getrandbits(64) or 1, is_remote=False, trace_flags=_SAMPLED, trace_state=state)


def _bot(trace: TraceContext, state: TraceState | None) -> SpanContext | None:
    """The bot's own span, when it told one."""
    if not trace.parent_id:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT)
    return SpanContext(trace.trace_id, trace.parent_id, is_remote=True, trace_flags=flags, trace_state=state)


def _state(trace: TraceContext) -> TraceState | None:
    return TraceState.from_header([trace.state]) if trace.state else None


def _address(base_url: str) -> Attributes:
    url = urlsplit(base_url)
    port = url.port or {"https": 443, "http": 80}.get(url.scheme)
    return {"server.address": url.hostname or "", **({} if port is None else {"server.port": port})}


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
