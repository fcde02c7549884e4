"""Orders as the control API tells them."""

import json
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from sidecar.orders.inquiries import Account
from sidecar.orders.order import Order
from sidecar.wire import Answer
from sidecar.words import OrderState


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


def _body(answer: Answer) -> Any:
    content = answer.content()
    try:
        told = json.loads(content)
        json.dumps(told, ensure_ascii=False).encode()  # half a surrogate pair could not be told
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
    return told
