"""Those who wait: in order of priority, then of arrival.

A waiter holds up only those who need what it is short of. Whoever needs the same short limit and is not of a higher
priority waits behind it; whoever needs other limits goes. So a full order count never stops market data, and a waiter
with a large cost is not starved by a stream of small ones.
"""

import asyncio
import math
from bisect import insort
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Final

from sidecar.calls.limiter.gate import GATE, Gate
from sidecar.calls.limiter.lease import Lease
from sidecar.calls.limiter.meter import Limit, Need
from sidecar.clock import Cancellable, Clock
from sidecar.words import Priority

_SOON_SECONDS: Final = 0.001
"""Timers are no finer than this; a shorter one could find that nothing has changed, and spin."""
_NOBODY: Final = 99


@dataclass(frozen=True, slots=True)
class TooLate:
    """A waiter's bad end: what it was short of, and when asking again makes sense (infinite: never)."""

    limit: str
    retry_after: float


class Waiter:
    """One call that waits. `deadline` in monotonic seconds; `grant` takes its limits and makes its lease."""

    __slots__ = ("cause", "deadline", "end", "grant", "needs", "priority", "rank", "share", "short")

    def __init__(
        self, needs: tuple[Need, ...], priority: Priority, share: float, deadline: float, grant: Callable[[], Lease]
    ) -> None:
        self.needs = needs
        self.priority = priority
        self.share = share
        """The share of each limit that it may use."""
        self.deadline = deadline
        self.grant = grant
        self.end: asyncio.Future[Lease | TooLate] = asyncio.get_running_loop().create_future()
        self.short: tuple[Limit, ...] = ()
        """What it waits for; empty while it waits for the gate."""
        self.cause = ""
        """The name of what it was last short of; empty when it never had to wait."""
        self.rank: tuple[int, int] | None = None
        """Priority and arrival; None until it has arrived."""


class Queue:
    """The waiters of one address. One timer for all of them, and none when nobody waits."""

    def __init__(self, clock: Clock, gate: Gate) -> None:
        self._clock = clock
        self._gate = gate
        self.waiters: list[Waiter] = []
        """Those who wait, in order; for others to read only."""
        self._arrived = 0
        self._held: dict[Limit, int] = {}
        self._held_at_gate = _NOBODY
        self._soonest: dict[tuple[Limit, float, float], float] = {}
        self._timer: Cancellable | None = None
        self._wakes_at = math.inf

    def holds(self, needs: tuple[Need, ...], priority: Priority) -> bool:
        """Whether somebody of this priority or a higher one waits for one of these limits, or for the gate."""
        if self._held_at_gate <= priority:
            return True
        return any(self._held.get(need[0], _NOBODY) <= priority for need in needs)

    def waiting_for(self, limit: Limit) -> int:
        """How many are short of this limit."""
        return sum(limit in waiter.short for waiter in self.waiters)

    def add(self, waiter: Waiter) -> None:
        """Take in a call that cannot go now; its `end` tells how it ends, possibly at once. It keeps a rank it has."""
        if waiter.rank is None:
            self._arrived += 1
            waiter.rank = (waiter.priority, self._arrived)
        insort(self.waiters, waiter, key=lambda one: one.rank or (0, 0))
        self._soonest.clear()
        wake = self._look_at(waiter, self._clock.monotonic())
        if waiter.end.done():
            self.waiters.remove(waiter)
        if self.waiters and wake < self._wakes_at:
            self._arm(wake)

    def discard(self, waiter: Waiter) -> None:
        """A caller has gone away: forget it, and let those go whom it held up."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
            self.serve()

    def serve(self) -> None:
        """Let everybody go who can, in order; refuse whoever certainly comes too late; wake up for the next."""
        self._held.clear()
        self._held_at_gate = _NOBODY
        self._soonest.clear()
        now = self._clock.monotonic()
        wake = math.inf
        for waiter in self.waiters:
            if (again := self._look_at(waiter, now)) < wake:
                wake = again
        self.waiters = [waiter for waiter in self.waiters if not waiter.end.done()]
        self._arm(wake)

    def _look_at(self, waiter: Waiter, now: float) -> float:
        """Decide on one waiter, those before it having been decided on; returns when to look again (monotonic)."""
        if waiter.end.done():
            return math.inf
        if self._gate.busy and (closed := self._gate.remaining()) > 0:
            return self._hold_at_gate(waiter, now, closed)
        short, first = self._shortage(waiter)
        waiter.short = tuple([need[0] for need in short])
        if short:
            waiter.cause = short[0][0].name
        if now >= waiter.deadline:
            wait = max((limit.wait(cost, waiter.share) for limit, cost, _ in short), default=0.0)
            return self._end(waiter, TooLate(waiter.cause or GATE, wait))
        if not short and self._held_at_gate > waiter.priority:
            self._soonest.clear()
            return self._end(waiter, waiter.grant())
        return self._hold(waiter, now, short, first)

    def _shortage(self, waiter: Waiter) -> tuple[list[Need], list[Need]]:
        """What a waiter is short of, and of that, what nobody before it waits for."""
        short, first = [], []
        for need in waiter.needs:
            limit = need[0]
            if self._held.get(limit, _NOBODY) <= waiter.priority:
                short.append(need)
            elif not limit.fits(need[1], waiter.share):
                short.append(need)
                first.append(need)
        return short, first

    def _hold_at_gate(self, waiter: Waiter, now: float, closed: float) -> float:
        waiter.short = ()
        waiter.cause = GATE
        if now + closed >= waiter.deadline:
            return self._end(waiter, TooLate(GATE, closed))
        self._held_at_gate = min(self._held_at_gate, waiter.priority)
        return now + closed

    def _hold(self, waiter: Waiter, now: float, short: list[Need], first: list[Need]) -> float:
        for limit, cost, _ in short:
            if now + self._certainly_not_within(limit, cost, waiter.share) >= waiter.deadline:
                waiter.cause = limit.name
                return self._end(waiter, TooLate(limit.name, limit.wait(cost, waiter.share)))
        # Who is held up by others only is looked at when they go; until then just its deadline matters.
        wake = waiter.deadline
        if first:
            wake = min(wake, now + max(limit.wait(cost, waiter.share) for limit, cost, _ in first))
        for limit, _, _ in first:
            self._held[limit] = waiter.priority
        return wake

    def _certainly_not_within(self, limit: Limit, cost: float, share: float) -> float:
        """`soonest` of a limit: many wait for the same, so it is worked out once until somebody goes."""
        key = (limit, cost, share)
        seconds = self._soonest.get(key)
        if seconds is None:
            seconds = self._soonest[key] = limit.soonest(cost, share)
        return seconds

    @staticmethod
    def _end(waiter: Waiter, end: Lease | TooLate) -> float:
        waiter.end.set_result(end)
        return math.inf

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wakes_at = at
        if at < math.inf:
            delay = max(_SOON_SECONDS, at - self._clock.monotonic())
            # An empty context: what happens then belongs to no call in particular.
            self._timer = Context().run(self._clock.call_later, delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.serve()
