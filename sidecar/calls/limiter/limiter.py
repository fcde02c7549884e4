"""One broker's limits: may this attempt go now, and if not, when."""

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from typing import Final

from sidecar.brokers.limits import BucketSpec, LimitSpec, Reading, WindowSpec
from sidecar.brokers.profile import Intent, Verdict
from sidecar.calls.limiter.address import Address
from sidecar.calls.limiter.buckets import Bucket
from sidecar.calls.limiter.errors import LimitRefused
from sidecar.calls.limiter.gate import GATE, LONGEST_PAUSE_SECONDS, told_pause
from sidecar.calls.limiter.lease import Lease
from sidecar.calls.limiter.meter import Limit, Meter, Need
from sidecar.calls.limiter.queue import TooLate, Waiter
from sidecar.calls.limiter.specs import plan
from sidecar.calls.limiter.windows import Window
from sidecar.clock import Clock
from sidecar.config import model
from sidecar.telemetry.events import (
    Bus,
    GateOpened,
    GateShut,
    LimitLearnt,
    LimitReading,
    LimitRejected,
    LimitReset,
    LimitWaited,
)
from sidecar.telemetry.state import GateReading, LimitState
from sidecar.words import Outcome, Priority

_RESERVED_UP_TO: Final = max(priority for priority in Priority if priority.reserved)
_KEPT_NEEDS: Final = 1024
"""How many different costs are remembered before starting over; profiles know a few dozen."""
_JITTER_SHARE: Final = 0.1
_JITTER_SECONDS: Final = 1.0
"""A pause that the sidecar chose itself is lengthened at random by up to a tenth, at most a second."""
_OK: Final = Outcome.OK
_ANSWERED: Final = frozenset({Outcome.OK, Outcome.REJECTED})
_TOO_MUCH: Final = frozenset({Outcome.RATE_LIMITED, Outcome.BANNED})


