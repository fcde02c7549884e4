"""What became of an order whose call was in doubt: asked of the broker, by the order's own id, and never guessed.

Only a positive finding settles anything. That an order cannot be found proves nothing: it may not be visible yet. After
the last look the outcome is as unknown as before, and is told so.
"""

from dataclasses import dataclass, replace
from typing import Final

from sidecar.brokers.profile import Finding, Look, Profile, Verdict
from sidecar.calls.asking import Asker, Unanswered
from sidecar.calls.model import Call, Result
from sidecar.calls.sharing import Ask
from sidecar.clock import Clock
from sidecar.telemetry.events import Bus, OrderLookedUp
from sidecar.words import LookResult, Outcome

PAUSES: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each look: an order may take a moment to become visible."""
_ONE_LOOK_SECONDS: Final = 2.0
"""Longest time that one look may take, so that a lost answer does not use up the time for the others."""
_MARGIN_SECONDS: Final = 0.05
"""Kept before the caller's deadline, to tell it in time what is known."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Finds out the truth about one broker's orders."""

    broker: str
    profile: Profile
    asker: Asker
    bus: Bus
    clock: Clock

    async def reconcile(self, call: Call, verdict: Verdict, result: Result) -> Result:
        """The result with the truth in it, where it was in doubt and can be found out before the caller's deadline."""
        if not self.possible:
            return result
        if verdict.outcome is Outcome.UNKNOWN:
            return await self._settle(call, result)
        if self.profile.gone(call.intent, verdict):
            return await self._tell_of_gone(call, result)
        return result

    @property
    def possible(self) -> bool:
        """Whether looks can be opened: with keys, or because bots' own requests open them."""
        return self.asker.signer is not None or not self.profile.lookups_need_keys

    async def _settle(self, call: Call, result: Result) -> Result:
        for number, pause in enumerate(PAUSES, start=1):
            look = self._look(call)
            if look is None or self._left(call) <= pause:
                break
            await self._pause(call, pause)
            found = await self._take(call, look, number)
            if found is not None and found.answer is not None:
                outcome = self.profile.classify(call.intent, found.answer).outcome
                fate = replace(result.fate, outcome=outcome, why=None, source="broker", reconciled=True)
                return Result(found.answer, replace(fate, waited=call.waited))
        return Result(result.answer, replace(result.fate, waited=call.waited))

    async def _tell_of_gone(self, call: Call, result: Result) -> Result:
        """A cancel came too late: the answer stays, and what the order came to is told beside it."""
        look = self._look(call)
        found = None if look is None or self._left(call) <= 0 else await self._take(call, look, 1)
        return result if found is None else Result(result.answer, replace(result.fate, order=found.status.lower()))

    def _look(self, call: Call) -> Look | None:
        return self.profile.look(call.request, call.intent, lambda: call.received_at + self.asker.broker_clock.offset)

    def _left(self, call: Call) -> float:
        return call.deadline - _MARGIN_SECONDS - self.clock.monotonic()

    async def _pause(self, call: Call, seconds: float) -> None:
        await self.clock.sleep(seconds)
        call.waited += seconds

    async def _take(self, call: Call, look: Look, number: int) -> Finding | None:
        started = self.clock.monotonic()
        until = min(call.deadline - _MARGIN_SECONDS, started + _ONE_LOOK_SECONDS)
        try:
            return await self.take(look, call.intent.endpoint.name, number, until)
        except Unanswered:
            return None
        finally:
            call.at_broker += self.clock.monotonic() - started

    async def take(
        self, look: Look, endpoint: str, number: int, until: float, ask: Ask | None = None
    ) -> Finding | None:
        """What one look tells before `until` (monotonic seconds); None when the order was not found.

        `endpoint` is the one whose call is in doubt, `number` counts its looks from 1. `ask` puts its questions, where
        they are not urgent. Raises Unanswered.
        """
        result, status = LookResult.FAILED, ""
        try:
            found = await self._drive(look, until, ask or self.asker.ask)
            result = LookResult.NOT_FOUND if found is None else LookResult.FOUND
            status = "" if found is None else found.status
            return found
        finally:
            look.close()
            self.bus.emit(OrderLookedUp(self.broker, endpoint, number, result, status))

    async def _drive(self, look: Look, until: float, ask: Ask) -> Finding | None:
        """Carry the look's questions to the broker and the answers back to it."""
        try:
            question = next(look)
            while True:
                question = look.send(await ask(question, until))
        except StopIteration as end:
            found: Finding | None = end.value
            return found
