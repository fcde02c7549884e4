"""The checks before a broker is traded with, in rounds, until they pass.

A broker's checks keep nobody else from trading, and what they found means for that broker's calls:

- Where bots sign for themselves, nothing: their calls go as ever, and breakers and conditions judge them.
- Where the sidecar signs, from the first failed round on no new risk is sent, nor an order that it carries; reads,
  cancels and reduce-only orders go. They are tried, because whoever is out of reach for one question may be back for
  the next, and because the way out of risk is the last to be refused.

What stands in the way and may pass is looked at again and again. Keys that a broker refuses are shown to it once: they
lock accounts, and only a person can mend them. A broker that was ready and does not answer later is the business of
its condition (`sidecar.health.condition`); one that refuses the keys later is checked here again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from sidecar.brokers.profile import Verdict
from sidecar.calls.hold import Hold
from sidecar.calls.preflight import AUTH
from sidecar.calls.questions import Questions
from sidecar.clock import Clock
from sidecar.config.model import Startup
from sidecar.health.operational import Operational
from sidecar.telemetry.events import AttemptFinished, BrokerChecked, Bus
from sidecar.telemetry.state import ReadinessReading
from sidecar.words import Outcome, Readiness, StartupCheck

TOLD_EVERY_SECONDS: Final = 3600.0
"""A broker that is waited for is told of this often."""
FAR_SECONDS: Final = 1.0
"""From here on a clock's offset is worth a word: Binance refuses what is a second ahead of its own."""
_NEVER: Final = float("inf")


class Subject(Protocol):
    """What the checks need of a gateway."""

    name: str

    questions: Questions
    """What asks the broker."""
    hold: Hold
    """What keeps new risk back."""

    @property
    def signs(self) -> bool:
        """Whether the sidecar signs bots' requests."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one round has found."""

    readiness: Readiness
    """`READY`, `WAITING` or `ERROR`."""
    reason: str = ""
    doubts: tuple[str, ...] = ()


async def look(subject: Subject, seconds: float, clock: Clock) -> Found:
    """One round of checks, each within `seconds`."""
    ask = subject.questions.preflight
    reached = await _within(seconds, clock, ask.connectivity)
    if reached is not None and reached.outcome is not Outcome.OK:
        return Found(Readiness.WAITING, _words(StartupCheck.CONNECTIVITY, reached))
    known, offset, stream = await asyncio.gather(
        _within(seconds, clock, ask.authentication),
        ask.clock_offset(clock.monotonic() + seconds),
        ask.streams(clock.monotonic() + seconds),
    )
    doubts: tuple[str, ...] = ()
    if offset is not None and abs(offset) >= FAR_SECONDS:
        doubts += (f"{StartupCheck.CLOCK}: the broker's clock is {offset:+.1f} s from this machine's; set it by NTP",)
    if stream:
        doubts += (f"{StartupCheck.STREAM}: stream_url cannot be reached ({stream})",)
    if known is None or known.outcome is Outcome.OK:
        return Found(Readiness.READY, doubts=doubts)
    reason = _words(StartupCheck.AUTHENTICATION, known)
    if not subject.signs:  # bots bring their own keys; these only look orders up
        return Found(Readiness.READY, doubts=(*doubts, f"{reason}; orders in doubt cannot be looked up"))
    refused = known.outcome is Outcome.FATAL and known.reason == AUTH
    return Found(Readiness.ERROR if refused else Readiness.WAITING, reason, doubts)


async def _within(
    seconds: float, clock: Clock, question: Callable[[float], Awaitable[Verdict | None]]
) -> Verdict | None:
    try:
        async with asyncio.timeout(seconds):
            return await question(clock.monotonic() + seconds)
    except TimeoutError:
        return Verdict(Outcome.TRANSIENT, "timeout")


_CAUSES: Final = {
    (StartupCheck.AUTHENTICATION, AUTH): "the broker refuses the credentials",
    (StartupCheck.AUTHENTICATION, "login"): "the login brought no usable answer",
    (StartupCheck.CONNECTIVITY, "connect"): "no connection comes about",
    (StartupCheck.CONNECTIVITY, "timeout"): "no answer in time",
}


