"""Operations as the control API tells them."""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from sidecar.orders.operations.inquiries import Told
from sidecar.orders.operations.journal import Count
from sidecar.orders.operations.kinds import settled
from sidecar.orders.operations.model import Leg, Operation, Role
from sidecar.words import OperationState, OperationType, OrderState


class LegView(BaseModel):
    """One order of an operation."""

    name: str
    role: Role
    order: str = Field(description="Its id under /v1/orders; empty until it has been handed in.")
    state: OrderState
    reason: str
    filled: Decimal
    undo: str = Field(description="What undoes it, written down before it was handed in.")


class StepView(BaseModel):
    """One line of an operation's life."""

    at: float = Field(description="Unix seconds.")
    step: str
    detail: str


class OperationView(BaseModel):
    """An operation."""

    id: str
    type: OperationType
    broker: str
    client_id: str
    state: OperationState
    native: bool = Field(description="Whether its orders are placed in one request, which the broker keeps together.")
    settled: bool = Field(description="Whether it has ended, or all that was asked for is in place and watched.")
    final: bool = Field(description="Whether it can never change again.")
    reason: str
    created_at: float = Field(description="Unix seconds, like the next one.")
    updated_at: float
    intent: dict[str, Any] = Field(description="What was asked for.")
    entry: LegView | None = Field(None, description="Of a bracket.")
    stop: LegView | None = Field(None, description="The newest one of a bracket.")
    target: LegView | None = Field(None, description="The newest one of a bracket.")
    stop_price: Decimal | None = Field(None, description="Where a bracket's stop is wanted now.")
    target_price: Decimal | None = Field(None, description="Where a bracket's target is wanted now.")
    legs: list[LegView] = Field(description="All of its orders, the oldest first.")
    failed: list[str] = Field(description="The names of those that were not carried out, though nobody took them back.")
    errors: list[str]
    recoveries: list[str] = Field(description="What trouble it went through: `resumed`, `retried`, `unwound`.")
    steps: list[StepView] | None = Field(None, description="Its life so far, where one operation is asked for.")


class OperationList(BaseModel):
    """Operations, the newest first."""

    operations: list[OperationView]


class Statistics(BaseModel):
    """How the operations of one type have fared, as far back as they are kept."""

    type: OperationType
    started: int
    active: int
    completed: int
    partially_completed: int
    failed: int
    rolled_back: int
    success_rate: float | None = Field(
        None, description="The share of the ended ones that were completed, if any has ended."
    )
    recovery_attempts: int = Field(description="Operations that met with trouble.")
    recovery_success_rate: float | None = Field(None, description="The share of those ended that did not fail.")


class AllStatistics(BaseModel):
    """By type."""

    types: list[Statistics]


def view(operation: Operation, told: Told | None = None) -> OperationView:
    """An operation as it is told."""
    record = operation.record
    steps = None
    if told is not None:
        steps = [StepView(at=step.at, step=step.step, detail=step.detail) for step in told.steps]
    return OperationView(
        id=operation.id,
        type=operation.type,
        broker=operation.broker,
        client_id=operation.intent.client_id,
        state=operation.state,
        native=record.native is not None,
        settled=settled(operation),
        final=operation.state.final,
        reason=record.reason or record.unwinding,
        created_at=operation.created_at,
        updated_at=operation.updated_at,
        intent=operation.intent.model_dump(mode="json", exclude_none=True),
        entry=_leg(operation.last(Role.ENTRY)),
        stop=_leg(operation.last(Role.STOP)),
        target=_leg(operation.last(Role.TARGET)),
        stop_price=operation.wanted(Role.STOP),
        target_price=operation.wanted(Role.TARGET),
        legs=[found for leg in record.legs if (found := _leg(leg)) is not None],
        failed=[leg.name for leg in operation.failed],
        errors=record.errors,
        recoveries=record.recoveries,
        steps=steps,
    )


def _leg(leg: Leg | None) -> LegView | None:
    if leg is None:
        return None
    return LegView(
        name=leg.name,
        role=leg.role,
        order=leg.order_id,
        state=leg.state,
        reason=leg.reason,
        filled=leg.filled,
        undo=leg.undo,
    )


def summed(kind: OperationType, counts: list[Count]) -> Statistics:
    """How the operations of one type have fared."""

    def total(*states: OperationState, recovered: bool = False) -> int:
        mine = (row for row in counts if row.type is kind and (not states or row.state in states))
        return sum(row.number for row in mine if row.recovered or not recovered)

    final = [state for state in OperationState if state.final]
    ended, completed = total(*final), total(OperationState.COMPLETED)
    troubled, troubled_ended = total(recovered=True), total(*final, recovered=True)
    mended = troubled_ended - total(OperationState.FAILED, recovered=True)
    return Statistics(
        type=kind,
        started=total(),
        active=total() - ended,
        completed=completed,
        partially_completed=total(OperationState.PARTIALLY_COMPLETED),
        failed=total(OperationState.FAILED),
        rolled_back=total(OperationState.ROLLED_BACK),
        success_rate=completed / ended if ended else None,
        recovery_attempts=troubled,
        recovery_success_rate=mended / troubled_ended if troubled_ended else None,
    )
