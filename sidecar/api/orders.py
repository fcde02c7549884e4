"""`/v1/orders`: orders that the sidecar carries are handed in, asked for and taken back here."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, Field

from sidecar.api.answers import as_json
from sidecar.api.prefer import LONGEST_WAIT_SECONDS, preferences
from sidecar.api.problem import RefusedError, problem
from sidecar.api.questions import bad, count, number, until_final
from sidecar.api.routes import Asked, Route
from sidecar.orders.desk import OrderDesk
from sidecar.orders.draft import OrderDraft
from sidecar.orders.errors import (
    ConflictError,
    DoubtfullyRecordedError,
    EndedError,
    OrderError,
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
from sidecar.store import StoreError
from sidecar.wire import Answer, Headers, header
from sidecar.words import OrderState

MOST_AT_ONCE: Final = 1000
_EVENT_STREAM: Headers = ((b"Content-Type", b"text/event-stream"), (b"Cache-Control", b"no-store"))
_STATELESS: Final = (
    "the sidecar carries no orders: they must outlive it, so set state.path in its configuration, and give it keys "
    "to sign with in brokers.<name>.credentials"
)
STATUSES: Final = {
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


class ChangeView(BaseModel):
    """One step in an order's life."""

    at: float = Field(description="Unix seconds.")
    state: OrderState
    reason: str


class AnswerView(BaseModel):
    """The broker's last word on an order."""

    status: int
    body: Any = Field(description="As JSON where it is JSON, else as text.")


class OrderView(BaseModel):
    """An order, or a cancel, that the sidecar carries."""

    id: str
    broker: str
    kind: str = Field(description="`order` or `cancel`.")
    client_id: str = Field(description="The order's at the broker; a cancel's is that of the order it cancels.")
    account: str
    instrument: str
    state: OrderState
    settled: bool = Field(description="Whether the broker has answered, or never will: nothing is under way any more.")
    final: bool = Field(description="Whether it can never change again.")
    reason: str
    may_have_been_executed: bool = Field(description="Whether it is not known if the broker executed it.")
    created_at: float = Field(description="Unix seconds, like the next two.")
    updated_at: float
    expires_at: float = Field(description="When it is not sent any more, if it has not been.")
    attempts: int
    broker_order_id: str
    filled: Decimal | None = Field(None, description="How much of it was traded as far as the broker told.")
    answer: AnswerView | None = Field(None, description="Absent until the broker has said something.")
    changes: list[ChangeView] | None = Field(None, description="Its life so far, where one order is asked for.")


class Orders(BaseModel):
    """Orders, the newest first."""

    orders: list[OrderView]