def _words(check: StartupCheck, verdict: Verdict) -> str:
    code = f", {verdict.code}" if verdict.code else ""
    cause = _CAUSES.get((check, verdict.reason), f"it ends {verdict.outcome.replace('_', ' ')}")
    return f"{check}: {cause} ({verdict.reason or verdict.outcome}{code})"


class StartupChecks:
    """Checks one broker until it can be traded with, and again when somebody asks for it."""

    def __init__(
        self, subject: Subject, settings: Startup, operational: Operational, *, bus: Bus, clock: Clock
    ) -> None:
        self._subject = subject
        self.settings = settings
        """May be replaced at any time; holds from the next pause on."""
        self._operational = operational
        self._bus = bus
        self._clock = clock
        self._changed = asyncio.Event()
        self._rounds = 0
        self._next = self._last = clock.monotonic()
        self._entered = self._told_at = clock.monotonic()
        self._state = Readiness.CHECKING
        self._told: tuple[Readiness, str, tuple[str, ...]] = (Readiness.CHECKING, "", ())
        bus.subscribe(AttemptFinished, self._hear)

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await self._wait()
            try:
                found = await look(self._subject, self.settings.check_seconds, self._clock)
            except Exception as failure:  # noqa: BLE001 - a fault here would end the waiting for good
                found = Found(Readiness.WAITING, f"the checks failed inside the sidecar ({type(failure).__name__})")
            self._last = self._clock.monotonic()
            self._conclude(found)

    def retry(self) -> None:
        """Check again at once, whatever was found before."""
        self._rounds = 0
        self._due(self._clock.monotonic())

    async def _wait(self) -> None:
        while (left := self._next - self._clock.monotonic()) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(None if left == _NEVER else left):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _due(self, at: float) -> None:
        self._next = min(self._next, at)
        self._changed.set()

    def _hear(self, attempt: AttemptFinished) -> None:
        """A call that succeeds makes the next round come sooner; so does one whose keys are refused all at once."""
        if attempt.broker != self._subject.name:
            return
        waits = self._state in {Readiness.CHECKING, Readiness.WAITING} and attempt.outcome is Outcome.OK
        refused = self._state is Readiness.READY and attempt.reason == AUTH and self._subject.signs
        if self._rounds and (waits or refused):
            self._due(self._last + self.settings.delay_seconds[0])

    # What was found

    def _conclude(self, found: Found) -> None:
        self._rounds += 1
        state = found.readiness
        if state is Readiness.WAITING and self._state is Readiness.READY:
            state = Readiness.READY  # that it is away now is its condition's business
        elif state is Readiness.WAITING and self._state is Readiness.CHECKING and self._rounds < self.settings.attempts:
            state = Readiness.CHECKING
        pause = self._pause(state)
        self._next = self._clock.monotonic() + pause
        self._enter(state, found, None if pause == _NEVER else pause)

    def _pause(self, state: Readiness) -> float:
        if state in {Readiness.READY, Readiness.ERROR}:
            return _NEVER
        delays = self.settings.delay_seconds
        if self._rounds <= self.settings.attempts:
            return delays[min(self._rounds, len(delays)) - 1]
        return self.settings.waiting_interval_seconds

    def _enter(self, state: Readiness, found: Found, retry_in: float | None) -> None:
        before, self._state = self._state, state
        now = self._clock.monotonic()
        since = self._operational.readiness(self._subject.name).since
        if before is not state:
            self._entered, since = now, self._clock.now()
        reason = "" if state is Readiness.READY else found.reason
        self._hold(state, reason, retry_in)
        news = (state, reason, found.doubts)
        if news != self._told or (state is Readiness.WAITING and now >= self._told_at + TOLD_EVERY_SECONDS):
            self._told, self._told_at = news, now
            lasted = now - self._entered
            self._bus.emit(BrokerChecked(self._subject.name, before, state, reason, retry_in, lasted, found.doubts))
        at = None if retry_in is None else self._clock.now() + retry_in
        self._operational.stands(ReadinessReading(self._subject.name, state, reason, since, at))

    def _hold(self, state: Readiness, reason: str, retry_in: float | None) -> None:
        if state is Readiness.READY:
            self._subject.hold.end()
        elif self._subject.signs:
            self._subject.hold.begin(reason, retry_in)
