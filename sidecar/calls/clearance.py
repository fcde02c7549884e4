"""Whether an attempt may be sent, and when: what stands in the way is told, and nothing was sent then.

It needs a session, where the broker wants one, a broker that is there, a degradation level that lets it pass, the
permit of its breaker, and what it costs of the limits.
"""

from typing import Final

from sidecar.brokers.profile import Refusal
from sidecar.calls import explain
from sidecar.calls.breaker import Breaker, Permit
from sidecar.calls.limiter import Lease, LimitRefused
from sidecar.calls.model import Call
from sidecar.calls.parts import Parts
from sidecar.calls.session import NoSession, Session
from sidecar.words import DegradationLevel, Effect, Outcome, Priority, RefusalKind, Why

ANSWER_SECONDS: Final = 0.5
"""The least time in which an answer can be hoped for. No new risk is sent after a wait with less than that left, and
an attempt that had less says nothing of the broker's health."""


class Refused(Exception):
    """Raised when the sidecar lets no attempt through."""

    def __init__(self, outcome: Outcome, why: Why, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.outcome = outcome
        self.why = why
        self.refusal = refusal


class Clearance:
    """Lets the attempts of one broker's calls go, one by one."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def session(self, call: Call) -> Session | None:
        """The session that signs this call; a probe needs none."""
        return None if self._parts.late is None or call.probe else self._parts.late.session

    async def log_in(self, call: Call) -> None:
        """Wait for a session, where the broker wants one. Raises Refused."""
        session = self.session(call)
        if session is None:
            return
        clock = self._parts.clock
        started = clock.monotonic()
        try:
            await session.ready(call.deadline)
        except NoSession as none:
            # Also when the keys were refused: a person can mend that, and the same request may then go.
            refusal = Refusal(RefusalKind.NO_SESSION, str(none), none.retry_after)
            raise Refused(Outcome.TRANSIENT, Why.DEADLINE, refusal) from None
        finally:
            call.at_broker += clock.monotonic() - started

    async def enter(self, call: Call) -> tuple[Permit, Lease]:
        """Return when the next attempt may be sent; what is returned has to be given back after it. Raises Refused."""
        if call.probe:
            return await self._admit(call)
        admission = self._parts.admission
        entry = admission.enter(reserved=call.intent.priority.reserved)
        if entry is None:
            raise self._maintenance_refusal()
        if self._forbidden(call):
            admission.drop(entry)
            raise self._degradation_refusal()
        call.entry = entry
        try:
            return await self._admit(call)
        except BaseException:
            admission.drop(entry)
            raise

    async def _admit(self, call: Call) -> tuple[Permit, Lease]:
        permit = self._permit(call)
        lease = self._parts.limiter.try_acquire(call.intent)
        if lease is not None:
            return permit, lease
        # The wait may be long: a probe's place is not kept meanwhile, and the breaker may have opened after it.
        self._parts.breakers[call.intent.endpoint.group].release(permit)
        lease = await self._wait(call)
        try:
            if self._parts.admission.opens_in() > 0 and not call.probe and not call.intent.priority.reserved:
                raise self._maintenance_refusal()
            if self._forbidden(call):
                raise self._degradation_refusal()
            return self._permit(call), lease
        except Refused:
            self._parts.limiter.give_back(lease)
            raise

    def _forbidden(self, call: Call) -> bool:
        restraint = self._parts.restraint
        return restraint.level is not DegradationLevel.NONE and not call.probe and restraint.refuses(call.intent)

    def _permit(self, call: Call) -> Permit:
        if self._parts.clock.monotonic() >= call.deadline:
            raise self._caller_refusal(explain.too_late(self._parts.broker, call.intent))
        if call.intent.priority is not Priority.CANCEL and call.gone():
            # Its bot takes the order for lost, and may have sent it again. A cancel is wanted in any case.
            raise self._caller_refusal(explain.gone(self._parts.broker, call.intent))
        breaker = self._parts.breakers[call.intent.endpoint.group]
        permit = breaker.admit(reserved=call.probe or call.intent.priority.reserved)
        if permit is None:
            raise self._breaker_refusal(breaker, call)
        return permit

    async def _wait(self, call: Call) -> Lease:
        clock = self._parts.clock
        started = clock.monotonic()
        try:
            return await self._parts.limiter.acquire(call.intent, ends_at(call))
        except LimitRefused as refused:
            raise self._limit_refusal(refused) from None
        finally:
            call.waited += clock.monotonic() - started

    @staticmethod
    def _caller_refusal(message: str) -> Refused:
        return Refused(Outcome.TRANSIENT, Why.DEADLINE, Refusal(RefusalKind.DEADLINE, message))

    def _maintenance_refusal(self) -> Refused:
        opens_in = self._parts.admission.opens_in()
        message = explain.under_maintenance(self._parts.broker, opens_in)
        return Refused(Outcome.MAINTENANCE, Why.DEADLINE, Refusal(RefusalKind.MAINTENANCE, message, opens_in))

    def _degradation_refusal(self) -> Refused:
        parts = self._parts
        reading = parts.restraint.reading()
        again = None if reading.next_step is None else max(0.0, reading.next_step - parts.clock.now())
        refusal = Refusal(RefusalKind.DEGRADED, explain.degraded(parts.broker, reading), again)
        return Refused(Outcome.TRANSIENT, Why.DEADLINE, refusal)

    def _breaker_refusal(self, breaker: Breaker, call: Call) -> Refused:
        retry_in = breaker.retry_in()
        message = explain.breaker_open(self._parts.broker, call.intent.endpoint.group, retry_in)
        refusal = Refusal(RefusalKind.BREAKER_OPEN, message, retry_in)
        return Refused(Outcome.TRANSIENT, Why.BREAKER_OPEN, refusal)

    @staticmethod
    def _limit_refusal(refused: LimitRefused) -> Refused:
        kind = RefusalKind.BANNED if refused.outcome is Outcome.BANNED else RefusalKind.RATE_LIMITED
        return Refused(refused.outcome, Why.DEADLINE, Refusal(kind, str(refused), refused.retry_after))


def ends_at(call: Call) -> float:
    """Monotonic seconds until which a wait makes sense: then the caller has gone, or the signature has.

    New risk stops waiting a little before: sent at the last moment, it would be executed with nobody to hear of it.
    """
    intent, end = call.intent, call.deadline
    if intent.effect is not Effect.READ and not intent.priority.reserved:
        end -= ANSWER_SECONDS
    if intent.expires_at is None:
        return end
    return min(end, call.received + max(0.0, intent.expires_at - call.received_at))
