"""`/v1/operations`: orders that belong together are asked for, told of and undone here."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from sidecar.api.answers import as_json, begun
from sidecar.api.operation_views import AllStatistics, OperationList, OperationView, summed, view
from sidecar.api.prefer import preferences
from sidecar.api.problem import refusing
from sidecar.api.questions import FILTERS, WAITS, known, limit, waiting
from sidecar.api.routes import Asked, Route
from sidecar.orders.operations.draft import BracketChange, OperationDraft
from sidecar.orders.operations.engine import OperationEngine
from sidecar.orders.operations.errors import (
    ClosingError,
    SettledError,
    TooManyError,
    TwiceError,
    UnknownOperationError,
    UnwrittenError,
)
from sidecar.orders.operations.errors import RefusedError as NotTakenError
from sidecar.orders.operations.journal import Sought
from sidecar.orders.operations.kinds import settled
from sidecar.orders.operations.model import Operation
from sidecar.wire import Answer, header
from sidecar.words import OperationState, OperationType

_STATUSES: Final[Mapping[type[Exception], HTTPStatus]] = {
    NotTakenError: HTTPStatus.CONFLICT,
    TooManyError: HTTPStatus.TOO_MANY_REQUESTS,
    TwiceError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnwrittenError: HTTPStatus.SERVICE_UNAVAILABLE,
    ClosingError: HTTPStatus.SERVICE_UNAVAILABLE,
    UnknownOperationError: HTTPStatus.NOT_FOUND,
    SettledError: HTTPStatus.CONFLICT,
}


def operation_routes(engine: OperationEngine) -> tuple[Route, ...]:
    """The control API's part for operations."""
    routes = _Operations(engine)
    one = "/v1/operations/{operation}"
    filters = {**FILTERS, "type": "Only of this type."}
    return (
        Route("POST", "/v1/operations", "Begin an operation", routes.begin, OperationView, OperationDraft, status=202),
        Route("GET", "/v1/operations", "The newest operations", routes.select, OperationList, query=filters),
        Route("GET", one, "One operation", routes.one, OperationView, query=WAITS),
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
        with refusing(_STATUSES):
            operation, twice = await self._engine.begin(asked.body.root, header(asked.headers, b"traceparent"))
            operation = await self._waited_for(operation, asked)
        return _told(operation, done=twice or settled(operation))

    async def select(self, asked: Asked) -> Answer:
        query = asked.query
        states, types = known(asked, "state", OperationState), known(asked, "type", OperationType)
        sought = Sought(query.get("broker", ()), types, states, query.get("client_id", ()), limit(asked))
        with refusing(_STATUSES):
            found = await self._engine.select(sought)
        return as_json(OperationList(operations=[view(operation) for operation in found]), brief=True)

    async def one(self, asked: Asked) -> Answer:
        seconds, final = waiting(asked)
        with refusing(_STATUSES):
            told = await self._engine.wait(asked.params["operation"], seconds, final=final)
        return as_json(view(told.operation, told), brief=True)

    async def roll_back(self, asked: Asked) -> Answer:
        with refusing(_STATUSES):
            operation = await self._engine.roll_back(asked.params["operation"], "somebody asked for it")
        return _told(operation, done=False)

    async def modify(self, asked: Asked) -> Answer:
        with refusing(_STATUSES):
            operation = await self._engine.modify(asked.params["operation"], asked.body)
            operation = await self._waited_for(operation, asked)
        return _told(operation, done=settled(operation))

    async def statistics(self, _: Asked) -> Answer:
        with refusing(_STATUSES):
            counts = await self._engine.counts()
        return as_json(AllStatistics(types=[summed(kind, counts) for kind in OperationType]), brief=True)

    async def _waited_for(self, operation: Operation, asked: Asked) -> Operation:
        _, wait = preferences(asked.headers)
        return (await self._engine.wait(operation.id, wait, final=False)).operation if wait else operation


def _told(operation: Operation, *, done: bool) -> Answer:
    return begun(view(operation), f"/v1/operations/{operation.id}", settled=done)
