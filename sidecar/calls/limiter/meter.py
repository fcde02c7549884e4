"""One broker's view of one limit: whether it has warned."""

from typing import Final

from sidecar.calls.limiter.buckets import Bucket
from sidecar.calls.limiter.windows import Window
from sidecar.telemetry.events import Bus, LimitThreshold

Limit = Window | Bucket
HOLD_SECONDS: Final = 10.0
"""A warning stands at least this long: use that swings around the threshold is told twice in it, not twice a call."""
RELIEF_SHARE: Final = 0.9
"""Use must fall to this part of the threshold before a warning is taken back."""


class Meter:
    """Tells when a limit's use crosses the warning share. `mark` is its place in a lease's marks; -1 for none."""

    __slots__ = ("_broker", "_bus", "_since", "_warned", "limit", "mark", "warn_at")

    def __init__(self, limit: Limit, broker: str, bus: Bus, *, warn_at: float, mark: int) -> None:
        self.limit = limit
        self.warn_at = warn_at
        self.mark = mark
        self._broker = broker
        self._bus = bus
        self._warned = False
        self._since = 0.0

    def check(self, now: float) -> None:
        """Tell when the threshold has been crossed; `now` in Unix seconds."""
        limit = self.limit
        if (limit.used >= limit.capacity * self.warn_at) is not self._warned:
            self._cross(now)

    def _cross(self, now: float) -> None:
        limit = self.limit
        if self._warned:
            held = 0 <= now - self._since < HOLD_SECONDS
            if held or limit.used > limit.capacity * self.warn_at * RELIEF_SHARE:
                return
        self._warned = not self._warned
        self._since = now
        self._bus.emit(LimitThreshold(self._broker, limit.name, limit.used, limit.capacity, above=self._warned))


Need = tuple[Limit, float, Meter]
"""A limit, what a call takes of it, and who watches it."""
