"""Questions that the sidecar asks a broker on its own behalf: what became of an order, what time it is.

They cost what any request costs, and go through the limits among the most urgent. They pass the breakers, which speak
of bots' calls: an order in doubt is just what one wants to ask about while a broker fails.
"""

import contextlib
from dataclasses import dataclass, replace
from typing import Final

from sidecar.brokers.profile import Profile, Signer, Verdict
from sidecar.calls.brokerclock import BrokerClock
from sidecar.calls.limiter import Limiter, LimitRefused
from sidecar.calls.transport import Transport, TransportError
from sidecar.clock import Clock
from sidecar.wire import Answer, Request
from sidecar.words import Outcome, Priority

_USABLE: Final = frozenset({Outcome.OK, Outcome.REJECTED})
_SHORTEST_SECONDS: Final = 0.05
"""Less than this is not enough for an answer."""
CLOCK_SKEW: Final = "clock_skew"


class Unanswered(Exception):
    """Raised when a question brought no answer that means anything."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one broker. `signer` signs the questions; without one they go as they are."""

    profile: Profile
    limiter: Limiter
    transport: Transport
    clock: Clock
    broker_clock: BrokerClock
    signer: Signer | None

    async def ask(self, question: Request, deadline: float) -> Answer:
        """The broker's answer, before `deadline` (monotonic seconds): yes or no, but an answer.

        Raises Unanswered.
        """
        answer, verdict = await self._once(question, deadline)
        if verdict.reason == CLOCK_SKEW and self.signer is not None and await self.learn_time(deadline):
            answer, verdict = await self._once(question, deadline)
        if answer is None or verdict.outcome not in _USABLE:
            raise Unanswered
        return answer

    async def learn_time(self, deadline: float) -> bool:
        """Ask the broker for its time; tells whether it could be learnt."""
        question = self.profile.clock_request
        if question is None:
            return False
        with contextlib.suppress(Unanswered):
            started = self.clock.monotonic()
            answer, _ = await self._once(question, deadline)
            told = None if answer is None else self.profile.told_time(self.profile.understand(question), answer)
            if told is not None:
                self.broker_clock.learn(told, self.clock.monotonic() - started)
                return True
        return False

    async def _once(self, question: Request, deadline: float) -> tuple[Answer | None, Verdict]:
        intent = replace(self.profile.understand(question), priority=Priority.REDUCE)
        try:
            lease = await self.limiter.acquire(intent, deadline)
        except LimitRefused:
            raise Unanswered from None
        answer: Answer | None = None
        verdict = Verdict(Outcome.TRANSIENT, "reset")
        started = self.clock.monotonic()
        try:
            request = question if self.signer is None else self.signer.sign(question, self.broker_clock.now())
            answer = await self.transport.send(
                request, seconds=max(deadline - started, _SHORTEST_SECONDS), reserved=True
            )
            verdict = self.profile.classify(intent, answer)
            self.broker_clock.hear(answer.headers, self.clock.monotonic() - started)
        except TransportError as failure:
            verdict = Verdict(Outcome.TRANSIENT, failure.reason)
        finally:
            readings = self.profile.readings(answer.headers) if answer is not None else ()
            self.limiter.settle(lease, readings, verdict)
        return answer, verdict
