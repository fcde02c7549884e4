"""What all brokers share that are reached at one upstream host."""

from sidecar.brokers.limits import LimitSpec, Scope, WindowSpec
from sidecar.calls.limiter.buckets import Bucket
from sidecar.calls.limiter.gate import Gate
from sidecar.calls.limiter.meter import Limit
from sidecar.calls.limiter.queue import Queue
from sidecar.calls.limiter.ticks import Ticks
from sidecar.calls.limiter.windows import Window
from sidecar.clock import Clock


class Address:
    """The gate, the limits that count by address, and everybody who waits, whichever broker they call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shared: dict[tuple[str, float], Limit] = {}
        self.ticks = Ticks()
        self.gate = Gate(clock, self.ticks)
        self.queue = Queue(clock, self.gate)

    def limit(self, spec: LimitSpec, *, pinned: bool) -> Limit:
        """The accounting for a limit: shared when it counts by address, else new.

        Where two configurations set the same shared limit, the smaller size holds.
        """
        if spec.scope is not Scope.ADDRESS:
            return self._make(spec, pinned=pinned)
        key = (spec.name, spec.seconds if isinstance(spec, WindowSpec) else 0.0)
        known = self._shared.get(key)
        if known is None:
            self._shared[key] = known = self._make(spec, pinned=pinned)
        elif pinned:
            _tighten(known, spec)
            known.pinned = True
        return known

    def _make(self, spec: LimitSpec, *, pinned: bool) -> Limit:
        if isinstance(spec, WindowSpec):
            return Window(spec, self._clock, self.ticks, pinned=pinned)
        return Bucket(spec, self._clock, pinned=pinned)


def _tighten(limit: Limit, spec: LimitSpec) -> None:
    if isinstance(limit, Window) and isinstance(spec, WindowSpec):
        limit.resize(min(limit.capacity, spec.capacity) if limit.pinned else spec.capacity)
    elif isinstance(limit, Bucket) and not isinstance(spec, WindowSpec):
        rate, burst = (
            (min(limit.rate, spec.rate), min(limit.burst, spec.burst)) if limit.pinned else (spec.rate, spec.burst)
        )
        limit.resize(rate, burst)
