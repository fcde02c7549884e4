"""A session at a broker that hands out tokens: logged in once for everybody, and anew before the token ends.

The token lives in memory alone, inside the signer that shows it. Who needs it while there is none waits for the one
login that is under way; who needs it while it is still good never waits. A login that the broker refused is not tried
again at once: wrong keys, tried often enough, lock an account.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sidecar.brokers.login import Login
from sidecar.brokers.profile import Keys, Signer, Verdict
from sidecar.clock import Clock
from sidecar.telemetry.events import Bus, LoginFinished
from sidecar.wire import Answer, Request
from sidecar.words import LoginResult, Outcome

LOGIN_SECONDS: Final = 10.0
"""Longest time that one login may take."""
RENEWAL_SHARE: Final = 0.1
"""The last part of a token's life, in which it is renewed."""
RENEWAL_SECONDS: Final = 3600.0
"""That part is at most this long."""
REFUSED_PAUSE_SECONDS: Final = 60.0
"""After a login that the broker refused."""
FAILED_PAUSE_SECONDS: Final = 1.0
"""After a login without an answer that means anything; twice as long each time, up to `REFUSED_PAUSE_SECONDS`."""
FRESH_SECONDS: Final = 10.0
"""A token that is refused so soon after its login is not refused for its age: another one would fare no better."""
_REFUSED: Final = frozenset({Outcome.FATAL, Outcome.REJECTED})
_NEVER: Final = float("-inf")

Ask = Callable[[Request, float], Awaitable[tuple[Answer | None, Verdict]]]
"""Asks the broker, before a deadline in monotonic seconds; never raises for what the broker or the network does."""


class NoSession(Exception):
    """Raised when a call cannot be signed because there is no session, and none comes about in time."""

    def __init__(self, message: str, retry_after: float, *, refused: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds until the next login."""
        self.refused = refused
        """Whether the broker declined the keys, or the user."""


class Session:
    """One broker's session. It is a `Signer`: it signs with the newest token."""

    def __init__(
        self,
        broker: str,
        login: Login,
        signer: Callable[[Keys], Signer | None],
        ask: Ask,
        *,
        now: Callable[[], float],
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._broker = broker
        self._login = login
        self._make_signer = signer
        self._ask = ask
        self._now = now
        self._bus = bus
        self._clock = clock
        self._signer: Signer | None = None
        self._since = self._good_until = self._renew_from = self._pause_until = _NEVER
        self._failures = 0
        self._failure = ""
        self._refused = False
        self._task: asyncio.Task[None] | None = None
        self.number = 0
        """Which token `sign` uses: it changes with every login."""

    def sign(self, request: Request, now: float) -> Request:
        """The request with the newest token; as it is before the first login."""
        return request if self._signer is None else self._signer.sign(request, now)

    def stand_in(self, request: Request) -> Answer | None:
        """What a bot is told that asks for a session of its own; None for any other request."""
        return self._login.stand_in(request, self._now())

    def begin(self) -> None:
        """Log in now, in the background, unless there is a token that needs no renewal."""
        if self._clock.monotonic() >= self._renew_from:
            self._start()

    async def close(self) -> None:
        """Give up a login that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def ready(self, deadline: float) -> None:
        """Return when `sign` has a good token; `deadline` in monotonic seconds. Raises NoSession."""
        if self._good():
            self.begin()
            return
        task = self._start()
        if task is not None:
            # The login goes on when its first caller has gone: others wait for it too.
            await asyncio.wait({task}, timeout=max(0.0, deadline - self._clock.monotonic()))
        if not self._good():
            raise self._none()

    async def renew(self, number: int, deadline: float) -> bool:
        """Whether there is another token than number `number`, which the broker has just refused."""
        now = self._clock.monotonic()
        if number == self.number:
            if now - self._since < FRESH_SECONDS:
                return False
            self._good_until = self._renew_from = _NEVER
        try:
            await self.ready(deadline)
        except NoSession:
            return False
        return True

    def _good(self) -> bool:
        return self._clock.monotonic() < self._good_until

    def _start(self) -> asyncio.Task[None] | None:
        if self._task is None and self._clock.monotonic() >= self._pause_until:
            self._task = asyncio.create_task(self._log_in(), name=f"login {self._broker}")
        return self._task

    async def _log_in(self) -> None:
        try:
            answer, verdict = await self._ask(self._login.request, self._clock.monotonic() + LOGIN_SECONDS)
            if answer is not None and verdict.outcome is Outcome.OK:
                verdict = self._take(answer)
            if verdict.outcome is not Outcome.OK:
                self._put_off(verdict)
        finally:
            self._task = None
        result = LoginResult.OK
        if verdict.outcome is not Outcome.OK:
            result = LoginResult.REFUSED if self._refused else LoginResult.FAILED
        self._bus.emit(LoginFinished(self._broker, result, verdict.reason, verdict.code))

    def _take(self, answer: Answer) -> Verdict:
        token = self._login.told(answer, self._now())
        signer = None if token is None else self._make_signer(Keys(token=token.value))
        if token is None or signer is None:
            return Verdict(Outcome.TRANSIENT, "bad_answer")
        now = self._clock.monotonic()
        self._signer = signer
        self.number += 1
        self._since, self._good_until = now, now + token.seconds
        self._renew_from = self._good_until - min(RENEWAL_SECONDS, token.seconds * RENEWAL_SHARE)
        self._failures, self._failure, self._refused = 0, "", False
        return Verdict(Outcome.OK)

    def _put_off(self, verdict: Verdict) -> None:
        self._refused = verdict.outcome in _REFUSED
        self._failure = verdict.code or verdict.reason
        pause = REFUSED_PAUSE_SECONDS if self._refused else FAILED_PAUSE_SECONDS * 2.0**self._failures
        self._failures = min(self._failures + 1, 10)
        self._pause_until = self._clock.monotonic() + min(pause, REFUSED_PAUSE_SECONDS)

    def _none(self) -> NoSession:
        wait = max(0.0, self._pause_until - self._clock.monotonic())
        if self._refused:
            what = f"the broker refused the login ({self._failure}); check the credentials of {self._broker}"
        elif self._failure:
            what = f"the login brought no usable answer ({self._failure})"
        else:
            what = "the login takes longer than this call may"
        again = f"; it is tried again in {wait:.0f} s" if wait else ""
        return NoSession(f"not sent: no session with {self._broker}: {what}{again}", wait, refused=self._refused)
