"""One call's way to a broker and back: breaker, limiter, send, classify, record; and again where that is safe."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from sidecar.brokers.profile import Profile, Refusal, Verdict
from sidecar.calls import explain
from sidecar.calls.asking import CLOCK_SKEW
from sidecar.calls.breaker import Breaker, Permit
from sidecar.calls.budget import RetryBudget
from sidecar.calls.latesigning import LateSigning
from sidecar.calls.limiter import Lease, Limiter, LimitRefused
from sidecar.calls.model import Call, Fate, Result
from sidecar.calls.policies import RetryPolicy
from sidecar.calls.reconcile import Reconciler
from sidecar.calls.retry import Situation, decide
from sidecar.calls.transport import MaybeSent, NotSent, Transport
from sidecar.clock import Clock
from sidecar.telemetry.events import AttemptFinished, Bus, RetryDenied, RetryScheduled
from sidecar.wire import Answer
from sidecar.words import Effect, Outcome, RefusalKind, Why

LARGE_ANSWER_BYTES: Final = 64 * 1024
"""From here on an answer that may announce limits is read in another thread, so that no other call waits for it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of."""

    broker: str
    profile: Profile
    retries: Mapping[str, RetryPolicy]
    """By endpoint name; complete."""
    breakers: Mapping[str, Breaker]
    """By endpoint group; complete."""
    limiter: Limiter
    budget: RetryBudget
    transport: Transport
    bus: Bus
    clock: Clock
    rng: Random
    reconciler: Reconciler
    late: LateSigning | None
    """Signs each transmission; None where bots sign."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """How the newest attempt ended."""

    verdict: Verdict
    answer: Answer | None


class _Refused(Exception):
    """Raised when the sidecar lets no attempt through."""

    def __init__(self, outcome: Outcome, why: Why, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.outcome = outcome
        self.why = why
        self.refusal = refusal


class Pipeline:
    """Carries the calls of one broker."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, call: Call) -> Result:
        """Make attempts until one settles the call or no further one is allowed."""
        parts = self._parts
        parts.budget.count_call()
        attempts = 0
        ended: _Ended | None = None
        while True:
            try:
                permit, lease = await self._admit(call)
            except _Refused as refused:
                return self._refusal(call, refused, attempts, ended)
            attempts += 1
            ended = await self._attempt(call, attempts, permit, lease)
            if await self._learnt_the_time(call, ended.verdict, attempts):
                continue
            decision = self._decide(call, ended.verdict, attempts)
            if not isinstance(decision, float):
                result = self._conclude(call, ended, attempts, decision)
                if ended.verdict.outcome is Outcome.OK:
                    return result
                return await parts.reconciler.reconcile(call, ended.verdict, result)
            parts.bus.emit(
                RetryScheduled(parts.broker, call.intent.endpoint.name, ended.verdict.reason, attempts, decision)
            )
            await self._pause(call, decision)

    # Before an attempt

    async def _admit(self, call: Call) -> tuple[Permit, Lease]:
        if self._parts.clock.monotonic() >= call.deadline:
            message = explain.too_late(self._parts.broker, call.intent)
            raise _Refused(Outcome.TRANSIENT, Why.DEADLINE, Refusal(RefusalKind.DEADLINE, message))
        breaker = self._parts.breakers[call.intent.endpoint.group]
        permit = breaker.admit(reserved=call.intent.priority.reserved)
        if permit is None:
            raise self._breaker_refusal(breaker, call)
        lease = self._parts.limiter.try_acquire(call.intent)
        if lease is not None:
            return permit, lease
        try:
            lease = await self._parts.limiter.acquire(call.intent, self._ends_at(call))
        except LimitRefused as refused:
            breaker.release(permit)
            raise self._limit_refusal(refused) from None
        except asyncio.CancelledError:
            breaker.release(permit)
            raise
        call.waited += lease.waited
        return permit, lease

    def _breaker_refusal(self, breaker: Breaker, call: Call) -> _Refused:
        retry_in = breaker.retry_in()
        message = explain.breaker_open(self._parts.broker, call.intent.endpoint.group, retry_in)
        refusal = Refusal(RefusalKind.BREAKER_OPEN, message, retry_in)
        return _Refused(Outcome.TRANSIENT, Why.BREAKER_OPEN, refusal)

    @staticmethod
    def _limit_refusal(refused: LimitRefused) -> _Refused:
        kind = RefusalKind.BANNED if refused.outcome is Outcome.BANNED else RefusalKind.RATE_LIMITED
        return _Refused(refused.outcome, Why.DEADLINE, Refusal(kind, str(refused), refused.retry_after))

    # The attempt

    async def _attempt(self, call: Call, number: int, permit: Permit, lease: Lease) -> _Ended:
        clock = self._parts.clock
        started_at, started = clock.now(), clock.monotonic()
        verdict = self._lost(call, "reset")
        answer: Answer | None = None
        try:
            answer = await self._send(call, started)
            verdict = self._parts.profile.classify(call.intent, answer)
        except NotSent as failure:
            verdict = Verdict(Outcome.TRANSIENT, failure.reason)
        except MaybeSent as failure:
            verdict = self._lost(call, failure.reason)
        finally:
            # Also when the task is cancelled in the middle: the lease goes back, and the attempt is on the record.
            seconds = clock.monotonic() - started
            call.at_broker += seconds
            self._parts.breakers[call.intent.endpoint.group].record(permit, verdict, seconds)
            ended = _Ended(verdict, answer)
            self._record(call, ended, number=number, lease=lease, started_at=started_at, seconds=seconds)
        self._learn(call, ended)
        if answer is not None:
            self._parts.reconciler.asker.broker_clock.hear(answer.headers, seconds)
        return ended

    async def _send(self, call: Call, now: float) -> Answer:
        seconds = max(call.deadline - now, 0.001)
        request = call.request if self._parts.late is None else self._parts.late.sign(call.request)
        if call.intent.endpoint.stream:
            return await self._parts.transport.stream(request, seconds=seconds)
        return await self._parts.transport.send(request, seconds=seconds)

    @staticmethod
    def _lost(call: Call, reason: str) -> Verdict:
        """What it means that no whole answer came: nothing for a read, everything for an order."""
        outcome = Outcome.TRANSIENT if call.intent.effect is Effect.READ else Outcome.UNKNOWN
        return Verdict(outcome, reason)

    def _record(
        self, call: Call, ended: _Ended, *, number: int, lease: Lease, started_at: float, seconds: float
    ) -> None:
        parts = self._parts
        verdict, answer = ended.verdict, ended.answer
        readings = parts.profile.readings(answer.headers) if answer is not None else ()
        told = parts.limiter.settle(lease, readings, verdict)
        parts.bus.emit(
            AttemptFinished(
                broker=parts.broker,
                endpoint=call.intent.endpoint.name,
                number=number,
                outcome=verdict.outcome,
                reason=verdict.reason,
                code=verdict.code,
                status=None if answer is None else answer.status,
                started=started_at,
                seconds=seconds,
                readings=told,
            )
        )

    def _learn(self, call: Call, ended: _Ended) -> None:
        answer = ended.answer
        if answer is None or ended.verdict.outcome is not Outcome.OK or call.intent.endpoint.stream:
            return
        parts = self._parts
        if len(answer.body) < LARGE_ANSWER_BYTES:
            parts.limiter.learn(parts.profile.learn(call.intent, answer))
            return
        learning = asyncio.get_running_loop().run_in_executor(None, parts.profile.learn, call.intent, answer)
        learning.add_done_callback(lambda done: parts.limiter.learn(done.result()))

    # After an attempt

    async def _learnt_the_time(self, call: Call, verdict: Verdict, attempts: int) -> bool:
        """Whether a signature of ours missed the broker's clock and the next one will not; once a call."""
        parts = self._parts
        if parts.late is None or verdict.reason != CLOCK_SKEW or call.resigned:
            return False
        call.resigned = True
        started = parts.clock.monotonic()
        learnt = await parts.reconciler.asker.learn_time(call.deadline)
        call.at_broker += parts.clock.monotonic() - started
        if learnt:
            parts.bus.emit(RetryScheduled(parts.broker, call.intent.endpoint.name, verdict.reason, attempts, 0.0))
        return learnt

    def _decide(self, call: Call, verdict: Verdict, attempts: int) -> float | Why | None:
        parts, intent = self._parts, call.intent
        if verdict.outcome is Outcome.OK:
            return None
        gate = parts.limiter.gate()
        shut_for = gate.until - parts.clock.now() if gate.shut and gate.until is not None else 0.0
        situation = Situation(
            effect=intent.effect,
            verdict=verdict,
            attempt=attempts,
            remaining=self._ends_at(call) - parts.clock.monotonic(),
            pause=max(verdict.retry_after or 0.0, shut_for),
            breaker_open=parts.breakers[intent.endpoint.group].refuses(reserved=intent.priority.reserved),
        )
        return decide(parts.retries[intent.endpoint.name], situation, parts.rng, parts.budget.take)

    @staticmethod
    def _ends_at(call: Call) -> float:
        """Monotonic seconds after which no further attempt makes sense: the caller has gone, or the signature has."""
        expires_at = call.intent.expires_at
        if expires_at is None:
            return call.deadline
        return min(call.deadline, call.received + max(0.0, expires_at - call.received_at))

    async def _pause(self, call: Call, seconds: float) -> None:
        clock = self._parts.clock
        started = clock.monotonic()
        while (left := started + seconds - clock.monotonic()) > 0:  # a timer may fire a little early; a retry must not
            await clock.sleep(left)
        call.waited += clock.monotonic() - started

    # The end

    def _deny(self, call: Call, ended: _Ended, attempts: int, why: Why) -> None:
        endpoint = call.intent.endpoint.name
        self._parts.bus.emit(RetryDenied(self._parts.broker, endpoint, ended.verdict.reason, why, attempts))

    def _conclude(self, call: Call, ended: _Ended, attempts: int, why: Why | None) -> Result:
        if why is not None:
            self._deny(call, ended, attempts, why)
        outcome = ended.verdict.outcome
        if ended.answer is not None:
            return Result(ended.answer, Fate(outcome, attempts, call.waited, why))
        refusal = explain.no_answer(self._parts.broker, call.intent, ended.verdict, attempts)
        answer = self._parts.profile.refuse(refusal)
        return Result(answer, Fate(outcome, attempts, call.waited, why, source="sidecar"))

    def _refusal(self, call: Call, refused: _Refused, attempts: int, ended: _Ended | None) -> Result:
        if ended is not None:
            return self._conclude(call, ended, attempts, refused.why)
        fate = Fate(refused.outcome, attempts, call.waited, refused.refusal.kind, source="sidecar")
        return Result(self._parts.profile.refuse(refused.refusal), fate)
