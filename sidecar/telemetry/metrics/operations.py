"""Metrics of operations."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

from sidecar.telemetry.events import (
    OPERATION_RECOVERIES,
    OPERATION_STEPS,
    Bus,
    OperationChanged,
    OperationRecovery,
    OperationStep,
    OperationTraced,
    PositionUnprotected,
)
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape, OperationsReading
from sidecar.words import OperationState, OperationType

UNDER_WAY: Final = tuple(state for state in OperationState if not state.final)
RESULTS: Final = tuple(state for state in OperationState if state.final)

ReadOperations = Callable[[], Sequence[OperationsReading]]


class OperationMetrics:
    """By broker and type; brokers that carry no orders have series at 0, so that rules need no exceptions."""

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        names, types = [shape.name for shape in shapes], tuple(OperationType)
        self._operations = Family(
            "sidecar_operations", "Operations under way in each state.", ("broker", "type", "state")
        ).born(product(names, types, UNDER_WAY))
        self._results = counter(
            "sidecar_operation_results_total", "Operations that have ended.", ("broker", "type", "result")
        ).born(product(names, types, RESULTS))
        self._started = counter(
            "sidecar_operations_started_total", "Operations that were begun.", ("broker", "type")
        ).born(product(names, types))
        self._steps = counter(
            "sidecar_operation_steps_total", "Steps that were taken for operations.", ("broker", "type", "step")
        ).born(product(names, types, OPERATION_STEPS))
        self._recoveries = counter(
            "sidecar_operation_recoveries_total",
            "Operations that met with trouble and were taken up again, and how they ended.",
            ("broker", "type", "result"),
        ).born(product(names, types, OPERATION_RECOVERIES))
        self._unprotected = counter(
            "sidecar_positions_unprotected_total",
            "Times that a person was called because a position had no working stop, or because too much was traded.",
            ("broker",),
        ).born((name,) for name in names)

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return (self._operations, self._started, self._results, self._steps, self._recoveries, self._unprotected)

    def subscribe(self, bus: Bus) -> None:
        """Listen to what becomes of operations."""
        bus.subscribe(OperationChanged, self._on_change)
        bus.subscribe(OperationTraced, self._on_part)
        bus.subscribe(OperationStep, self._on_step)
        bus.subscribe(OperationRecovery, self._on_recovery)
        bus.subscribe(PositionUnprotected, self._on_unprotected)

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing to read of a broker: the operations are read by themselves."""

    def show(self, readings: Sequence[OperationsReading]) -> None:
        """Set what is read of the operations."""
        for reading in readings:
            for state in UNDER_WAY:
                self._operations[reading.broker, reading.type, state].value = reading.counts.get(state, 0)

    def _on_change(self, event: OperationChanged) -> None:
        if event.to_state.final:
            self._results[event.broker, event.type, event.to_state].value += 1

    def _on_part(self, event: OperationTraced) -> None:
        if event.part == "begun":
            self._started[event.broker, event.type].value += 1

    def _on_step(self, event: OperationStep) -> None:
        self._steps[event.broker, event.type, event.step].value += 1

    def _on_recovery(self, event: OperationRecovery) -> None:
        self._recoveries[event.broker, event.type, event.result].value += 1

    def _on_unprotected(self, event: PositionUnprotected) -> None:
        self._unprotected[event.broker,].value += 1
