"""Questions that the sidecar asks a broker on its own behalf: what became of an order, what time it is.

They cost what any request costs, and go through the limits among the most urgent, but for those that nothing depends
on at once. They pass the breakers, which speak
of bots' calls: an order in doubt is just what one wants to ask about while a broker fails.
"""

from dataclasses import dataclass, replace
from typing import Final

from sidecar.brokers.profile import Profile, Signer, Verdict
from sidecar.calls.brokerclock import BrokerClock
from sidecar.calls.limiter import Limiter, LimitRefused
from sidecar.calls.session import NoSession, Session
from sidecar.calls.transport import Transport, TransportError
from sidecar.clock import Clock
from sidecar.wire import Answer, Request
from sidecar.words import Outcome, Priority

_USABLE: Final = frozenset({Outcome.OK, Outcome.REJECTED})
_SHORTEST_SECONDS: Final = 0.05
"""Less than this is not enough for an answer."""
CLOCK_SKEW: Final = "clock_skew"


def is_unauthorised(answer: Answer | None) -> bool:
    """Whether a request was turned away for its token alone, so that nothing was executed (RFC 9110, 15.5.2)."""
    return answer is not None and answer.status == 401  # noqa: PLR2004 - HTTP's own number


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
    session: Session | None = None
    """The signer, where it is one that has to log in first."""

    async def ask(self, question: Request, deadline: float, priority: Priority = Priority.REDUCE) -> Answer:
        """The broker's answer, before `deadline` (monotonic seconds): yes or no, but an answer.

        Raises Unanswered.
        """
        answer, verdict = await self.put(question, deadline, priority)
        if answer is None or verdict.outcome not in _USABLE:
            raise Unanswered
        return answer

    async def put(
        self, question: Request, deadline: float, priority: Priority = Priority.REDUCE
    ) -> tuple[Answer | None, Verdict]:
        """Ask, and once more where what was wrong with the signature could be mended.

        The answer, where one came, and what it means. Raises Unanswered when there is no session to ask in.
        """
        number = await self._logged_in(deadline)
        answer, verdict = await self.question(question, deadline, priority)
        if await self._mended(answer, verdict, number, deadline):
            answer, verdict = await self.question(question, deadline, priority)
        return answer, verdict

    async def unsigned(self, question: Request, deadline: float) -> tuple[Answer | None, Verdict]:
        """Ask once, without the sidecar's keys."""
        return await replace(self, signer=None, session=None).question(question, deadline)

    async def _mended(self, answer: Answer | None, verdict: Verdict, number: int, deadline: float) -> bool:
        """Whether what was wrong with the signature no longer is."""
        if verdict.reason == CLOCK_SKEW and self.signer is not None:
            return await self.learn_time(deadline)
        return self.session is not None and is_unauthorised(answer) and await self.session.renew(number, deadline)

    async def learn_time(self, deadline: float) -> bool:
        """Ask the broker for its time; tells whether it could be learnt."""
        question = self.profile.clock_request
        if question is None:
            return False
        started = self.clock.monotonic()
        answer, _ = await self.question(question, deadline)
        told = None if answer is None else self.profile.told_time(self.profile.understand(question), answer)
        if told is None:
            return False
        self.broker_clock.learn(told, self.clock.monotonic() - started)
        return True

    async def _logged_in(self, deadline: float) -> int:
        """The number of the session's token; 0 where none is needed. Raises Unanswered."""
        if self.session is None:
            return 0
        try:
            await self.session.ready(deadline)
        except NoSession:
            raise Unanswered from None
        return self.session.number

    async def question(
        self, question: Request, deadline: float, priority: Priority = Priority.REDUCE
    ) -> tuple[Answer | None, Verdict]:
        """Ask once, before `deadline` (monotonic seconds): the answer, where one came, and what it means."""
        intent = self.profile.understand(question)
        # A stream can wait: what it would tell is asked for as well.
        intent = replace(intent, priority=Priority.ACCOUNT if intent.endpoint.stream else priority)
        try:
            lease = await self.limiter.acquire(intent, deadline)
        except LimitRefused as refused:
            return None, Verdict(refused.outcome, "rate_limit")
        answer: Answer | None = None
        verdict = Verdict(Outcome.TRANSIENT, "reset")
        started = self.clock.monotonic()
        try:
            request = question if self.signer is None else self.signer.sign(question, self.broker_clock.now())
            seconds = max(deadline - started, _SHORTEST_SECONDS)
            if intent.endpoint.stream:
                answer = await self.transport.stream(request, seconds=seconds)
            else:
                answer = await self.transport.send(request, seconds=seconds, reserved=True)
            verdict = self.profile.classify(intent, answer)
            self.broker_clock.hear(answer.headers, self.clock.monotonic() - started)
        except TransportError as failure:
            verdict = Verdict(Outcome.TRANSIENT, failure.reason)
        finally:
            readings = self.profile.readings(answer.headers) if answer is not None else ()
            self.limiter.settle(lease, readings, verdict)
        return answer, verdict
