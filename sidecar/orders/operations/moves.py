"""What can be the next thing to do for an operation, and what all kinds of operations decide alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sidecar.brokers.groups import Link
from sidecar.config.model import Operations
from sidecar.orders.draft import OrderDraft
from sidecar.orders.operations.model import Leg, Operation, Role
from sidecar.words import OperationState, OrderState

LINKED_SECONDS: Final = 5.0
"""What a broker has linked to an order that has traded is cancelled from here, too, when it stands for longer."""
LONGEST_PAUSE_SECONDS: Final = 60.0
"""Pause between cancels that do not succeed: they are tried for ever, because an orphan may trade at any time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Write an order down, then hand it in; its companions with it, in the same request."""

    role: Role
    terms: OrderDraft
    companions: tuple[tuple[Role, OrderDraft], ...] = ()
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Write down that an order is to be cancelled, then do it."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Alarm:
    """Call a person, once for each `key`."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Keep a sentence about what failed, once."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unwind:
    """Begin to undo the operation."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done before something changes, or before `until` (Unix seconds)."""

    until: float | None = None


@dataclass(frozen=True, slots=True)
class End:
    """It is over."""

    state: OperationState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """Want a bracket's stop, its target or both elsewhere."""

    prices: Mapping[Role, Decimal]


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave what could not be moved where it stands."""

    role: Role
    price: Decimal
    reason: str


Move = Place | Cancel | Alarm | Note | Unwind | Shift | Keep | Wait | End


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No further attempt is made."""

    reason: str


@dataclass(frozen=True, slots=True)
class Moment:
    """What a decision depends on besides the operation."""

    now: float
    """Unix seconds."""
    policy: Operations

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return float(min(self.policy.base_seconds * 2.0 ** max(0, failures - 1), LONGEST_PAUSE_SECONDS))

    def fresh(self, operation: Operation) -> bool:
        """Whether what was not begun yet may still begin."""
        return self.now - operation.created_at < self.policy.stale_seconds

    def in_time(self, leg: Leg) -> bool:
        """Whether what was planned may still be handed in, where that must not happen long afterwards."""
        return self.now - leg.planned_at < self.policy.stale_seconds

    def again(self, operation: Operation, role: Role, terms: OrderDraft) -> Place | Wait | Exhausted:
        """Another attempt at a leg, after a pause that grows, unless there have been enough."""
        lost = next((leg for leg in operation.legs(role) if leg.lost), None)
        if lost is not None and role is not Role.STOP:  # a stop too many does less harm than none
            return Exhausted(f"{lost.name} may have been executed, and nobody knows: {lost.reason}")
        failed = operation.attempts(role)
        if not failed:
            return Place(role, terms)
        if len(failed) >= self.policy.attempts:
            return Exhausted(f"{failed[-1].name} was the last of {len(failed)} attempts: {failed[-1].reason}")
        due = (failed[-1].ended_at or self.now) + self.pause(len(failed))
        return Wait(due) if due > self.now else Place(role, terms)

    def cancel(self, legs: Iterable[Leg]) -> Cancel | None:
        """The cancel of one of these orders that can be begun now.

        One in doubt is asked for first; one whose cancel did not succeed is tried again after a pause.
        """
        for leg in legs:
            if not leg.open or leg.cancel_id or not leg.order_id or leg.state is OrderState.IN_DOUBT or leg.taken_back:
                continue
            if leg.cancelled_at is not None and self.now < leg.cancelled_at + self.pause(leg.cancels):
                continue
            return Cancel(leg)
        return None

    def let_go(self, operation: Operation, legs: Iterable[Leg]) -> Cancel | Wait | None:
        """The cancel of what another order has made needless; the broker ends by itself what it has linked to that."""
        needless = still_open(legs)
        if not any(leg.comes_with or leg.link is Link.OCO for leg in needless):
            return self.cancel(needless)
        traded = [leg for leg in operation.record.legs if leg.filled and leg.role is not Role.ENTRY]
        if not traded:
            return self.cancel(needless)
        due = LINKED_SECONDS + max(self.now if leg.ended_at is None else leg.ended_at for leg in traded)
        return Wait(due) if due > self.now else self.cancel(needless)


def unsettled_cancel(operation: Operation, policy: Operations) -> Alarm | None:
    """A person has to know of an order that cannot be cancelled, and may trade."""
    for leg in operation.record.legs:
        if leg.open and not leg.cancel_id and not leg.taken_back and leg.cancels >= policy.attempts:
            alarm = Alarm(f"orphan {leg.name}", f"{leg.name} could not be cancelled {leg.cancels} times, and may trade")
            if alarm.key not in operation.record.alarms:
                return alarm
    return None


def called(operation: Operation, key: str, reason: str, otherwise: Move) -> Move:
    """An alarm, and what follows once it has been told."""
    return otherwise if key in operation.record.alarms else Alarm(key, reason)


def unwound(operation: Operation) -> Move:
    """The end of an operation that was undone, once nothing of it is open any more."""
    if still_open(operation.record.legs):
        return Wait()
    why = operation.record.unwinding
    lost = [leg.name for leg in operation.record.legs if leg.lost]
    if lost:
        words = f"{why}; {' and '.join(lost)} may be in the broker's book, and nobody knows"
        return called(operation, "lost", words, End(OperationState.FAILED, words))
    return End(OperationState.ROLLED_BACK, why)


def traded_too_much(operation: Operation, moment: Moment, terms: OrderDraft, reason: str) -> Move:
    """Trade back what was traded too much, and call a person."""
    if "too much" not in operation.record.alarms:
        return Alarm("too much", reason)
    if operation.left(Role.RESTORE) > 0:
        return Wait()
    move = moment.again(operation, Role.RESTORE, terms)
    if isinstance(move, Exhausted):
        words = f"{reason}; it could not be traded back: {move.reason}"
        return called(operation, "not restored", words, End(OperationState.FAILED, words))
    return move


def still_open(legs: Iterable[Leg]) -> list[Leg]:
    """Those that may still trade."""
    return [leg for leg in legs if leg.open]


def more(wanted: Decimal, covered: Decimal) -> Decimal | None:
    """What is missing; None when nothing is."""
    return wanted - covered if wanted > covered else None
