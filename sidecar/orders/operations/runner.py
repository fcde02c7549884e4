"""Carries one operation: looks how its orders are, decides, writes the step down, takes it, and begins again."""

import asyncio
import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from sidecar.clock import Clock
from sidecar.config.model import Operations
from sidecar.orders.errors import StoppingError
from sidecar.orders.operations.bracket_orders import exposure
from sidecar.orders.operations.hands import Hands
from sidecar.orders.operations.journal import Journal, Step
from sidecar.orders.operations.kinds import decide, exposed
from sidecar.orders.operations.model import Operation, Role
from sidecar.orders.operations.moves import Alarm, Cancel, End, Keep, Moment, Move, Note, Place, Shift, Unwind, Wait
from sidecar.orders.operations.planning import planned, spoken
from sidecar.orders.operations.tracing import traced
from sidecar.store import StoreClosedError, StoreError
from sidecar.telemetry.events import (
    Bus,
    OperationChanged,
    OperationRecovery,
    OperationStep,
    PositionUnprotected,
)
from sidecar.words import OperationState

_FIRST_LOOK_SECONDS: Final = 0.5
_TOLD_LOOK_SECONDS: Final = 30.0
"""The longest pause between looks while the broker tells of fills by itself: a stream can miss something."""
_STUMBLE_SECONDS: Final = 1.0
_MOST_STEPS: Final = 100
"""Far more than any operation takes without having to wait for its broker."""
_GOOD: Final = frozenset({OperationState.COMPLETED, OperationState.PARTIALLY_COMPLETED, OperationState.ROLLED_BACK})

_log = logging.getLogger("sidecar.operations")