class Limiter:
    """Lets attempts go as fast as the broker allows, the most urgent first.

    Every attempt needs a lease, and every lease is settled exactly once, whatever became of the attempt: an unsettled
    one counts as in flight for ever. A stream's lease is settled when its answer begins.
    """

    def __init__(  # noqa: PLR0917 - six parts, none of which has a default
        self,
        broker: str,
        specs: Sequence[LimitSpec],
        settings: model.Limits,
        address: Address,
        bus: Bus,
        clock: Clock,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._broker = broker
        self._specs = specs
        self._settings = settings
        self._shares = [1.0 if priority <= _RESERVED_UP_TO else settings.wait_at for priority in Priority]
        self._address = address
        self._gate = address.gate
        self._queue = address.queue
        self._ticks = address.ticks
        self._bus = bus
        self._clock = clock
        self._jitter = jitter
        self._windows: list[Window] = []
        self._meters: dict[str, Meter] = {}
        self._default_costs: dict[str, float] = {}
        self._groups: dict[str, str] = {}
        for planned in plan(broker, specs, settings):
            self._enforce(planned.spec, pinned=planned.pinned, cost=planned.cost)
        self.names = tuple(self._meters)
        """The limits' names, in a fixed order."""
        self._needs: dict[tuple[str, tuple[tuple[str, float], ...]], tuple[Need, ...]] = {}

    def _enforce(self, spec: LimitSpec, *, pinned: bool, cost: float) -> None:
        limit = self._address.limit(spec, pinned=pinned)
        mark = -1
        if isinstance(limit, Window):
            self._default_costs[spec.name] = cost
            mark = len(self._windows)
            self._windows.append(limit)
        elif isinstance(spec, BucketSpec):
            self._groups[spec.name] = spec.group
        self._meters[spec.name] = Meter(limit, self._broker, self._bus, warn_at=self._settings.warn_at, mark=mark)

    def adopt(self, settings: model.Limits) -> None:
        """Go by other shares and sizes from now on; which limits there are must be as before.

        What was learnt from the broker of a limit whose settings have not changed stays.
        """
        before, self._settings = plan(self._broker, self._specs, self._settings), settings
        self._open_share = settings.wait_at
        for old, new in zip(before, plan(self._broker, self._specs, settings), strict=True):
            meter = self._meters[new.spec.name]
            meter.warn_at = settings.warn_at
            if old == new:
                continue
            meter.limit.pinned = new.pinned
            if isinstance(meter.limit, Window) and isinstance(new.spec, WindowSpec):
                meter.limit.resize(new.spec.capacity)
            elif isinstance(meter.limit, Bucket) and isinstance(new.spec, BucketSpec):
                meter.limit.resize(new.spec.rate, new.spec.burst)
        self._queue.serve()

    # Before an attempt

    def try_acquire(self, intent: Intent) -> Lease | None:
        """A lease if the attempt may go at once; None when it has to wait, or when its turn has not come."""
        key = (intent.endpoint.group, intent.costs)
        needs = self._needs.get(key)
        if needs is None:
            needs = self._resolve(key)
        priority = intent.priority
        if self._gate.busy and self._gate.remaining() > 0:
            return None
        if self._queue.waiters and self._queue.holds(needs, priority):
            return None
        share = self._shares[priority]
        for limit, cost, _ in needs:
            if not limit.fits(cost, share):
                return None
        return self._take(needs)

    async def acquire(self, intent: Intent, deadline: float) -> Lease:
        """A lease as soon as it is this call's turn; `deadline` in monotonic seconds.

        Raises LimitRefused as soon as it is certain that the turn would come too late.
        """
        lease = self.try_acquire(intent)
        if lease is not None:
            return lease
        waiter = self._waiter(intent, deadline)
        started = self._clock.monotonic()
        end = await self._wait(waiter)
        # Its turn came, and before it ran the gate shut: back into its old place.
        while isinstance(end, Lease) and self._gate.outcome is not None and self._gate.remaining() > 0:
            self.give_back(end)
            waiter.end = asyncio.get_running_loop().create_future()
            end = await self._wait(waiter)
        if isinstance(end, TooLate):
            raise self._refusal(intent, end)
        end.waited = self._clock.monotonic() - started
        if waiter.cause:
            self._bus.emit(LimitWaited(self._broker, intent.endpoint.group, intent.priority, end.waited, waiter.cause))
        return end

    async def _wait(self, waiter: Waiter) -> Lease | TooLate:
        self._queue.add(waiter)
        try:
            return await waiter.end
        except BaseException:
            self._abandon(waiter)
            raise

    def _waiter(self, intent: Intent, deadline: float) -> Waiter:
        needs = self._needs[intent.endpoint.group, intent.costs]
        return Waiter(needs, intent.priority, self._shares[intent.priority], deadline, lambda: self._take(needs))

    def _abandon(self, waiter: Waiter) -> None:
        """The caller went away while it waited, or in the very moment in which its turn came."""
        if waiter.end.done() and not waiter.end.cancelled():
            end = waiter.end.result()
            if isinstance(end, Lease):
                self.give_back(end)
            return
        self._queue.discard(waiter)

    def give_back(self, lease: Lease) -> None:
        """Undo a lease that no attempt will use, instead of settling it; whoever waits may have it."""
        lease.open = False
        for limit, cost, _ in lease.needs:
            limit.give_back(cost)
        self._queue.serve()

    def _take(self, needs: tuple[Need, ...]) -> Lease:
        for limit, cost, _ in needs:
            limit.take(cost)
        if self._gate.busy:
            self._gate.passed()
        return Lease(needs, self._ticks.now, [window.settled for window in self._windows])

    def _resolve(self, key: tuple[str, tuple[tuple[str, float], ...]]) -> tuple[Need, ...]:
        group, costs = key
        amounts = self._default_costs | {name: cost for name, cost in costs if name in self._default_costs}
        amounts |= {name: 1.0 for name, counted in self._groups.items() if counted in {"", group}}
        needs = tuple(
            (meter.limit, amounts[name], meter) for name, meter in self._meters.items() if amounts.get(name, 0.0) > 0
        )
        if len(self._needs) >= _KEPT_NEEDS:
            self._needs.clear()
        self._needs[key] = needs
        return needs

    def _refusal(self, intent: Intent, end: TooLate) -> LimitRefused:
        self._bus.emit(LimitRejected(self._broker, intent.endpoint.group, intent.priority, end.limit))
        never = math.isinf(end.retry_after)
        if never:
            remedy = "it can never fit: make the request smaller, or raise the limit in the configuration"
        else:
            remedy = f"its deadline comes first: ask again in {end.retry_after:.1f} s"
        outcome = (end.limit == GATE and self._gate.outcome) or Outcome.RATE_LIMITED
        obstacle = self._obstacle(end.limit, outcome)
        message = f"{self._broker}: {intent.endpoint.name} was not sent, because {obstacle}; {remedy}"
        return LimitRefused(end.limit, outcome, None if never else end.retry_after, message)

    def _obstacle(self, name: str, outcome: Outcome) -> str:
        if name == GATE:
            return f"the broker takes no calls from this address now ({outcome.value})"
        limit = self._meters[name].limit
        return f"limit {name} is short ({limit.used:g} of {limit.capacity:g} used)"

    # After an attempt

    def settle(self, lease: Lease, readings: Sequence[Reading], verdict: Verdict) -> tuple[LimitReading, ...]:
        """Tell how the attempt ended and what its answer said about the limits; returns what was read.

        A lease that was settled before is ignored. An attempt that never reached the broker stays counted until a
        reading shows that it was not: what cannot be proven not to have arrived is taken to have arrived.
        """
        if not lease.open:
            return ()
        lease.open = False
        now = self._clock.now()
        tick = lease.tick
        outcome = verdict.outcome
        # Most attempts end well, and hashing an enumeration's member is slow: ask for identity first.
        too_much = outcome is not _OK and outcome in _TOO_MUCH
        news = too_much or bool(readings)
        for limit, cost, _ in lease.needs:
            if isinstance(limit, Window):
                limit.settle(cost, tick, now)
                news = True
        told: tuple[LimitReading, ...] = ()
        for reading in readings:
            told += self._read(reading, lease, now)
        for _, _, meter in lease.needs:
            meter.check(now)
        if too_much and not self._fill(lease, verdict, now):
            self._shut(lease, verdict, now, gradual=not told)
        elif self._gate.streak and outcome in _ANSWERED:
            self._gate.calm(tick)
        if news and self._queue.waiters:
            self._queue.serve()
        return told

    def _read(self, reading: Reading, lease: Lease, now: float) -> tuple[LimitReading, ...]:
        meter = self._meters.get(reading.limit)
        if meter is None or meter.mark < 0:
            return ()
        window = self._windows[meter.mark]
        if reading.capacity is not None and reading.capacity != window.capacity:
            self._learn_window(window, reading.capacity)
        used = reading.used
        if used is None or not 0.0 <= used < math.inf:
            return ()
        cost = _charged(lease, window)
        if not cost:
            window.refresh()
        window.read(used, cost, (lease.tick, lease.marks[meter.mark]), now, reading.resets_at)
        if not cost:
            meter.check(now)
        told = LimitReading(self._broker, reading.limit, used, window.capacity, now)
        self._bus.emit(told)
        return (told,)

    def _fill(self, lease: Lease, verdict: Verdict, now: float) -> bool:
        """Count the windows as full that the broker says are used up; False when it named none that is known."""
        if verdict.outcome is Outcome.BANNED:
            return False
        named = [self._meters[name] for name in verdict.limits if name in self._meters and self._meters[name].mark >= 0]
        for meter in named:
            window = self._windows[meter.mark]
            window.refresh()
            window.fill(_charged(lease, window), (lease.tick, lease.marks[meter.mark]), now)
            meter.check(now)
        return bool(named)

    def _shut(self, lease: Lease, verdict: Verdict, now: float, *, gradual: bool) -> None:
        guessed = self._gate.guess(lease.tick, verdict.outcome)
        seconds = told_pause(verdict, now)
        if seconds is None:
            seconds = guessed
            if verdict.outcome is Outcome.RATE_LIMITED:
                seconds = _rest_of_fullest(lease, now) or guessed
            seconds += min(_JITTER_SECONDS, seconds * _JITTER_SHARE) * self._jitter()
        broker, bus = self._broker, self._bus
        news = self._gate.shut(seconds, verdict.outcome, gradual=gradual, announce=lambda: bus.emit(GateOpened(broker)))
        if news:
            left = self._gate.remaining()
            bus.emit(GateShut(broker, self._gate.outcome or verdict.outcome, left, now + left))

    # What the broker announces, and what people ask

    def hold_back_market_data(self, share: float) -> None:
        """Let market data use at most this share of each limit (0 to 1), and never more than other calls.

        Who waits already keeps the share with which it began to wait.
        """
        self._shares[Priority.MARKET_DATA] = min(share, self._settings.wait_at)

    def learn(self, specs: Sequence[LimitSpec]) -> None:
        """Take capacities that the broker announced, unless the configuration says otherwise.

        Only limits that are known by name are changed: an unknown one would be charged by no call.
        """
        for spec in specs:
            meter = self._meters.get(spec.name)
            if meter is None:
                continue
            limit = meter.limit
            if isinstance(limit, Window) and isinstance(spec, WindowSpec):
                # A window of another length is another limit.
                if spec.seconds == limit.seconds:
                    self._learn_window(limit, spec.capacity)
            elif isinstance(limit, Bucket) and isinstance(spec, BucketSpec):
                self._learn_bucket(limit, spec)
        if specs and self._queue.waiters:
            self._queue.serve()

    def _learn_window(self, window: Window, capacity: float) -> None:
        if self._may_learn(window, capacity) and capacity != window.capacity:
            before = window.capacity
            window.resize(capacity)
            self._bus.emit(LimitLearnt(self._broker, window.name, before, capacity))

    def _learn_bucket(self, bucket: Bucket, spec: BucketSpec) -> None:
        if self._may_learn(bucket, min(spec.rate, spec.burst)) and (spec.rate, spec.burst) != (
            bucket.rate,
            bucket.burst,
        ):
            before = bucket.burst
            bucket.resize(spec.rate, spec.burst)
            self._bus.emit(LimitLearnt(self._broker, bucket.name, before, bucket.burst))

    def _may_learn(self, limit: Limit, size: float) -> bool:
        return self._settings.learn and not limit.pinned and math.isfinite(size) and size > 0

    def reset(self, reason: str) -> None:
        """Forget what was counted and told, and open the gate, a ban's too: a person says so, and says why.

        The limits that count by address are reset for every broker at it.
        """
        for meter in self._meters.values():
            meter.limit.reset()
        self._gate.force_open()
        self._bus.emit(LimitReset(self._broker, reason))
        self._queue.serve()

    def states(self) -> tuple[LimitState, ...]:
        """Every limit now, in the order of `names`."""
        now = self._clock.now()
        states = []
        for name, meter in self._meters.items():
            limit = meter.limit
            limit.refresh()
            meter.check(now)
            states.append(
                LimitState(
                    limit=name,
                    used=limit.used,
                    capacity=limit.capacity,
                    read_at=limit.read_at,
                    exhaustion_seconds=limit.exhaustion(),
                    waiting=self._queue.waiting_for(limit),
                )
            )
        return tuple(states)

    def gate(self) -> GateReading:
        """The gate of the address now."""
        return self._gate.reading()


def _charged(lease: Lease, window: Window) -> float:
    """What the attempt was charged in a window."""
    return next((cost for limit, cost, _ in lease.needs if limit is window), 0.0)


def _rest_of_fullest(lease: Lease, now: float) -> float | None:
    """Seconds until the fullest window ends that the attempt was counted in; None when it was in none that ends soon.

    A long window (a day's orders) is no reason to leave cancels unsent until midnight.
    """
    windows = [limit for limit, _, _ in lease.needs if isinstance(limit, Window)]
    ending = [window for window in windows if window.seconds <= LONGEST_PAUSE_SECONDS]
    if not ending:
        return None
    fullest = max(ending, key=lambda window: window.used / window.capacity)
    return max(0.0, fullest.roll_at - now)