def order_routes(desk: OrderDesk | None) -> tuple[Route, ...]:
    """The operations on orders; without a desk each is refused with what the configuration lacks."""
    routes = _Orders(desk)
    one = "/v1/orders/{order}"
    filters = {
        "broker": "Only this broker's.",
        "state": "Only those in this state.",
        "client_id": "Only the one with this client id.",
        "limit": f"How many at most, up to {MOST_AT_ONCE}; 100 when it is not said.",
    }
    waits = {
        "wait": f"Seconds to wait until it is settled, up to {LONGEST_WAIT_SECONDS:g}.",
        "until": "`final`: wait for its end, not only for the broker's answer.",
    }
    return (
        Route("POST", "/v1/orders", "Hand in an order", routes.place, OrderView, OrderDraft, status=202),
        Route("GET", "/v1/orders", "The newest orders", routes.select, Orders, query=filters),
        Route("GET", one, "One order", routes.one, OrderView, query=waits),
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
        try:
            trace, key = header(asked.headers, b"traceparent"), header(asked.headers, HEADER)
            taken = await self._desk.place(asked.body, trace, key)
            _, wait = preferences(asked.headers)
            account = await self._desk.wait(taken.order.id, wait, final=False) if wait else None
        except (OrderError, StoreError) as error:
            raise refused(error) from error
        order = taken.order if account is None else account.order
        return accepted(order, known=taken.known)

    async def select(self, asked: Asked) -> Answer:
        query = asked.query
        if unknown := set(query.get("state", ())) - set(OrderState):
            raise bad(f"no such state: {', '.join(sorted(unknown))}; there are {', '.join(OrderState)}")
        most = count(asked, "limit", 100, MOST_AT_ONCE)
        wanted = Wanted(query.get("broker", ()), query.get("state", ()), query.get("client_id", ()), most)
        try:
            found = await self._desk.select(wanted)
        except StoreError as error:
            raise refused(error) from error
        return as_json(Orders(orders=[view(order) for order in found]), brief=True)

    async def one(self, asked: Asked) -> Answer:
        seconds = number(asked, "wait", 0, LONGEST_WAIT_SECONDS)
        final = until_final(asked)
        try:
            account = await self._desk.account(asked.params["order"])
            if account.order.state is OrderState.WORKING or seconds:
                await self._desk.look_again(account.order.id)
                account = await self._desk.wait(account.order.id, seconds, final=final)
        except (OrderError, StoreError) as error:
            raise refused(error) from error
        return as_json(view(account.order, account), brief=True)

    async def follow(self, asked: Asked) -> Answer:
        try:
            await self._desk.account(asked.params["order"])
        except (OrderError, StoreError) as error:
            raise refused(error) from error
        return Answer(200, _EVENT_STREAM, chunks=_events(self._desk.follow(asked.params["order"])))

    async def cancel(self, asked: Asked) -> Answer:
        try:
            order = await self._desk.cancel(asked.params["order"], header(asked.headers, b"traceparent"))
        except (OrderError, StoreError) as error:
            raise refused(error) from error
        return as_json(view(order), brief=True) if order.state.final else accepted(order, known=False)


def accepted(order: Order, *, known: bool) -> Answer:
    """The answer to an order that was taken: 202, or 200 when the broker has answered already."""
    settled = not order.state.open
    status = HTTPStatus.OK if known or settled else HTTPStatus.ACCEPTED
    location = (b"Location", f"/v1/orders/{order.id}".encode())
    return as_json(view(order), status, brief=True, more=(location,))


def refused(error: OrderError | StoreError) -> RefusedError:
    """The problem that tells why an order was not taken."""
    status = STATUSES[type(error)] if isinstance(error, OrderError) else HTTPStatus.SERVICE_UNAVAILABLE
    told = str(error) if isinstance(error, OrderError) else "the state file cannot be read; see the log"
    return RefusedError(problem(status, told))


def view(order: Order, account: Account | None = None) -> OrderView:
    """An order as it is told."""
    answer = order.answer
    changes = None
    if account is not None:
        changes = [ChangeView(at=change.at, state=change.state, reason=change.reason) for change in account.changes]
    return OrderView(
        id=order.id,
        broker=order.broker,
        kind=order.kind,
        client_id=order.client_id,
        account=order.lane.account,
        instrument=order.lane.instrument,
        state=order.state,
        settled=not order.state.open,
        final=order.state.final,
        reason=order.reason,
        may_have_been_executed=order.may_have_been_executed,
        created_at=order.created_at,
        updated_at=order.updated_at,
        expires_at=order.expires_at,
        attempts=order.attempts,
        broker_order_id=order.broker_order_id,
        filled=order.filled,
        answer=None if answer is None else AnswerView(status=answer.status, body=_body(answer)),
        changes=changes,
    )


async def _events(accounts: AsyncIterator[Account]) -> AsyncIterator[bytes]:
    last: tuple[float, OrderState] | None = None
    async for account in accounts:
        if (account.order.updated_at, account.order.state) == last:
            yield b": still here\n\n"
            continue
        last = account.order.updated_at, account.order.state
        told = view(account.order, account).model_dump_json(exclude_none=True)
        yield f"event: {account.order.state}\ndata: {told}\n\n".encode()


def _body(answer: Answer) -> Any:
    content = answer.content()
    try:
        told = json.loads(content)
        json.dumps(told, ensure_ascii=False).encode()  # half a surrogate pair could not be told
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
    return told