class Runner:
    """The only one who acts for its operation. `operation` is always as the disk has it."""

    def __init__(
        self,
        operation: Operation,
        *,
        hands: Hands,
        journal: Journal,
        policy: Operations,
        told: Callable[["Runner"], None],
        resumes: bool,
        bus: Bus,
        clock: Clock,
    ) -> None:
        """`told` is called after each step that was written down. `resumes`: it goes on where the last run ended."""
        self.operation = operation
        self.looked = asyncio.Event()
        """Set once the broker has been asked about all of its orders, or it has ended."""
        self._hands = hands
        self._journal = journal
        self._policy = policy
        self._told = told
        self._resumes = resumes
        self._bus = bus
        self._clock = clock
        self._wake = asyncio.Event()
        self._pause = _FIRST_LOOK_SECONDS
        self._look_at = float("-inf")
        self._called: set[str] = set()
        self._asked = ""
        self._hurried = 0
        """Steps since it last had to wait for something."""
        self.shifts: list[Shift] = []
        """What is wanted elsewhere, and not written down yet."""

    def wake(self) -> None:
        """One of its orders has changed."""
        self._wake.set()

    def look_sooner(self) -> None:
        """The broker does not tell of fills any more: look as often as without it, from now on."""
        self._pause = min(self._pause, self._policy.look_seconds)
        self._look_at = min(self._look_at, self._clock.monotonic() + self._pause)
        self._wake.set()

    def unwind(self, reason: str) -> None:
        """Undo the operation; it is written down by the next step."""
        self._asked = reason
        self._wake.set()

    def shift(self, shift: Shift) -> None:
        """Want its stop or target elsewhere; it is written down by the next step, and taken out of `shifts`."""
        self.shifts.append(shift)
        self._wake.set()

    async def settle(self, reason: str) -> None:
        """Write down that it has been undone by other hands; only when `run` has ended. Raises StoreError."""
        changed = self.operation.copied()
        await self._end(changed, End(OperationState.ROLLED_BACK, reason), Step(self._clock.now(), "unwind", reason))

    async def run(self) -> None:
        """Until the operation has ended, or the sidecar ends."""
        while not self.operation.state.final:
            self._wake.clear()
            try:
                await self._round()
            except (StoppingError, StoreClosedError):
                break
            except StoreError:
                await self._exposed_without_disk()
                await self._clock.sleep(_STUMBLE_SECONDS)
            except Exception as failure:  # noqa: BLE001 - whatever broke: an operation is never forgotten
                _log.exception("operation %s stumbled: %s", self.operation.id, type(failure).__name__)
                await self._clock.sleep(_STUMBLE_SECONDS)
        self.looked.set()

    async def _round(self) -> None:
        if self._resumes:
            step = Step(self._clock.now(), "resume", "the sidecar was started again")
            await self._recovering(self.operation.copied(), "resumed", step)
            self._resumes = False
            self._bus.emit(traced(self.operation, "resumed", self._clock.now()))
        await self._refresh()
        if self._asked and not self.operation.record.unwinding:
            await self._act(Unwind(self._asked))
        while self.shifts and not self.operation.record.unwinding:
            await self._act(self.shifts[0])
            del self.shifts[0]
            self._told(self)
        move = decide(self.operation, Moment(self._clock.now(), self._policy))
        if not isinstance(move, Wait):
            await self._act(move)
            self._hurried += 1
            if self._hurried > _MOST_STEPS:  # whatever makes it go round and round must not take the disk and the CPU
                await self._clock.sleep(_STUMBLE_SECONDS)
            return
        self._hurried = 0
        self.looked.set()
        ends = self._look_at
        if move.until is not None:
            ends = min(ends, self._clock.monotonic() + move.until - self._clock.now())
        await self._wait(max(0.001, ends - self._clock.monotonic()))

    async def _wait(self, seconds: float) -> None:
        timer = self._clock.call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    # How its orders are

    async def _refresh(self) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        look = monotonic >= self._look_at
        changed = self.operation.copied()
        legs = changed.record.legs
        moment = Moment(now, self._policy)
        steps = await self._handed_in(changed, moment, companions=False)
        known = [leg for leg in legs if leg.order_id]
        # A cancel that is done has told how much of its order was traded: asked before the order is.
        await asyncio.gather(*(self._hands.follow_cancel(leg) for leg in known if leg.cancel_id))
        await asyncio.gather(*(self._hands.follow(leg, look=look) for leg in known if leg.open))
        steps += await self._handed_in(changed, moment, companions=True)
        self._expose(changed)
        if look:
            self._look_at = self._clock.monotonic() + self._pause
            self._pause = min(2 * self._pause, self._longest_pause(changed))
        if changed != self.operation:
            await self._write(changed, steps + self._progress(changed))
            self._pause = _FIRST_LOOK_SECONDS
            self._look_at = min(self._look_at, self._clock.monotonic() + self._pause)

    async def _handed_in(self, changed: Operation, moment: Moment, *, companions: bool) -> list[Step]:
        """Hand in what was planned and drop what is not wanted any more; companions once their first order is known."""
        steps, legs = list[Step](), changed.record.legs
        for leg in [leg for leg in legs if leg.open and not leg.order_id and bool(leg.comes_with) is companions]:
            if not await self._hands.hand_in(changed, leg, fresh=moment.in_time(leg)):
                legs.remove(leg)
                told = f"{leg.name}: it had not been handed in, and is not wanted any more"
                steps.append(Step(self._clock.now(), "drop", told))
        return steps

    def _longest_pause(self, operation: Operation) -> float:
        seconds = self._policy.look_seconds
        return max(seconds, _TOLD_LOOK_SECONDS) if self._hands.told(operation) else seconds

    def _expose(self, changed: Operation) -> None:
        if not exposed(changed):
            changed.record.exposed_since = None
        elif changed.record.exposed_since is None:
            changed.record.exposed_since = self._clock.now()

    def _progress(self, changed: Operation) -> list[Step]:
        before = {leg.name: leg for leg in self.operation.record.legs}
        steps = []
        for leg in changed.record.legs:
            was = before.get(leg.name)
            if was is None or (was.state, was.filled) != (leg.state, leg.filled):
                traded = f", {leg.filled} traded" if leg.filled else ""
                told = f": {leg.reason}" if leg.reason else ""
                steps.append(Step(self._clock.now(), "progress", f"{leg.name}: {leg.state}{traded}{told}"))
        return steps

    # What is done for it

    async def _act(self, move: Move) -> None:
        changed, now = self.operation.copied(), self._clock.now()
        record = changed.record
        match move:
            case Place():
                await self._plan(changed, move)
            case Cancel():
                await self._cancel(changed, move.leg.name)
            case Alarm():
                self._call(move)
                record.alarms.append(move.key)
                record.errors.append(move.reason)
                await self._write(changed, [Step(now, "alarm", move.reason)])
            case Note():
                record.errors.append(move.reason)
                await self._write(changed, [])
            case Shift():
                told = [self._shifted(changed, role, price) for role, price in move.prices.items()]
                await self._write(changed, [Step(now, "move", words) for words in told])
            case Keep():
                self._shifted(changed, move.role, move.price)
                record.kept.append(move.role)
                record.errors.append(move.reason)
                await self._write(changed, [Step(now, "move", move.reason)])
            case Unwind():
                record.unwinding, changed.state = move.reason, OperationState.ROLLING_BACK
                kind = "" if self._asked else "unwound"
                await self._recovering(changed, kind, Step(now, "unwind", move.reason))
            case End():
                await self._end(changed, move)

    def _shifted(self, changed: Operation, role: Role, price: Decimal) -> str:
        was = changed.wanted(role)
        changed.record.prices[role], changed.record.moved_at[role] = price, self._clock.now()
        changed.record.kept = [kept for kept in changed.record.kept if kept is not role]
        return f"{role} to {price}" + ("" if was is None else f", from {was}")

    async def _plan(self, changed: Operation, move: Place) -> None:
        """Only writes it down: it is handed in when that is on the disk."""
        record, now = changed.record, self._clock.now()
        retried = bool(changed.attempts(move.role))
        legs = planned(record, move, changed.id, now)
        if changed.state is OperationState.PENDING:
            changed.state = OperationState.IN_PROGRESS
        steps = [Step(now, "plan", f"{leg.name}: {spoken(leg)}; to undo it: {leg.undo}") for leg in legs]
        await self._recovering(changed, "retried" if retried else "", *steps)

    async def _cancel(self, changed: Operation, name: str) -> None:
        leg = next(leg for leg in changed.record.legs if leg.name == name)
        leg.cancels += 1
        leg.cancelled_at = None
        if changed.state is OperationState.PENDING:
            changed.state = OperationState.IN_PROGRESS
        await self._write(changed, [Step(self._clock.now(), "cancel", f"{name}: attempt {leg.cancels}")])
        changed = self.operation.copied()
        leg = next(leg for leg in changed.record.legs if leg.name == name)
        await self._hands.cancel(leg, changed.record.traceparent.encode() or None)
        await self._write(changed, [])

    async def _end(self, changed: Operation, move: End, *steps: Step) -> None:
        changed.state, changed.record.reason = move.state, move.reason
        await self._write(changed, list(steps))
        self._bus.emit(traced(changed, "ended", self._clock.now()))
        if changed.record.recoveries:
            result = "succeeded" if move.state in _GOOD else "failed"
            self._bus.emit(
                OperationRecovery(
                    changed.broker, changed.id, changed.type, result, "; ".join(changed.record.recoveries)
                )
            )

    async def _recovering(self, changed: Operation, kind: str, *steps: Step) -> None:
        first = bool(kind) and not changed.record.recoveries
        if kind:
            changed.record.recoveries.append(kind)
        await self._write(changed, list(steps))
        if first:
            self._bus.emit(OperationRecovery(changed.broker, changed.id, changed.type, "attempted", kind))

    def _call(self, alarm: Alarm) -> None:
        """At once, and once: whether the disk takes it or not."""
        if alarm.key in self._called:
            return
        self._called.add(alarm.key)
        operation = self.operation
        instrument = str(getattr(operation.intent, "instrument", ""))
        self._bus.emit(PositionUnprotected(operation.broker, operation.id, operation.type, instrument, alarm.reason))

    async def _exposed_without_disk(self) -> None:
        """A full disk keeps every step back: who is unprotected meanwhile must be known all the same."""
        if exposed(self.operation) and "disk" not in self._called:
            quantity = exposure(self.operation)
            self._call(
                Alarm("disk", f"{quantity} may have no stop: the state file takes no step; make room on its disk")
            )

    # The record

    async def _write(self, changed: Operation, steps: list[Step]) -> None:
        was = self.operation.state
        changed.updated_at = self._clock.now()
        await self._journal.save(changed, steps)
        self.operation = changed
        for step in steps:
            leg = step.detail.partition(":")[0] if step.step in {"plan", "drop", "cancel", "progress"} else ""
            told = (changed.broker, changed.id, changed.type, step.step, leg, step.detail)
            self._bus.emit(OperationStep(*told))
        if changed.state is not was:
            reason = changed.record.reason or changed.record.unwinding
            self._bus.emit(OperationChanged(changed.broker, changed.id, changed.type, was, changed.state, reason))
        self._told(self)
