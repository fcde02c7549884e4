"""An operation and its legs, as they are kept: all that the next step is decided by."""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from sidecar.brokers.groups import Link
from sidecar.orders.draft import OrderDraft
from sidecar.orders.operations.draft import AnyDraft
from sidecar.words import OperationState, OperationType, OrderState

NOTHING: Final = Decimal(0)


class Role(StrEnum):
    """What an order is for in its operation."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    FIRST = "first"
    SECOND = "second"
    CLOSE = "close"
    ORDER = "order"
    """One that was there before, and is cancelled."""
    OLD = "old"
    """One that was there before, and is replaced."""
    REPLACEMENT = "replacement"
    FLATTEN = "flatten"
    """Closes at the market what must not stay open."""
    RESTORE = "restore"
    """Trades back what was traded too much."""


UNDO: Final = {
    Role.ENTRY: "cancel it, and close at the market what it has traded",
    Role.STOP: "cancel it, once nothing is left to protect",
    Role.TARGET: "cancel it",
    Role.FIRST: "cancel it; where the other one has traded, trade back what it has traded",
    Role.SECOND: "cancel it; where the other one has traded, trade back what it has traded",
    Role.CLOSE: "cancel it; what it has closed stays closed",
    Role.REPLACEMENT: "cancel it while the old order stands",
    Role.FLATTEN: "nothing: it undoes itself",
    Role.RESTORE: "nothing: it undoes itself",
    Role.ORDER: "nothing: what is cancelled stays cancelled",
    Role.OLD: "nothing: it is cancelled only when its replacement may stand",
}
"""What undoes a leg, written down before it is handed in; a leg in doubt is asked for first, always."""


class Leg(BaseModel):
    """One order of an operation."""

    name: str
    """`stop2` is the second attempt at a stop, or one for what filled later."""
    role: Role
    undo: str
    planned_at: float
    """Unix seconds, like all times here."""
    terms: OrderDraft | None = None
    """What is handed in, client id and all; None for an order that was there before."""
    link: Link | None = None
    """How its companions depend on it; None for an order that is placed by itself."""
    comes_with: str = ""
    """The leg whose request places this one, too; empty for one that has a request of its own."""
    booked: Decimal | None = None
    """How much it is for, where the broker has made it what its first order has brought."""
    released: bool = False
    """Whether the broker has ended it, because another one has traded or what it was for is gone."""
    order_id: str = ""
    """The carried order; empty until it has been handed in."""
    state: OrderState = OrderState.ACCEPTED
    reason: str = ""
    filled: Decimal = NOTHING
    worked: bool = False
    """Whether the broker has had it in its book."""
    in_doubt: bool = False
    """Whether it may have been executed without anybody knowing."""
    ended_at: float | None = None
    cancels: int = 0
    """How often its cancel was begun."""
    cancel_id: str = ""
    """The carried cancel; empty while none is under way."""
    cancelled_at: float | None = None
    """When the newest cancel ended, however it did."""
    taken_back: bool = False
    """Whether the broker has said that the cancel was done."""

    @property
    def open(self) -> bool:
        """Whether it may still trade."""
        return not self.state.final

    @property
    def left(self) -> Decimal:
        """How much it may still trade; 0 for one that was there before."""
        if self.terms is None or not self.open:
            return NOTHING
        return max(NOTHING, (self.terms.quantity if self.booked is None else self.booked) - self.filled)

    @property
    def lost(self) -> bool:
        """Whether it was given up without anybody knowing what became of it."""
        return self.state is OrderState.DEAD and self.in_doubt

    @property
    def fruitless(self) -> bool:
        """Whether it has ended without having traded."""
        return not self.open and self.filled == NOTHING


class Native(BaseModel):
    """That the broker places the orders of this operation in one request, and what else such a broker does."""

    model_config = ConfigDict(frozen=True)

    covers_parts: bool
    """Whether the companions protect a part that has filled, too."""
    locks_exits: bool
    """Whether no order is reduce-only, and a stop and a target can wait at once only in one request."""


class Record(BaseModel):
    """What has happened for an operation so far."""

    legs: list[Leg] = []
    native: Native | None = None
    """None where the sidecar places one order after the other. Decided once, when the operation is taken."""
    named: int = 0
    """How many names of legs were given out."""
    reason: str = ""
    unwinding: str = ""
    """Why it is being undone; empty while it is not."""
    exposed_since: float | None = None
    """Since when a position has had less protection at work than was promised."""
    alarms: list[str] = []
    """What a person has been called for."""
    errors: list[str] = []
    recoveries: list[str] = []
    """What trouble it went through: `resumed`, `retried`, `unwound`."""
    prices: dict[Role, Decimal] = {}
    """Where its stop and its target are wanted now, once they were moved."""
    moved_at: dict[Role, float] = {}
    """When they were moved the last time."""
    kept: list[Role] = []
    """What could not be moved, and stands at whatever prices it does until it is moved anew."""
    traceparent: str = ""


class Operation(BaseModel):
    """One operation."""

    id: str
    intent: AnyDraft
    created_at: float
    updated_at: float
    state: OperationState = OperationState.PENDING
    record: Record = Field(default_factory=Record)

    @property
    def type(self) -> OperationType:
        """What kind it is."""
        return self.intent.type

    @property
    def broker(self) -> str:
        """Whose orders they are."""
        return self.intent.broker

    def legs(self, *roles: Role) -> Iterator[Leg]:
        """The legs of these roles, the oldest first."""
        return (leg for leg in self.record.legs if leg.role in roles)

    def companions(self, leg: Leg) -> list[Leg]:
        """The legs that the request of this one places, too."""
        return [other for other in self.record.legs if other.comes_with == leg.name]

    def first_of(self, leg: Leg) -> Leg | None:
        """The leg whose request places this one, too."""
        return next((other for other in self.record.legs if other.name == leg.comes_with), None)

    def last(self, role: Role) -> Leg | None:
        """The newest leg of a role."""
        return next((leg for leg in reversed(self.record.legs) if leg.role is role), None)

    def filled(self, *roles: Role) -> Decimal:
        """How much the legs of these roles have traded."""
        return sum((leg.filled for leg in self.legs(*roles)), NOTHING)

    def left(self, *roles: Role) -> Decimal:
        """How much the open legs of these roles may still trade."""
        return sum((leg.left for leg in self.legs(*roles)), NOTHING)

    def copied(self) -> "Operation":
        """One that can be changed while this one stays as it is; what was asked for is shared, and never changes."""
        record = self.record.model_copy()
        for name, value in self.record:
            if isinstance(value, list | dict):
                setattr(record, name, value.copy())
        record.legs = [leg.model_copy() for leg in record.legs]
        return self.model_copy(update={"record": record})

    def wanted(self, role: Role) -> Decimal | None:
        """Where a bracket's stop or target is to stand; None for no target."""
        asked = getattr(self.intent, f"{role}_price", None)
        return self.record.prices.get(role, asked)

    def attempts(self, role: Role) -> list[Leg]:
        """The orders of a role that came to nothing since it was wanted where it is; not those taken back from here."""
        since = self.record.moved_at.get(role, float("-inf"))
        return [leg for leg in self.legs(role) if leg.fruitless and not leg.cancels and leg.planned_at >= since]

    @property
    def failed(self) -> list[Leg]:
        """The legs that the broker or the sidecar has not carried out, though nobody took them back."""
        bad = {OrderState.REJECTED, OrderState.DEAD, OrderState.EXPIRED}
        return [leg for leg in self.record.legs if leg.state in bad]
