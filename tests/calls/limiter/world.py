"""A limiter against a broker whose clock is wrong, over a slow network, beside other users of the address."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from hypothesis import strategies as st

from sidecar.brokers.limits import Reading, Scope, WindowSpec
from sidecar.calls.limiter import Lease, LimitRefused
from sidecar.words import Priority
from tests.calls.limiter.bench import OK, Bench, CountingBroker, told, weight

CAPACITY = 40
TIMER = 0.002
"""How late a timer may be."""


@dataclass(frozen=True)
class Caller:
    """One call of ours: when it asks, what it costs, how long its way there and back is, how long it waits."""

    at: float
    cost: int
    there: float
    back: float
    priority: Priority
    patience: float
    reads: bool
    leaves_after: float | None


when = st.floats(0, 45) | st.sampled_from([0.0, 4.5, 8.5, 9.5, 10.5, 11.0, 19.5, 20.5, 29.5, 31.0])
any_latency = st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 15))
small_latency = st.floats(0, 2)


def crowds(patience: st.SearchStrategy[float], *, leaving: bool = False) -> st.SearchStrategy[list[Caller]]:
    """Callers of every kind; some have the patience and some the bad luck to leave."""
    one = st.builds(
        Caller,
        at=when,
        cost=st.integers(3, 16),
        there=any_latency,
        back=any_latency,
        priority=st.sampled_from(Priority),
        patience=patience,
        reads=st.booleans(),
        leaves_after=st.none() | st.floats(0, 20) if leaving else st.none(),
    )
    return st.lists(one, min_size=1, max_size=60) | st.lists(one, min_size=20, max_size=60)


def readers() -> st.SearchStrategy[list[Caller]]:
    """Callers who bring home readings in good time, so that others' use becomes known."""
    one = st.builds(
        Caller,
        at=st.floats(0, 40),
        cost=st.integers(1, 5),
        there=small_latency,
        back=small_latency,
        priority=st.sampled_from(Priority),
        patience=st.floats(0, 40),
        reads=st.just(value=True),
        leaves_after=st.none(),
    )
    return st.lists(one, min_size=15, max_size=60)


def _leave(task: asyncio.Task[None]) -> None:
    task.cancel()


class World:
    """Runs a crowd of callers, and holds the broker's book against what the limiter allowed."""

    def __init__(self, seconds: float, skew: float, start: float, others: Sequence[tuple[float, int]] = ()) -> None:
        self.seconds = seconds
        self.others = others
        self.bench = Bench(
            WindowSpec("weight_1m", CAPACITY, seconds, Scope.ADDRESS, b"used"), now=1_800_000_000.0 + start
        )
        self.clock = self.bench.clock
        self.broker = CountingBroker(self.clock, seconds, skew)
        self.refused = self.granted = self.finished = self.left = self.checked = 0
        self._arrived: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self._known: defaultdict[int, float] = defaultdict(float)

    def run(self, crowd: Sequence[Caller]) -> None:
        self.clock.run(self._everybody(crowd))

    async def _everybody(self, crowd: Sequence[Caller]) -> None:
        async with asyncio.TaskGroup() as group:
            for caller in crowd:
                task = group.create_task(self._one(caller))
                if caller.leaves_after is not None:
                    self.clock.call_later(caller.at + caller.leaves_after, partial(_leave, task))
            for at, cost in sorted(self.others):
                await self.clock.sleep(at - self.clock.monotonic())
                self.broker.others[self.broker.window()] += cost

    async def _one(self, caller: Caller) -> None:
        try:
            await self.clock.sleep(caller.at)
            deadline = self.clock.monotonic() + caller.patience
            lease = await self.bench.limiter.acquire(weight(caller.cost, caller.priority), deadline)
        except LimitRefused:
            assert self.clock.monotonic() <= deadline + TIMER
            self.refused += 1
            return
        except asyncio.CancelledError:
            self.left += 1
            raise
        assert self.clock.monotonic() <= deadline
        self.granted += 1
        try:
            await self._call(caller, lease, order=self.granted)
        except asyncio.CancelledError:
            self.left += 1
            raise
        self.finished += 1

    async def _call(self, caller: Caller, lease: Lease, *, order: int) -> None:
        sent = self.clock.now()
        known = dict(self._known)
        readings: tuple[Reading, ...] = ()
        try:
            await self.clock.sleep(caller.there)
            window = self.broker.window()
            used = self.broker.count(caller.cost)
            others = self.broker.others[window]
            self._check(window, order, caller.cost, known.get(window, 0.0))
            await self.clock.sleep(caller.back)
            readings = told(used) if caller.reads else ()
        finally:
            self.bench.limiter.settle(lease, readings, OK)
        if readings and sent >= window * self.seconds + 1 and self.clock.now() < (window + 1) * self.seconds - 1:
            self._known[window] = max(self._known[window], others)

    def _check(self, window: int, order: int, cost: int, known: float) -> None:
        """`known` is what answers had told of the others when this call was let go."""
        self._arrived[window].append((order, cost))
        assert self.broker.ours[window] <= CAPACITY
        assert sum(cost for earlier, cost in self._arrived[window] if earlier <= order) + known <= CAPACITY
        self.checked += known > 0
