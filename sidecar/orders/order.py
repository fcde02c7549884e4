"""An order that the sidecar carries, and how it is written down."""

import base64
import json
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Any, Final

from sidecar.brokers.profile import Lane
from sidecar.wire import Answer, Request
from sidecar.words import OrderState, Side

_ID_BITS: Final = 80


class Kind(StrEnum):
    """What is carried."""

    ORDER = "order"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class PriceGuard:
    """Keeps an order that waited from being sent into another market than it was meant for."""

    side: Side
    reference: Decimal
    """The price that its bot saw."""
    tolerance: Decimal
    """How much worse the price may have become, as a share of the reference."""

    def admits(self, price: Decimal) -> bool:
        """Whether the order may still be sent at this price; a better one is always welcome."""
        if self.side is Side.BUY:
            return price <= self.reference * (1 + self.tolerance)
        return price >= self.reference * (1 - self.tolerance)


@dataclass(slots=True)
class Order:
    """One order, or one cancel, from its acceptance to its end. Times are Unix seconds."""

    id: str
    broker: str
    kind: Kind
    client_id: str
    """The order's own; a cancel's is that of the order which it cancels."""
    lane: Lane
    request: Request
    """Unsigned: nothing secret is kept."""
    created_at: float
    expires_at: float
    """When it is not sent any more, if it has not been."""
    state: OrderState = OrderState.ACCEPTED
    reason: str = ""
    updated_at: float = 0.0
    attempts: int = 0
    """How often it was taken up and at least one transmission was made."""
    broker_order_id: str = ""
    may_have_been_executed: bool = False
    """Whether something that could execute it has been transmitted, and its outcome is not known."""
    answer: Answer | None = None
    """The broker's last word on it."""
    filled: Decimal | None = None
    """How much has been traded as far as the broker told; None where it did not, or where it may have changed."""
    guard: PriceGuard | None = None
    traceparent: bytes | None = None
    """Of the call by which it came: its transmissions belong to the same trace."""
    recalled: str = ""
    """Why it is not sent any more, from the moment that somebody says so; in memory alone."""

    @property
    def waits(self) -> bool:
        """Whether it may be sent when its turn comes."""
        return self.state is OrderState.QUEUED and not self.recalled


def new_order(
    kind: Kind, broker: str, client_id: str, lane: Lane, request: Request, *, now: float, ttl: float, rng: Random
) -> Order:
    """An order that nobody knows of yet; it is not sent any more `ttl` seconds after `now` (Unix seconds)."""
    return Order(
        id=f"{rng.getrandbits(_ID_BITS):020x}",
        broker=broker,
        kind=kind,
        client_id=client_id,
        lane=lane,
        request=request,
        created_at=now,
        expires_at=now + ttl,
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One step in an order's life."""

    at: float
    state: OrderState
    reason: str


def intent_text(order: Order) -> str:
    """What does not change about an order, as JSON."""
    request, guard = order.request, order.guard
    told: dict[str, Any] = {
        "client_id": order.client_id,
        "method": request.method,
        "target": request.target,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
        "body": base64.b64encode(request.body).decode(),
    }
    if guard is not None:
        told["guard"] = [guard.side, str(guard.reference), str(guard.tolerance)]
    if order.traceparent is not None:
        told["traceparent"] = order.traceparent.decode("latin-1")
    return json.dumps(told, separators=(",", ":"))


def answer_text(answer: Answer | None) -> str | None:
    """An answer without its headers, which may hold cookies, as JSON."""
    if answer is None:
        return None
    return json.dumps({"status": answer.status, "body": base64.b64encode(answer.content()).decode()})


def filled_text(order: Order) -> str | None:
    """How much has been traded, to the last digit."""
    return None if order.filled is None else str(order.filled)


COLUMNS = (
    "id, broker, kind, account, instrument, intent, state, reason, created_at, updated_at, expires_at, attempts, "
    "broker_order_id, may_have_been_executed, answer, filled"
)
"""What `from_row` takes, in its order."""


def from_row(row: tuple[Any, ...]) -> Order:
    """An order as it was written down."""
    id_, broker, kind, account, instrument, intent, state, reason, created, updated, expires, attempts, *rest = row
    broker_order_id, in_doubt, answer, filled = rest
    told = json.loads(intent)
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in told["headers"])
    request = Request(told["method"], told["target"], headers, base64.b64decode(told["body"]))
    trace = told.get("traceparent")
    return Order(
        id=id_,
        broker=broker,
        kind=Kind(kind),
        client_id=told["client_id"],
        lane=Lane(account, instrument),
        request=request,
        created_at=created,
        expires_at=expires,
        state=OrderState(state),
        reason=reason,
        updated_at=updated,
        attempts=attempts,
        broker_order_id=broker_order_id,
        may_have_been_executed=bool(in_doubt),
        answer=_answer(answer),
        filled=None if filled is None else Decimal(filled),
        guard=_guard(told.get("guard")),
        traceparent=None if trace is None else trace.encode("latin-1"),
    )


def _guard(told: list[str] | None) -> PriceGuard | None:
    return None if told is None else PriceGuard(Side(told[0]), Decimal(told[1]), Decimal(told[2]))


def _answer(text: str | None) -> Answer | None:
    if text is None:
        return None
    told = json.loads(text)
    return Answer(told["status"], (), base64.b64decode(told["body"]))
