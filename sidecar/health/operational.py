"""What the sidecar as a whole is doing: `STARTING`, `ACTIVE`, `WAITING`, `ERROR`, `SHUTDOWN`.

It follows from what the start-up checks say of each broker. One broker that can be traded with is enough to be active:
a broker that is away must not keep the others from trading. What that broker itself may do meanwhile is told in
`sidecar.health.startup`.
"""

from collections.abc import Sequence

from sidecar.clock import Clock
from sidecar.telemetry.events import Bus, OperationalStateChanged, SelfChecked
from sidecar.telemetry.state import CheckReading, OperationalReading, ReadinessReading
from sidecar.words import OperationalState, Readiness

_SAYS = {
    Readiness.READY: OperationalState.ACTIVE,
    Readiness.CHECKING: OperationalState.STARTING,
    Readiness.WAITING: OperationalState.WAITING,
    Readiness.ERROR: OperationalState.ERROR,
}
"""What one broker alone would make of the whole; of several, the first in this order that any broker says."""


class Operational:
    """The operational state. Probes, status and metrics ask it; it is the API's `Health`."""

    def __init__(self, brokers: Sequence[str], *, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._state = OperationalState.STARTING
        self._since = clock.now()
        self._began = clock.monotonic()
        self._reason = "opening"
        self._opened = False
        self._checks: tuple[CheckReading, ...] = ()
        self._brokers = {
            name: ReadinessReading(name, Readiness.CHECKING, "", self._since, self._since) for name in brokers
        }

    @property
    def started(self) -> bool:
        """Whether the sidecar itself is up; neither the bot nor a broker has a say in it."""
        return self._opened

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether calls are welcome, and words that say why not."""
        if self._state is OperationalState.ACTIVE:
            return True, "ready"
        if self._state is OperationalState.SHUTDOWN:
            return False, "stopping"
        return False, f"{self._state}: {self._reason}"

    def readiness(self, broker: str) -> ReadinessReading:
        """What the checks of one broker have found."""
        return self._brokers[broker]

    def reading(self) -> OperationalReading:
        """Everything now."""
        return OperationalReading(self._state, self._reason, self._since, tuple(self._brokers.values()), self._checks)

    def open(self) -> None:
        """The sockets are open, and what the last run left is taken care of."""
        self._opened = True
        self._follow()

    def stands(self, reading: ReadinessReading) -> None:
        """The checks of a broker have come to this."""
        self._brokers[reading.broker] = reading
        self._follow()

    def checked(self, reading: CheckReading) -> None:
        """A check of the sidecar itself has ended; it is told once it is, passed or not."""
        self._checks += (reading,)
        self._bus.emit(SelfChecked(reading.check, reading.passed, reading.detail))

    def shut_down(self, reason: str) -> None:
        """The sidecar was told to stop: nothing changes this any more."""
        self._enter(OperationalState.SHUTDOWN, reason)

    def _follow(self) -> None:
        if self._opened and self._state is not OperationalState.SHUTDOWN:
            said = {reading.state for reading in self._brokers.values()}
            readiness = next(state for state in _SAYS if state in said)
            self._enter(_SAYS[readiness], self._words(readiness))

    def _words(self, readiness: Readiness) -> str:
        alike = [reading for reading in self._brokers.values() if reading.state is readiness]
        if readiness is Readiness.READY:
            return f"{', '.join(reading.broker for reading in alike)}: may be traded with"
        return "; ".join(f"{reading.broker}: {reading.reason or 'being checked'}" for reading in alike)

    def _enter(self, state: OperationalState, reason: str) -> None:
        before, self._state, self._reason = self._state, state, reason
        if before is state:
            return
        now = self._clock.monotonic()
        seconds, self._began, self._since = now - self._began, now, self._clock.now()
        self._bus.emit(OperationalStateChanged(before, state, reason, seconds))
