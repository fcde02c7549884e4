"""What an order becomes by the result of its call, and by what a look at the broker told."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sidecar.brokers.profile import Finding, Profile, Progress
from sidecar.calls.model import Result
from sidecar.orders.order import Kind, Order
from sidecar.wire import Answer, Request, header
from sidecar.words import OrderState, Outcome

_ANSWERED: Final = frozenset({Outcome.OK, Outcome.REJECTED})
_SHORTEST_HOLD_SECONDS: Final = 1.0
_LONGEST_HOLD_SECONDS: Final = 60.0
"""A pause that was told is looked at again after this long: a person may have ended it."""


@dataclass(frozen=True, slots=True)
class Next:
    """One step of an order."""

    state: OrderState
    reason: str
    broker_order_id: str = ""
    answer: Answer | None = None
    transmitted: bool = False
    """Whether the broker has seen it at all this time."""
    doubtful: bool = False
    """Whether it may have been executed, without anybody knowing."""
    filled: Decimal | None = None
    """How much of it has been traded, where that is known."""
    hold: float = 0.0
    """Seconds for which nothing else is worth trying either: it was refused here, before anything was sent."""


def after_call(sent: Request, result: Result, profile: Profile) -> Next:
    """The step that the result of an order's call means; `sent` is the request as it went out."""
    fate, answer = result.fate, result.answer
    told = fate.header().decode()
    match fate.outcome:
        case Outcome.UNKNOWN:
            return Next(OrderState.IN_DOUBT, told, transmitted=True, doubtful=True)
        case outcome if outcome in _ANSWERED:
            return _answered(sent, answer, profile, told)
        case Outcome.FATAL:
            progress = profile.progress(sent, answer)
            if progress is None and fate.source == "broker":
                # The key, the signature or the clock: signed anew, the order may be taken.
                return Next(OrderState.QUEUED, f"not executed: {told}", transmitted=True)
            reason = progress.detail if progress is not None else told
            return Next(OrderState.REJECTED, reason or told, answer=answer, transmitted=fate.attempts > 0)
        case _:
            hold = 0.0 if fate.attempts else _hold(answer)
            return Next(OrderState.QUEUED, f"not executed: {told}", transmitted=fate.attempts > 0, hold=hold)


def after_look(order: Order, found: Finding, profile: Profile) -> Next | None:
    """The step that a finding means; None when it settles nothing."""
    progress = found_progress(order, found, profile)
    if progress is not None:
        reason = f"looked up: {progress.detail or found.status}"
        return Next(progress.state, reason, progress.broker_order_id, found.answer, filled=progress.filled)
    if found.answer is None and order.kind is Kind.CANCEL:
        # Its order is as open as before: the cancel has not been executed, and may go again.
        return Next(OrderState.QUEUED, f"looked up: the order is {found.status.lower()} and not cancelled")
    return None


def found_progress(order: Order, found: Finding, profile: Profile) -> Progress | None:
    """How far a finding says that the order is now; None when it does not say."""
    if found.progress is not None or found.answer is None:
        return found.progress
    return profile.progress(order.request, found.answer)


def _answered(sent: Request, answer: Answer, profile: Profile, told: str) -> Next:
    progress = profile.progress(sent, answer)
    if progress is None:
        reason = f"{told}; the answer does not say what became of it"
        return Next(OrderState.IN_DOUBT, reason, transmitted=True, doubtful=True)
    reason = progress.detail or told
    return Next(progress.state, reason, progress.broker_order_id, answer, transmitted=True, filled=progress.filled)


def _hold(answer: Answer) -> float:
    told = header(answer.headers, b"retry-after")
    seconds = float(told) if told is not None and told.isdigit() else 0.0
    return min(max(seconds, _SHORTEST_HOLD_SECONDS), _LONGEST_HOLD_SECONDS)
