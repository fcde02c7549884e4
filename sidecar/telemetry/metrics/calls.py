"""Metrics of calls and attempts: how many, how they ended, how long they took, and what was retried.

Counters are born at 0 for every endpoint and outcome, because alerts ask for their increase. The two duration
histograms are born with their first observation: with buckets for every endpoint and outcome a bot that uses five
endpoints would carry some ten thousand empty series.
"""

from collections.abc import Callable, Sequence
from itertools import product

from sidecar.brokers.profile import REASONS
from sidecar.telemetry.events import AttemptFinished, Bus, CallFinished, RetryDenied, RetryScheduled
from sidecar.telemetry.metrics.families import AnyFamily, Family, Histogram, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape
from sidecar.words import Outcome, RefusalKind, Why

OVERHEAD_BUCKETS = (50e-6, 100e-6, 200e-6, 300e-6, 500e-6, 750e-6, 1e-3, 2e-3, 5e-3, 10e-3, 25e-3, 50e-3)
"""Seconds. The sidecar's own work is a fraction of a millisecond; 50 ms is a fault."""
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 30)
"""Seconds. From a broker in the same data centre to a call that was retried to the end of its deadline."""


class CallMetrics:
    """Calls, attempts and retries.

    Exemplars are set when the call has ended, because only then is it known whether it is traced; an attempt and its
    call thus name the same trace.
    """

    def __init__(self, shapes: Sequence[BrokerShape], traced: Callable[[CallFinished], bool]) -> None:
        self._traced = traced
        labels = ("broker", "endpoint", "outcome")
        endpoints = [(shape.name, endpoint) for shape in shapes for endpoint, _ in shape.endpoints]
        brokers = [(shape.name,) for shape in shapes]
        ends = [(*endpoint, outcome) for endpoint, outcome in product(endpoints, Outcome)]
        self._calls = counter("sidecar_calls_total", "Calls that went back to the bot.", labels).born(ends)
        self._call_seconds = Histogram(
            "sidecar_call_duration_seconds", "Time from a call's receipt to its answer.", labels, DURATION_BUCKETS
        )
        self._overhead = Histogram(
            "sidecar_overhead_seconds",
            "Time of a call inside the sidecar that was neither the broker's nor a deliberate wait.",
            ("broker",),
            OVERHEAD_BUCKETS,
        ).born(brokers)
        self._attempts = counter("sidecar_attempts_total", "Transmissions to the broker.", labels).born(ends)
        self._attempt_seconds = Histogram(
            "sidecar_attempt_duration_seconds", "Time that one transmission took.", labels, DURATION_BUCKETS
        )
        self._retries = counter(
            "sidecar_retries_total",
            "Attempts that failed and were followed by another.",
            ("broker", "endpoint", "reason"),
        ).born((*endpoint, reason) for endpoint, reason in product(endpoints, REASONS))
        self._denied = counter(
            "sidecar_retries_denied_total", "Attempts that failed and got no other.", ("broker", "endpoint", "why")
        ).born((*endpoint, why) for endpoint, why in product(endpoints, Why))
        self._own_answers = counter(
            "sidecar_own_answers_total", "Calls that the sidecar answered itself.", ("broker", "reason")
        ).born((*broker, kind) for broker, kind in product(brokers, dict.fromkeys((*RefusalKind, *Why))))
        self._in_flight = Family("sidecar_calls_in_flight", "Calls under way now.", ("broker",)).born(brokers)
        self._budget = Family(
            "sidecar_retry_budget_remaining", "Retries that may still be made now.", ("broker",)
        ).born(brokers)

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return (
            self._calls,
            self._call_seconds,
            self._overhead,
            self._attempts,
            self._attempt_seconds,
            self._retries,
            self._denied,
            self._own_answers,
            self._in_flight,
            self._budget,
        )

    def subscribe(self, bus: Bus) -> None:
        """Listen to calls, attempts and retries."""
        bus.subscribe(AttemptFinished, self._on_attempt)
        bus.subscribe(CallFinished, self._on_call)
        bus.subscribe(RetryScheduled, self._on_retry)
        bus.subscribe(RetryDenied, self._on_denial)

    def refresh(self, reading: BrokerReading) -> None:
        """Set the gauges of one broker."""
        self._in_flight[reading.name,].value = reading.in_flight
        self._budget[reading.name,].value = reading.retry_budget

    def _on_attempt(self, event: AttemptFinished) -> None:
        key = (event.broker, event.endpoint, event.outcome)
        self._attempts[key].value += 1
        self._attempt_seconds[key].observe(event.seconds)

    def _on_call(self, event: CallFinished) -> None:
        key = (event.broker, event.endpoint, event.outcome)
        self._calls[key].value += 1
        self._call_seconds[key].observe(event.seconds)
        self._overhead[event.broker,].observe(event.overhead)
        if event.source == "sidecar" and event.why is not None:
            self._own_answers[event.broker, event.why].value += 1
        if self._traced(event):
            self._exemplify(event, key)

    def _exemplify(self, event: CallFinished, key: tuple[str, ...]) -> None:
        trace_id, at = event.trace.trace_id, event.received + event.seconds
        self._call_seconds[key].exemplify(event.seconds, trace_id, at)
        self._overhead[event.broker,].exemplify(event.overhead, trace_id, at)
        for step in event.trail:
            attempt = step.event
            if type(attempt) is AttemptFinished:
                bins = self._attempt_seconds[attempt.broker, attempt.endpoint, attempt.outcome]
                bins.exemplify(attempt.seconds, trace_id, step.at)

    def _on_retry(self, event: RetryScheduled) -> None:
        self._retries[event.broker, event.endpoint, event.reason].value += 1

    def _on_denial(self, event: RetryDenied) -> None:
        self._denied[event.broker, event.endpoint, event.why].value += 1
