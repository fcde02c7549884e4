"""Metrics of the rate limits: what is used, when it will be used up, who waits, and the gate after a 429 or 418."""

import math
from collections.abc import Callable, Sequence
from itertools import product

from sidecar.telemetry.events import (
    Bus,
    CallFinished,
    GateOpened,
    GateShut,
    LimitLearnt,
    LimitReading,
    LimitRejected,
    LimitReset,
    LimitThreshold,
    LimitWaited,
)
from sidecar.telemetry.metrics.families import AnyFamily, Family, Histogram, Labels, counter, set_or_hide
from sidecar.telemetry.state import BrokerReading, BrokerShape, LimitState
from sidecar.words import Outcome, Priority

WAIT_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds. From a token that was nearly there to a whole window of a minute."""


class LimitMetrics:
    """Limits by broker and name; waits and refusals by group and priority."""

    def __init__(self, shapes: Sequence[BrokerShape], traced: Callable[[CallFinished], bool]) -> None:
        self._traced = traced
        brokers = [(shape.name,) for shape in shapes]
        limits = [(shape.name, limit) for shape in shapes for limit in shape.limits]
        self._gauges(limits)
        self._limit_counters(limits, brokers)
        self._queue(shapes)
        self._gate(brokers)

    def _gauges(self, limits: list[tuple[str, str]]) -> None:
        by = ("broker", "limit")
        self._used = Family("sidecar_rate_limit_used", "What is used of the limit, in the limit's unit.", by).born(
            limits
        )
        self._capacity = Family("sidecar_rate_limit_capacity", "What the limit allows.", by).born(limits)
        self._read_at = Family(
            "sidecar_rate_limit_reading_timestamp_seconds", "When the broker last told what is used.", by
        )
        self._exhaustion = Family(
            "sidecar_rate_limit_exhaustion_seconds",
            "Seconds until the limit is used up at the present rate; +Inf when that never happens.",
            by,
        ).born(limits)
        self._waiting = Family("sidecar_rate_limit_waiting", "Calls that wait for the limit now.", by).born(limits)

    def _limit_counters(self, limits: list[tuple[str, str]], brokers: list[tuple[str]]) -> None:
        by = ("broker", "limit")
        self._readings = counter(
            "sidecar_rate_limit_readings_total", "Answers that told how much of the limit is used.", by
        ).born(limits)
        self._crossings = counter(
            "sidecar_rate_limit_threshold_crossings_total",
            "Times that the limit's use rose above its warning share or fell back below it.",
            (*by, "direction"),
        ).born((*limit, direction) for limit, direction in product(limits, ("up", "down")))
        self._learnt = counter(
            "sidecar_rate_limit_capacity_changes_total", "Times that the broker announced another capacity.", by
        ).born(limits)
        self._resets = counter(
            "sidecar_rate_limit_resets_total", "Times that a person reset the broker's limits.", ("broker",)
        ).born(brokers)

    def _queue(self, shapes: Sequence[BrokerShape]) -> None:
        by = ("broker", "group", "priority")
        callers = [
            (shape.name, group, priority.label)
            for shape in shapes
            for group, priority in product(shape.groups, Priority)
        ]
        # Like the durations of calls, the waits are born with their first observation.
        self._waits = Histogram(
            "sidecar_rate_limit_wait_seconds", "Time that calls waited for a limit or a closed gate.", by, WAIT_BUCKETS
        )
        self._rejections = counter(
            "sidecar_rate_limit_rejections_total",
            "Calls refused because a limit would have kept them past their deadline.",
            by,
        ).born(callers)

    def _gate(self, brokers: list[tuple[str]]) -> None:
        self._shut = Family(
            "sidecar_rate_limit_gate_shut", "1 while nothing may go to the broker's address.", ("broker",)
        ).born(brokers)
        self._until = Family(
            "sidecar_rate_limit_gate_opening_timestamp_seconds", "When a shut gate opens again.", ("broker",)
        )
        self._closures = counter(
            "sidecar_rate_limit_gate_closures_total",
            "Times that the broker's 429 or 418 shut the gate.",
            ("broker", "outcome"),
        ).born((*broker, outcome) for broker, outcome in product(brokers, (Outcome.RATE_LIMITED, Outcome.BANNED)))
        self._openings = counter(
            "sidecar_rate_limit_gate_openings_total", "Times that the gate opened again.", ("broker",)
        ).born(brokers)

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return (
            self._used,
            self._capacity,
            self._read_at,
            self._exhaustion,
            self._waiting,
            self._readings,
            self._crossings,
            self._learnt,
            self._resets,
            self._waits,
            self._rejections,
            self._shut,
            self._until,
            self._closures,
            self._openings,
        )

    def subscribe(self, bus: Bus) -> None:
        """Listen to the limiter."""
        bus.subscribe(LimitReading, self._on_reading)
        bus.subscribe(LimitThreshold, self._on_threshold)
        bus.subscribe(LimitLearnt, self._on_learnt)
        bus.subscribe(LimitReset, self._on_reset)
        bus.subscribe(LimitWaited, self._on_wait)
        bus.subscribe(LimitRejected, self._on_rejection)
        bus.subscribe(GateShut, self._on_shut)
        bus.subscribe(GateOpened, self._on_opened)
        bus.subscribe(CallFinished, self._on_call)

    def refresh(self, reading: BrokerReading) -> None:
        """Set the gauges of one broker."""
        for limit in reading.limits:
            self._show((reading.name, limit.limit), limit)
        self._shut[reading.name,].value = reading.gate.shut
        set_or_hide(self._until, (reading.name,), reading.gate.until)

    def _show(self, key: Labels, limit: LimitState) -> None:
        self._used[key].value = limit.used
        self._capacity[key].value = limit.capacity
        self._exhaustion[key].value = math.inf if limit.exhaustion_seconds is None else limit.exhaustion_seconds
        self._waiting[key].value = limit.waiting
        set_or_hide(self._read_at, key, limit.read_at)

    def _on_reading(self, event: LimitReading) -> None:
        self._readings[event.broker, event.limit].value += 1

    def _on_threshold(self, event: LimitThreshold) -> None:
        self._crossings[event.broker, event.limit, "up" if event.above else "down"].value += 1

    def _on_learnt(self, event: LimitLearnt) -> None:
        self._learnt[event.broker, event.limit].value += 1

    def _on_reset(self, event: LimitReset) -> None:
        self._resets[event.broker,].value += 1

    def _on_wait(self, event: LimitWaited) -> None:
        self._waits[event.broker, event.group, event.priority.label].observe(event.seconds)

    def _on_call(self, event: CallFinished) -> None:
        if not event.waited or not self._traced(event):
            return
        for step in event.trail:
            wait = step.event
            if type(wait) is LimitWaited:
                bins = self._waits[wait.broker, wait.group, wait.priority.label]
                bins.exemplify(wait.seconds, event.trace.trace_id, step.at)

    def _on_rejection(self, event: LimitRejected) -> None:
        self._rejections[event.broker, event.group, event.priority.label].value += 1

    def _on_shut(self, event: GateShut) -> None:
        self._closures[event.broker, event.outcome].value += 1

    def _on_opened(self, event: GateOpened) -> None:
        self._openings[event.broker,].value += 1
