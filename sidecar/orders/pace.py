"""How fast orders that waited are sent on: a steady rate with a small burst, so that no reopening becomes a rush."""

from sidecar.clock import Clock


class Pace:
    """At most `rate` a second, `burst` at once."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._step = 1 / rate
        self._slack = (burst - 1) * self._step
        self._clock = clock
        self._due = clock.monotonic()

    def adopt(self, rate: float, burst: int) -> None:
        """Go by these figures from the next one on."""
        self._step = 1 / rate
        self._slack = (burst - 1) * self._step
        # What a slower pace has put off is not waited for at the new one.
        self._due = min(self._due, self._clock.monotonic() + self._slack + self._step)

    def wait(self) -> float:
        """Seconds until the next may go; 0 when it may go now."""
        return max(0.0, self._due - self._slack - self._clock.monotonic())

    def take(self) -> None:
        """One goes."""
        self._due = max(self._due, self._clock.monotonic()) + self._step
