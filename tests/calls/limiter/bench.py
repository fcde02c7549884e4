"""What the limiter's tests share: a limiter on a virtual clock, and a broker that counts in aligned windows."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

from sidecar.brokers.limits import BucketSpec, LimitSpec, Reading, Scope, WindowSpec
from sidecar.brokers.profile import Endpoint, Intent, Verdict
from sidecar.calls.limiter import Address, Lease, Limiter
from sidecar.clock import VirtualClock
from sidecar.config.model import Limits
from sidecar.telemetry import events
from sidecar.telemetry.state import LimitState
from sidecar.words import Effect, Outcome, Priority

E = TypeVar("E")

OK = Verdict(Outcome.OK)
ENOUGH = 1e4
"""A deadline that never comes."""

WEIGHT = WindowSpec("weight_1m", 100, 60, Scope.ADDRESS, b"x-mbx-used-weight-1m")
ORDERS = WindowSpec("orders_10s", 20, 10, Scope.ACCOUNT, b"x-mbx-order-count-10s")

KINDS = {
    "orders": Effect.OPENS_RISK,
    "pricing": Effect.READ,
    "streaming": Effect.READ,
}


def intent(priority: Priority = Priority.MARKET_DATA, group: str = "pricing", **costs: float) -> Intent:
    endpoint = Endpoint("some_endpoint", group, KINDS[group], priority)
    return Intent(endpoint, endpoint.effect, priority, tuple(costs.items()))


def weight(cost: float = 1, priority: Priority = Priority.MARKET_DATA) -> Intent:
    return intent(priority, weight_1m=cost)


def told(used: float, limit: str = "weight_1m") -> tuple[Reading, ...]:
    return (Reading(limit, used),)


class Bench:
    """A limiter, ten seconds into a minute, with everything it told."""

    def __init__(self, *specs: LimitSpec, now: float = 1_800_000_010.0, **settings: Any) -> None:
        self.clock = VirtualClock(now)
        self.bus = events.Bus(self.clock)
        self.told: list[events.Event] = []
        kinds: tuple[type, ...] = (
            events.LimitReading,
            events.LimitThreshold,
            events.LimitLearnt,
            events.LimitReset,
            events.LimitWaited,
            events.LimitRejected,
            events.GateShut,
            events.GateOpened,
        )
        for kind in kinds:
            self.bus.subscribe(kind, self.told.append)
        self.address = Address(self.clock)
        self.settings = Limits.model_validate(settings)
        self.limiter = self.another("binance", specs or (WEIGHT,))

    def another(self, broker: str, specs: Sequence[LimitSpec]) -> Limiter:
        """One more broker at the same address."""
        return Limiter(broker, specs, self.settings, self.address, self.bus, self.clock, jitter=lambda: 1.0)

    def events(self, kind: type[E]) -> list[E]:
        return [event for event in self.told if isinstance(event, kind)]

    def state(self, name: str = "weight_1m") -> LimitState:
        return next(state for state in self.limiter.states() if state.limit == name)

    def lease(self, wanted: Intent | None = None) -> Lease:
        lease = self.limiter.try_acquire(wanted or weight())
        assert lease is not None
        return lease

    def spend(self, cost: float, used: float | None = None, verdict: Verdict = OK) -> None:
        """Make a call that is answered at once, with a reading when `used` is given."""
        lease = self.lease(weight(cost, Priority.CANCEL))
        self.limiter.settle(lease, () if used is None else told(used), verdict)

    def nothing_is_left_behind(self) -> bool:
        """Nobody waits, and no timer runs."""
        queue = self.address.queue
        return not queue.waiters and queue._timer is None and math.isinf(queue._wakes_at)


class CountingBroker:
    """A broker with one windowed limit, a clock of its own, and other users at the same address."""

    def __init__(self, clock: VirtualClock, seconds: float, skew: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._skew = skew
        self.ours: defaultdict[int, float] = defaultdict(float)
        self.others: defaultdict[int, float] = defaultdict(float)

    def window(self) -> int:
        return math.floor((self._clock.now() + self._skew) / self._seconds)

    def count(self, cost: float) -> float:
        """One of our calls arrives; returns what the header says."""
        window = self.window()
        self.ours[window] += cost
        return self.ours[window] + self.others[window]


def bucket(name: str, rate: float, burst: float, group: str = "") -> BucketSpec:
    return BucketSpec(name, rate, burst, group=group)
