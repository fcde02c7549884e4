"""What is news about operations: those that fail or are undone, and every position without its protection."""

from typing import Final

import structlog

from sidecar.telemetry import events
from sidecar.words import OperationState

_log = structlog.get_logger("sidecar")

_BAD: Final = frozenset(
    {
        OperationState.ROLLING_BACK,
        OperationState.ROLLED_BACK,
        OperationState.PARTIALLY_COMPLETED,
        OperationState.FAILED,
    }
)


def operation_changed(event: events.OperationChanged) -> None:
    """Log an operation that does not go as it was meant."""
    if event.to_state not in _BAD:
        return
    state = event.to_state.replace("_", " ")
    _log.warning(
        f"{event.broker}: {event.type} {event.operation} is {state}: {event.reason}",
        broker=event.broker,
        operation=event.operation,
        type=event.type,
        state=event.to_state,
    )


def unprotected(event: events.PositionUnprotected) -> None:
    """Log what a person has to look at now, each time."""
    _log.critical(
        f"{event.broker}: {event.type} {event.operation} needs a person now: {event.reason}",
        broker=event.broker,
        operation=event.operation,
        type=event.type,
        instrument=event.instrument,
    )
