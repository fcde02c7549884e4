"""`/v1/orders`: orders that the sidecar carries are handed in, asked for and taken back here."""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Final

from sidecar.api.answers import as_json, begun
from sidecar.api.order_views import Orders, OrderView, view
from sidecar.api.prefer import preferences
from sidecar.api.problem import RefusedError, problem, refusing
from sidecar.api.questions import FILTERS, WAITS, known, limit, waiting
from sidecar.api.routes import Asked, Route
from sidecar.orders.desk import OrderDesk
from sidecar.orders.draft import OrderDraft
from sidecar.orders.errors import (
    ConflictError,
    DoubtfullyRecordedError,
    EndedError,
    QueueFullError,
    StoppingError,
    UnknownOrderError,
    UnnumberedError,
    UnrecordedError,
    UnsupportedError,
)
from sidecar.orders.inquiries import Account
from sidecar.orders.keys import HEADER
from sidecar.orders.ledger import Wanted
from sidecar.orders.order import Order
from sidecar.wire import Answer, Headers, header
from sidecar.words import OrderState

_EVENT_STREAM: Headers = ((b"Content-Type", b"text/event-stream"), (b"Cache-Control", b"no-store"))
_STATELESS: Final = (
    "the sidecar carries no orders: they must outlive it, so set state.path in its configuration, and give it keys "
    "to sign with in brokers.<name>.credentials"
)
STATUSES: Final[Mapping[type[Exception], HTTPStatus]] = {
    QueueFullError: HTTPStatus.TOO_MANY_REQUESTS,
    UnrecordedError: HTTPStatus.INSUFFICIENT_STORAGE,
    DoubtfullyRecordedError: HTTPStatus.SERVICE_UNAVAILABLE,
    StoppingError: HTTPStatus.SERVICE_UNAVAILABLE,
    ConflictError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnsupportedError: HTTPStatus.CONFLICT,
    UnnumberedError: HTTPStatus.CONFLICT,
    EndedError: HTTPStatus.CONFLICT,
    UnknownOrderError: HTTPStatus.NOT_FOUND,
}


def order_routes(desk: OrderDesk | None) -> tuple[Route, ...]:
    """The operations on orders; without a desk each is refused with what the configuration lacks."""
    routes = _Orders(desk)
    one = "/v1/orders/{order}"
    return (
        Route("POST", "/v1/orders", "Hand in an order", routes.place, OrderView, OrderDraft, status=202),
        Route("GET", "/v1/orders", "The newest orders", routes.select, Orders, query=FILTERS),
        Route("GET", one, "One order", routes.one, OrderView, query=WAITS),
        Route("GET", f"{one}/events", "One order's life as it happens", routes.follow, str, media="text/event-stream"),
        Route("DELETE", one, "Take an order back", routes.cancel, OrderView),
    )


class _Orders:
    def __init__(self, desk: OrderDesk | None) -> None:
        self._given = desk

    @property
    def _desk(self) -> OrderDesk:
        if self._given is None:
            raise RefusedError(problem(HTTPStatus.NOT_FOUND, _STATELESS))
        return self._given

    async def place(self, asked: Asked) -> Answer:
        if self._given is None:
            raise RefusedError(problem(HTTPStatus.CONFLICT, _STATELESS))
        _, wait = preferences(asked.headers)
        with refusing(STATUSES):
            trace, key = header(asked.headers, b"traceparent"), header(asked.headers, HEADER)
            taken = await self._desk.place(asked.body, trace, key)
            account = await self._desk.wait(taken.order.id, wait, final=False) if wait else None
        order = taken.order if account is None else account.order
        return accepted(order, known=taken.known)

    async def select(self, asked: Asked) -> Answer:
        query = asked.query
        states = known(asked, "state", OrderState)
        wanted = Wanted(query.get("broker", ()), states, query.get("client_id", ()), limit(asked))
        with refusing(STATUSES):
            found = await self._desk.select(wanted)
        return as_json(Orders(orders=[view(order) for order in found]), brief=True)

    async def one(self, asked: Asked) -> Answer:
        seconds, final = waiting(asked)
        with refusing(STATUSES):
            account = await self._desk.account(asked.params["order"])
            if account.order.state is OrderState.WORKING or seconds:
                await self._desk.look_again(account.order.id)
                account = await self._desk.wait(account.order.id, seconds, final=final)
        return as_json(view(account.order, account), brief=True)

    async def follow(self, asked: Asked) -> Answer:
        with refusing(STATUSES):
            await self._desk.account(asked.params["order"])
        return Answer(200, _EVENT_STREAM, chunks=_events(self._desk.follow(asked.params["order"])))

    async def cancel(self, asked: Asked) -> Answer:
        with refusing(STATUSES):
            order = await self._desk.cancel(asked.params["order"], header(asked.headers, b"traceparent"))
        return as_json(view(order), brief=True) if order.state.final else accepted(order, known=False)


def accepted(order: Order, *, known: bool) -> Answer:
    """The answer to an order that was taken: 202, or 200 when the broker has answered already."""
    return begun(view(order), f"/v1/orders/{order.id}", settled=known or not order.state.open)


async def _events(accounts: AsyncIterator[Account]) -> AsyncIterator[bytes]:
    last: tuple[float, OrderState] | None = None
    async for account in accounts:
        if (account.order.updated_at, account.order.state) == last:
            yield b": still here\n\n"
            continue
        last = account.order.updated_at, account.order.state
        told = view(account.order, account).model_dump_json(exclude_none=True)
        yield f"event: {account.order.state}\ndata: {told}\n\n".encode()
