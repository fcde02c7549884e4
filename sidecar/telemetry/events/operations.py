"""What happened to orders that belong together."""

from dataclasses import dataclass

from sidecar.telemetry.events.calls import TraceContext
from sidecar.words import OperationState, OperationType


@dataclass(frozen=True, slots=True)
class OperationChanged:
    """An operation came into another state."""

    broker: str
    operation: str
    type: OperationType
    from_state: OperationState | None
    """None when it is new."""
    to_state: OperationState
    reason: str


@dataclass(frozen=True, slots=True)
class OperationStep:
    """Something was done for an operation, or happened to one of its orders."""

    broker: str
    operation: str
    type: OperationType
    step: str
    """One of `OPERATION_STEPS`."""
    leg: str
    """The order's name in the operation, such as `stop1`; empty for what concerns all of it."""
    detail: str


OPERATION_STEPS = ("plan", "drop", "cancel", "progress", "move", "unwind", "alarm", "resume")
"""`plan`: an order is about to be handed in, with what undoes it. `drop`: one was planned and never handed in.
`cancel`: one is about to be cancelled. `progress`: one came into another state. `move`: the stop or
the target is wanted elsewhere. `unwind`: undoing begins. `alarm`: a
person is needed. `resume`: a restart goes on with it."""


@dataclass(frozen=True, slots=True)
class OperationRecovery:
    """An operation that had met with trouble was taken up again, or came to its end."""

    broker: str
    operation: str
    type: OperationType
    result: str
    """One of `OPERATION_RECOVERIES`."""
    reason: str


OPERATION_RECOVERIES = ("attempted", "succeeded", "failed")


@dataclass(frozen=True, slots=True)
class OperationTraced:
    """A part of an operation's trace, from which the calls of its orders hang."""

    broker: str
    operation: str
    type: OperationType
    part: str
    """One of `OPERATION_PARTS`."""
    trace: TraceContext
    """Of the call by which it was asked for, where it is begun; of its beginning afterwards."""
    span_id: int
    """Of its beginning's span."""
    state: OperationState
    began: float
    """Unix seconds, like the next one."""
    at: float


OPERATION_PARTS = ("begun", "resumed", "ended")


@dataclass(frozen=True, slots=True)
class PositionUnprotected:
    """A position that was promised protection has none, or more was traded than was meant: a person must look."""

    broker: str
    operation: str
    type: OperationType
    instrument: str
    reason: str
