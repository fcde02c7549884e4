"""`/v1/operations`: orders that belong together are asked for, told of and undone here."""

from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, Field

from sidecar.api.answers import as_json
from sidecar.api.prefer import LONGEST_WAIT_SECONDS, preferences
from sidecar.api.problem import RefusedError, problem
from sidecar.api.questions import bad, count, number, until_final
from sidecar.api.routes import Asked, Route
from sidecar.orders.operations.draft import BracketChange, OperationDraft
from sidecar.orders.operations.engine import OperationEngine
from sidecar.orders.operations.errors import (
    ClosingError,
    OperationError,
    SettledError,
    TooManyError,
    TwiceError,
    UnknownOperationError,
    UnwrittenError,
)
from sidecar.orders.operations.errors import RefusedError as NotTakenError
from sidecar.orders.operations.inquiries import Told
from sidecar.orders.operations.journal import Count, Sought
from sidecar.orders.operations.kinds import settled
from sidecar.orders.operations.model import Leg, Operation, Role
from sidecar.store import StoreError
from sidecar.wire import Answer, header
from sidecar.words import OperationState, OperationType, OrderState

MOST_AT_ONCE: Final = 1000
STATUSES: Final = {
    NotTakenError: HTTPStatus.CONFLICT,
    TooManyError: HTTPStatus.TOO_MANY_REQUESTS,
    TwiceError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnwrittenError: HTTPStatus.SERVICE_UNAVAILABLE,
    ClosingError: HTTPStatus.SERVICE_UNAVAILABLE,
    UnknownOperationError: HTTPStatus.NOT_FOUND,
    SettledError: HTTPStatus.CONFLICT,
}


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


def operation_routes(engine: OperationEngine) -> tuple[Route, ...]:
    """The control API's part for operations."""
    routes = _Operations(engine)
    one = "/v1/operations/{operation}"
    filters = {
        "broker": "Only this broker's.",
        "type": "Only of this type.",
        "state": "Only those in this state.",
        "client_id": "Only the one with this client id.",
        "limit": f"How many at most, up to {MOST_AT_ONCE}; 100 when it is not said.",
    }
    waits = {
        "wait": f"Seconds to wait until it is settled, up to {LONGEST_WAIT_SECONDS:g}.",
        "until": "`final`: wait for its end, not only until all is in place.",
    }
    return (
        Route("POST", "/v1/operations", "Begin an operation", routes.begin, OperationView, OperationDraft, status=202),
        Route("GET", "/v1/operations", "The newest operations", routes.select, OperationList, query=filters),
        Route("GET", one, "One operation", routes.one, OperationView, query=waits),
        Route(
            "POST",
            f"{one}/modify",
            "Move a bracket's stop or target",
            routes.modify,
            OperationView,
            BracketChange,
            status=202,
        ),
        Route("POST", f"{one}/rollback", "Undo an operation", routes.roll_back, OperationView, status=202),
        # After the one for any operation: the last route that fits a path is the one that is taken.
        Route("GET", "/v1/operations/statistics", "How operations have fared", routes.statistics, AllStatistics),
    )


class _Operations:
    def __init__(self, engine: OperationEngine) -> None:
        self._engine = engine

    async def begin(self, asked: Asked) -> Answer:
        try:
            operation, known = await self._engine.begin(asked.body.root, header(asked.headers, b"traceparent"))
            _, wait = preferences(asked.headers)
            told = await self._engine.wait(operation.id, wait, final=False) if wait else Told(operation)
        except (OperationError, StoreError) as error:
            raise _refused(error) from error
        done = known or settled(told.operation)
        return _told(told.operation, HTTPStatus.OK if done else HTTPStatus.ACCEPTED)

    async def select(self, asked: Asked) -> Answer:
        query = asked.query
        for name, words in (("state", OperationState), ("type", OperationType)):
            if unknown := set(query.get(name, ())) - set(words):
                raise bad(f"no such {name}: {', '.join(sorted(unknown))}; there are {', '.join(words)}")
        sought = Sought(
            query.get("broker", ()),
            query.get("type", ()),
            query.get("state", ()),
            query.get("client_id", ()),
            count(asked, "limit", 100, MOST_AT_ONCE),
        )
        try:
            found = await self._engine.select(sought)
        except StoreError as error:
            raise _refused(error) from error
        return as_json(OperationList(operations=[view(operation) for operation in found]), brief=True)

    async def one(self, asked: Asked) -> Answer:
        seconds = number(asked, "wait", 0, LONGEST_WAIT_SECONDS)
        final = until_final(asked)
        try:
            told = await self._engine.wait(asked.params["operation"], seconds, final=final)
        except (OperationError, StoreError) as error:
            raise _refused(error) from error
        return as_json(view(told.operation, told), brief=True)

    async def roll_back(self, asked: Asked) -> Answer:
        try:
            operation = await self._engine.roll_back(asked.params["operation"], "somebody asked for it")
        except (OperationError, StoreError) as error:
            raise _refused(error) from error
        return _told(operation, HTTPStatus.ACCEPTED)

    async def modify(self, asked: Asked) -> Answer:
        try:
            operation = await self._engine.modify(asked.params["operation"], asked.body)
            _, wait = preferences(asked.headers)
            told = await self._engine.wait(operation.id, wait, final=False) if wait else Told(operation)
        except (OperationError, StoreError) as error:
            raise _refused(error) from error
        return _told(told.operation, HTTPStatus.OK if settled(told.operation) else HTTPStatus.ACCEPTED)

    async def statistics(self, _: Asked) -> Answer:
        try:
            counts = await self._engine.counts()
        except StoreError as error:
            raise _refused(error) from error
        return as_json(AllStatistics(types=[summed(kind, counts) for kind in OperationType]), brief=True)


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


def _told(operation: Operation, status: HTTPStatus) -> Answer:
    location = (b"Location", f"/v1/operations/{operation.id}".encode())
    return as_json(view(operation), status, brief=True, more=(location,))


def _refused(error: OperationError | StoreError) -> RefusedError:
    if isinstance(error, OperationError):
        return RefusedError(problem(STATUSES[type(error)], str(error)))
    return RefusedError(problem(HTTPStatus.SERVICE_UNAVAILABLE, "the state file cannot be read; see the log"))
