"""What is asked of a broker before it is traded with; the questions are the sidecar's own, and quiet.

They pass the breakers and are no bot's calls, so that a start with a broker that is away is told once, by whoever
asked, and not once more by each part that watches calls.
"""

from dataclasses import dataclass
from typing import Final

from sidecar.brokers.profile import Profile, Verdict
from sidecar.calls.asking import Asker, Unanswered
from sidecar.calls.session import NoSession
from sidecar.calls.transport import Transport, TransportError
from sidecar.clock import Clock
from sidecar.words import Outcome

AUTH: Final = "auth"
_THERE: Final = frozenset({Outcome.OK, Outcome.REJECTED, Outcome.FATAL})
"""A probe carries no key; a broker that declines it is there."""
_PASSED: Final = Verdict(Outcome.OK)


@dataclass(frozen=True, slots=True)
class Preflight:
    """Asks one broker. Every question ends by its deadline, in monotonic seconds; None: there is nothing to ask."""

    profile: Profile
    asker: Asker
    transport: Transport
    clock: Clock

    async def connectivity(self, deadline: float) -> Verdict | None:
        """Whether the broker answers at all; whatever it answers to a request without a key."""
        if self.profile.probe is None:
            return None
        _, verdict = await self.asker.unsigned(self.profile.probe, deadline)
        return _PASSED if verdict.outcome in _THERE else verdict

    async def authentication(self, deadline: float) -> Verdict | None:
        """Whether the broker takes the sidecar's keys; a login, where it wants one, is part of it."""
        asker, question = self.asker, self.profile.key_check
        if asker.signer is None:
            return None
        if asker.session is not None:
            try:
                await asker.session.ready(deadline)
            except NoSession as none:
                outcome = Outcome.FATAL if none.refused else Outcome.TRANSIENT
                return Verdict(outcome, AUTH if none.refused else "login")
        if question is None:
            return None if asker.session is None else _PASSED
        try:
            _, verdict = await asker.put(question, deadline)
        except Unanswered:
            return Verdict(Outcome.TRANSIENT, "login")
        return _PASSED if verdict.outcome is Outcome.REJECTED else verdict

    async def clock_offset(self, deadline: float) -> float | None:
        """Seconds that the broker's clock is ahead; None when it cannot be asked."""
        learnt = await self.asker.learn_time(deadline)
        return self.asker.broker_clock.offset if learnt else None

    async def streams(self, deadline: float) -> str:
        """Why the broker's own host for streams cannot be reached; empty when it can, or there is none."""
        try:
            await self.transport.knock(max(0.001, deadline - self.clock.monotonic()))
        except TransportError as failure:
            return failure.reason
        return ""
