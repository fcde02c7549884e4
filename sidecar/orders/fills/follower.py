"""Keeps the stream of one account open, and tells whom its messages name."""

import asyncio
import logging
from collections.abc import AsyncIterator
from random import Random
from typing import Final, Protocol

from sidecar.brokers.profile import Verdict
from sidecar.brokers.streams import OrderStream, Renewal
from sidecar.calls.asking import Unanswered
from sidecar.calls.gateway import Gateway
from sidecar.calls.transport import TransportError
from sidecar.clock import Clock
from sidecar.orders.fills.lines import close, lines
from sidecar.telemetry.events import FILLS, Bus, StreamClosed, StreamMessages, StreamOpened
from sidecar.wire import Answer
from sidecar.words import Outcome

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
"""Pauses before it is opened again: they double while it does not stay open."""
STEADY_SECONDS: Final = 60.0
"""A stream that has been open for so long has stayed open."""
LIMITED_PAUSE_SECONDS: Final = 300.0
"""After the broker has said that there are too many: orders need its limits more than this."""
CLOSED_SECONDS: Final = 1.0
"""Pause before it is seen again whether a broker that is away, or held back, may be asked."""
_JITTER: Final = (0.7, 1.3)
_REFUSED: Final = frozenset({Outcome.FATAL, Outcome.REJECTED})
_TOO_MANY: Final = frozenset({Outcome.RATE_LIMITED, Outcome.BANNED})

_UNANSWERED: Final = Verdict(Outcome.TRANSIENT)

_log = logging.getLogger("sidecar.orders")


class Ears(Protocol):
    """Who listens to a follower."""

    def opened(self) -> None:
        """The stream is open: whatever happened before, it does not tell."""

    def missed(self) -> None:
        """Something has happened that the stream did not tell."""

    def named(self, client_id: str) -> None:
        """Something has happened to this order."""


class Follower:
    """Follows the stream of one account for as long as `run` runs. `live` tells whether it is open."""

    def __init__(
        self, gateway: Gateway, stream: OrderStream, ears: Ears, *, bus: Bus, clock: Clock, rng: Random
    ) -> None:
        self._gateway = gateway
        self._stream = stream
        self._ears = ears
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._mended = asyncio.Event()
        self._told = False
        """Whether it is known to everybody that the stream does not come about."""
        self._newest = 0
        self.live = False
        self.leaving: str = ""
        """Why it ends, from the moment that it is to."""

    def mended(self) -> None:
        """What stood in the way may be gone: keys were changed, or the broker takes them after all."""
        self._mended.set()

    async def run(self) -> None:
        """Open it, listen, and open it again, until this is cancelled."""
        failures = 0
        try:
            while True:
                await self._admitted()
                opened = self._clock.monotonic()
                self._mended.clear()
                outcome = await self._once()
                if outcome in _REFUSED:
                    await self._mended.wait()  # the same keys, shown again and again, could lock an account
                    continue
                steady = outcome is Outcome.OK and self._clock.monotonic() - opened >= STEADY_SECONDS
                failures = 0 if steady else failures + 1
                await self._clock.sleep(self._pause(failures, outcome))
        finally:
            if self._told:
                self._told = False
                self._close(self.leaving or "shutdown", was_open=False)

    async def _admitted(self) -> None:
        """Return when the broker is not away, banned or held back: polling keeps to that as well."""
        while not (self._gateway.can_trade and self._gateway.allows(self._stream.request)):
            await self._clock.sleep(CLOSED_SECONDS)

    def _pause(self, failures: int, outcome: Outcome) -> float:
        doubled = min(FIRST_PAUSE_SECONDS * 2.0 ** max(0, min(failures, 10) - 1), LONGEST_PAUSE_SECONDS)
        return (LIMITED_PAUSE_SECONDS if outcome in _TOO_MANY else doubled) * self._rng.uniform(*_JITTER)

    # One stream

    async def _once(self) -> Outcome:
        """Follow it from its opening to its end; `ok` when it had been opened."""
        try:
            answer, verdict = await self._gateway.questions.open_stream(self._stream.request)
            if verdict.outcome is Outcome.OK and answer is not None:
                chunks, renewal = await self._opened(answer)
                if chunks is not None:
                    await self._listen(chunks, renewal)
                    return Outcome.OK
        except (Unanswered, TransportError):
            verdict = _UNANSWERED
        except Exception as failure:  # noqa: BLE001 - whatever broke: it is opened again
            _log.error("following the fills of %s stumbled: %s", self._gateway.name, type(failure).__name__)
            return Outcome.TRANSIENT
        self._unopened()
        return Outcome.TRANSIENT if verdict.outcome is Outcome.OK else verdict.outcome

    async def _opened(self, answer: Answer) -> tuple[AsyncIterator[bytes] | None, Renewal | None]:
        """The stream that an answer is, or names; and what keeps it alive. Raises TransportError."""
        if self._stream.socket is None:
            return answer.chunks, None
        socket = self._stream.socket(answer)
        return (None, None) if socket is None else (await self._gateway.questions.open_socket(socket), socket.renewal)

    async def _listen(self, chunks: AsyncIterator[bytes], renewal: Renewal | None) -> None:
        renewing = None if renewal is None else asyncio.create_task(self._renew(renewal, chunks))
        self._bus.emit(StreamOpened(self._gateway.name, FILLS))
        self.live, self._told, self._newest = True, False, 0
        reason = "broker_closed"
        try:
            self._ears.opened()
            async for said in lines(chunks, self._stream.silence_seconds):
                if said and self._over(said):
                    break
        except (TimeoutError, TransportError):
            reason = "lost"
        except asyncio.CancelledError:
            reason = self.leaving or "shutdown"
            raise
        except BaseException:
            reason = "lost"
            raise
        finally:
            self.live = False
            if renewing is not None:
                renewing.cancel()
            await close(chunks)
            self._close(reason)

    async def _renew(self, renewal: Renewal, chunks: AsyncIterator[bytes]) -> None:
        """Keep a stream alive; one that the broker does not know any more is closed, so that it is opened anew."""
        pause = renewal.seconds
        while True:
            await self._clock.sleep(pause)
            try:
                _, verdict = await self._gateway.questions.open_stream(renewal.request)
            except Unanswered:
                verdict = _UNANSWERED
            if verdict.outcome in _REFUSED:
                return await close(chunks)
            pause = renewal.seconds if verdict.outcome is Outcome.OK else LONGEST_PAUSE_SECONDS

    def _over(self, said: list[bytes]) -> bool:
        """Take in some lines; tells whether they say that nothing more will come."""
        self._bus.emit(StreamMessages(self._gateway.name, FILLS, len(said), self._clock.now()))
        over = False
        for line in said:
            heard = self._stream.heard(line)
            for client_id in heard.orders:
                self._ears.named(client_id)
            self._count(heard.number, heard.newest)
            over = over or heard.over
        return over

    def _count(self, number: int, newest: int) -> None:
        if self._newest and newest > self._newest:
            self._ears.missed()
        self._newest = max(self._newest, number, newest)

    def _unopened(self) -> None:
        if not self._told:
            self._told = True
            self._close("unopened", was_open=False)

    def _close(self, reason: str, *, was_open: bool = True) -> None:
        self._bus.emit(StreamClosed(self._gateway.name, FILLS, reason, was_open=was_open))
