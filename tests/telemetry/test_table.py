"""The table of what can be seen agrees with the events, the metrics, the traces, the audit log and the news log.

Each entry is proven by letting the event happen and looking.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import get_args

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sidecar.clock import VirtualClock
from sidecar.config.model import Otlp, Telemetry
from sidecar.store import StoreReadings
from sidecar.telemetry import events, state
from sidecar.telemetry.audit import AuditReadings
from sidecar.telemetry.audit.lines import lines_of
from sidecar.telemetry.events import Bus, CallFinished, Event, Stamped
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.news import NewsLog
from sidecar.telemetry.table import READ_AT_SCRAPE, SEEN, TOLD_OTHERWISE, InTrace
from sidecar.telemetry.traces import SpanReadings, Traces
from sidecar.telemetry.traces.steps import STEP_NAMES
from sidecar.words import Outcome
from tests.telemetry.seen_samples import ATTEMPT, AUDIT, CALL, OPERATIONS, ORDERS, READING, SAMPLES, SHAPE, STORE, T0

KINDS = get_args(Event)
METRICS = {family.name for family in Metrics([SHAPE], bot="b", version="1").families}


def fed_by_events() -> set[str]:
    return {name for seen in SEEN.values() for name in seen.metrics}


def test_every_event_is_in_the_table_and_nothing_else() -> None:
    assert set(SEEN) == set(KINDS)


def test_there_is_a_sample_of_every_event() -> None:
    assert set(SAMPLES) == set(KINDS)


def test_every_event_can_be_seen_somewhere() -> None:
    unseen = [kind for kind, seen in SEEN.items() if not (seen.metrics or seen.audit or seen.log)]
    assert unseen == []


def test_every_metric_that_the_table_names_exists() -> None:
    assert fed_by_events() | set(READ_AT_SCRAPE) | set(TOLD_OTHERWISE) <= METRICS


def test_every_metric_is_fed_by_something() -> None:
    assert METRICS - fed_by_events() - set(READ_AT_SCRAPE) - set(TOLD_OTHERWISE) == set()


def test_no_metric_is_fed_by_two_kinds_of_sources() -> None:
    sources = [fed_by_events(), set(READ_AT_SCRAPE), set(TOLD_OTHERWISE)]
    assert len(set().union(*sources)) == sum(map(len, sources))


@pytest.mark.parametrize("place", READ_AT_SCRAPE.values())
def test_the_state_that_a_metric_is_read_from_exists(place: str) -> None:
    kind, _, field = place.partition(".")
    others = {"AuditReadings": AuditReadings, "SpanReadings": SpanReadings, "StoreReadings": StoreReadings}
    found = others.get(kind) or getattr(state, kind)
    assert not field or field in {known.name for known in fields(found)}


class Bench:
    """Metrics on a bus."""

    def __init__(self) -> None:
        self.metrics = Metrics(
            [SHAPE],
            bot="b",
            version="1",
            read_audit=lambda: AUDIT,
            read_spans=SpanReadings,
            read_store=lambda: STORE,
            read_orders=lambda: [ORDERS],
            read_operations=lambda: [OPERATIONS],
        )
        self.bus = Bus(VirtualClock(), on_failure=self.metrics.count_failure)
        self.metrics.subscribe(self.bus)

    def changed_by(self, *happened: Event) -> set[str]:
        """The metrics that show something else afterwards."""
        before = self._shown()
        for event in happened:
            self.bus.emit(event)
        after = self._shown()
        return {name for name in after if after[name] != before[name]}

    def _shown(self) -> dict[str, list[str]]:
        return {family.name: list(family.text(openmetrics=True)) for family in self.metrics.families}


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_changes_exactly_the_metrics_that_the_table_names(kind: type) -> None:
    bench = Bench()
    if kind is events.StreamOpened:  # only a stream that ended can be opened again
        bench.changed_by(SAMPLES[events.StreamClosed])
    assert bench.changed_by(SAMPLES[kind]) == set(SEEN[kind].metrics)


def test_every_metric_that_is_read_at_the_scrape_is_shown() -> None:
    bench = Bench()
    samples = {sample.name for metric in bench.metrics.registry.collect() for sample in metric.samples}
    assert set(READ_AT_SCRAPE) - samples == set()


def spans_of(happened: Event) -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(otlp=Otlp(endpoint="http://unused"))
    traces = Traces(telemetry, [SHAPE], bot="b", version="1", environment={}, exporter=exporter)
    bus = Bus(VirtualClock())
    traces.subscribe(bus)
    bus.emit(happened)
    traces.shutdown(10)
    return list(exporter.get_finished_spans())


def look_for_call_span(event: Event) -> bool:
    assert isinstance(event, CallFinished)
    return [span.name for span in spans_of(event)] == [f"{event.broker} {event.endpoint}"]


def look_for_attempt_span(event: Event) -> bool:
    return len(spans_of(replace(CALL, trail=(Stamped(T0, event),)))) == 2


def look_for_attribute(event: Event) -> bool:
    assert event == READING
    attempt, _ = spans_of(replace(CALL, trail=(Stamped(T0, replace(ATTEMPT, readings=(READING,))),)))
    return f"sidecar.limit.{READING.limit}.used" in dict(attempt.attributes or {})


def look_for_span_event(event: Event) -> bool:
    spans = spans_of(replace(CALL, trail=(Stamped(T0, event),)))
    return [step.name for span in spans for step in span.events] == [STEP_NAMES[type(event)]]


def look_for_operation_span(event: Event) -> bool:
    (span,) = spans_of(event)
    return span.name == "binance bracket begun"


def look_for_nothing(event: Event) -> bool:
    (span,) = spans_of(replace(CALL, trail=(Stamped(T0, event),)))
    return not span.events


LOOK: dict[InTrace, Callable[[Event], bool]] = {
    InTrace.CALL_SPAN: look_for_call_span,
    InTrace.ATTEMPT_SPAN: look_for_attempt_span,
    InTrace.ATTRIBUTE: look_for_attribute,
    InTrace.SPAN_EVENT: look_for_span_event,
    InTrace.OPERATION_SPAN: look_for_operation_span,
    InTrace.ABSENT: look_for_nothing,
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_in_the_trace_what_the_table_says(kind: type) -> None:
    assert LOOK[SEEN[kind].trace](SAMPLES[kind])


def audit_lines(event: Event) -> int:
    """How many audit lines an event causes, by itself and as a step of a call that is worth a line."""
    if isinstance(event, events.AttemptFinished):  # of attempts, those that met a limit
        event = replace(event, outcome=Outcome.RATE_LIMITED, reason="rate_limit")
    failed = replace(CALL, outcome=Outcome.TRANSIENT, trail=())
    with_step = replace(failed, trail=(Stamped(T0, event),))
    by_step = sum(1 for _ in lines_of(T0, with_step)) - sum(1 for _ in lines_of(T0, failed))
    return by_step + sum(1 for _ in lines_of(T0, event))


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_in_the_audit_log_when_the_table_says_so(kind: type) -> None:
    assert bool(audit_lines(SAMPLES[kind])) is SEEN[kind].audit


def test_the_news_log_hears_the_events_that_the_table_says() -> None:
    bus = Bus(VirtualClock())
    NewsLog(600, VirtualClock()).subscribe(bus)
    assert set(bus._handlers) == {kind for kind, seen in SEEN.items() if seen.log}
