"""One call's way to a broker and back: breaker, limiter, send, classify, record; and again where that is safe."""

import asyncio
from dataclasses import dataclass
from typing import Final

from sidecar.brokers.profile import Verdict
from sidecar.calls import explain
from sidecar.calls.asking import CLOCK_SKEW, is_unauthorised
from sidecar.calls.breaker import Permit
from sidecar.calls.clearance import ANSWER_SECONDS, Clearance, Refused, ends_at
from sidecar.calls.limiter import Lease, told_pause
from sidecar.calls.model import Call, Fate, Result
from sidecar.calls.parts import Parts
from sidecar.calls.retry import Situation, decide
from sidecar.calls.transport import MaybeSent, NotSent, TransportError
from sidecar.telemetry.events import AttemptFinished, RetryDenied, RetryScheduled
from sidecar.wire import Answer
from sidecar.words import Effect, Outcome, Why

LARGE_ANSWER_BYTES: Final = 64 * 1024
"""From here on an answer that may announce limits is read in another thread, so that no other call waits for it."""
_EXECUTED: Final = frozenset({Outcome.OK, Outcome.UNKNOWN})
"""The outcomes after which something may have changed at the broker."""
_THERE: Final = frozenset({Outcome.REJECTED, Outcome.FATAL})
"""A probe carries no key; a broker that says so is there."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """How the newest attempt ended."""

    verdict: Verdict
    answer: Answer | None


class Pipeline:
    """Carries the calls of one broker."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clearance = Clearance(parts)

    async def run(self, call: Call) -> Result:
        """Make attempts until one settles the call or no further one is allowed."""
        parts = self._parts
        own = await self._stood_in_for(call)
        if own is not None:
            return own
        parts.budget.count_call()
        ended: _Ended | None = None
        while True:
            try:
                await self._clearance.log_in(call)
                permit, lease = await self._clearance.enter(call)
            except Refused as refused:
                return self._refusal(call, refused, ended)
            ended = await self._attempt(call, permit, lease)
            if await self._learnt_the_time(call, ended.verdict) or await self._logged_in_anew(call, ended):
                continue
            decision = self._decide(call, ended.verdict)
            if not isinstance(decision, float):
                result = self._conclude(call, ended, decision)
                if ended.verdict.outcome is Outcome.OK:
                    return result
                return await parts.reconciler.reconcile(call, ended.verdict, result)
            parts.bus.emit(
                RetryScheduled(parts.broker, call.intent.endpoint.name, ended.verdict.reason, call.attempts, decision)
            )
            await self._pause(call, decision)

    # Before an attempt

    async def _stood_in_for(self, call: Call) -> Result | None:
        """The answer to a bot's own login, where the sidecar's session serves it: the broker's would hold a token."""
        session = self._clearance.session(call)
        answer = None if session is None else session.stand_in(call.request)
        if answer is None:
            return None
        try:
            await self._clearance.log_in(call)
        except Refused as refused:
            return self._refusal(call, refused, None)
        return Result(answer, Fate(Outcome.OK, 0, call.waited, source="sidecar"))

    # The attempt

    async def _attempt(self, call: Call, permit: Permit, lease: Lease) -> _Ended:
        clock, breaker = self._parts.clock, self._parts.breakers[call.intent.endpoint.group]
        started_at, started = clock.now(), clock.monotonic()
        verdict = self._lost(call, "reset")
        answer: Answer | None = None
        made = telling = True
        call.attempts += 1
        call.in_doubt = call.intent.effect is not Effect.READ
        try:
            answer = await self._send(call, started)
            verdict = self._parts.profile.classify(call.intent, answer)
            if call.probe and verdict.outcome in _THERE:
                verdict = Verdict(Outcome.OK)
        except NotSent as failure:
            made = failure.reason != "bad_request"
            verdict = Verdict(Outcome.TRANSIENT if made else Outcome.FATAL, failure.reason)
            telling = made and self._tells_of_the_broker(call, failure, started)
        except MaybeSent as failure:
            verdict = self._lost(call, failure.reason)
            telling = self._tells_of_the_broker(call, failure, started)
        finally:
            # Also when the task is cancelled in the middle: the lease goes back, and the attempt is on the record.
            seconds = clock.monotonic() - started
            call.at_broker += seconds
            if telling:
                breaker.record(permit, verdict, seconds)
            else:
                breaker.release(permit)
            ended = _Ended(verdict, answer)
            if made:
                self._record(call, ended, lease=lease, started_at=started_at, seconds=seconds)
            else:
                self._unmake(call, lease)
        call.in_doubt = call.in_doubt and verdict.outcome in _EXECUTED
        self._learn(call, ended)
        if answer is not None:
            self._parts.reconciler.asker.broker_clock.hear(answer.headers, seconds)
        return ended

    def _unmake(self, call: Call, lease: Lease) -> None:
        """Nothing was sent and nothing can be: it was no attempt, and nobody learns from it."""
        call.attempts -= 1
        self._parts.admission.drop(call.entry)
        self._parts.limiter.give_back(lease)

    async def _send(self, call: Call, now: float) -> Answer:
        seconds = max(call.deadline - now, 0.001)
        session = self._clearance.session(call)
        call.session = 0 if session is None else session.number
        request = call.request if self._parts.late is None else self._parts.late.sign(call.request)
        if call.intent.endpoint.stream:
            return await self._parts.transport.stream(request, seconds=seconds)
        return await self._parts.transport.send(request, seconds=seconds, reserved=call.intent.priority.reserved)

    @staticmethod
    def _tells_of_the_broker(call: Call, failure: TransportError, started: float) -> bool:
        """Whether a failure is the broker's: one impatient caller must not open the breaker for everybody."""
        return failure.kind != TimeoutError.__name__ or call.deadline - started >= ANSWER_SECONDS

    @staticmethod
    def _lost(call: Call, reason: str) -> Verdict:
        """What it means that no whole answer came: nothing for a read, everything for an order."""
        outcome = Outcome.TRANSIENT if call.intent.effect is Effect.READ else Outcome.UNKNOWN
        return Verdict(outcome, reason)

    def _record(self, call: Call, ended: _Ended, *, lease: Lease, started_at: float, seconds: float) -> None:
        parts = self._parts
        verdict, answer = ended.verdict, ended.answer
        readings = parts.profile.readings(answer.headers) if answer is not None else ()
        told = parts.limiter.settle(lease, readings, verdict)
        parts.bus.emit(
            AttemptFinished(
                broker=parts.broker,
                endpoint=call.intent.endpoint.name,
                number=call.attempts,
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

    async def _learnt_the_time(self, call: Call, verdict: Verdict) -> bool:
        """Whether a signature of ours missed the broker's clock and the next one will not; once a call."""
        parts = self._parts
        if parts.late is None or verdict.reason != CLOCK_SKEW or call.resigned:
            return False
        call.resigned = True
        started = parts.clock.monotonic()
        learnt = await parts.reconciler.asker.learn_time(call.deadline)
        call.at_broker += parts.clock.monotonic() - started
        if learnt:
            parts.bus.emit(RetryScheduled(parts.broker, call.intent.endpoint.name, verdict.reason, call.attempts, 0.0))
        return learnt

    async def _logged_in_anew(self, call: Call, ended: _Ended) -> bool:
        """Whether the broker refused the token, and there is another now; once a call."""
        parts, session = self._parts, self._clearance.session(call)
        definite = ended.verdict.outcome is Outcome.FATAL and is_unauthorised(ended.answer)
        if session is None or call.logged_in_anew or not definite:
            return False
        call.logged_in_anew = True
        started = parts.clock.monotonic()
        renewed = await session.renew(call.session, call.deadline)
        call.at_broker += parts.clock.monotonic() - started
        if renewed:
            reason = ended.verdict.reason
            parts.bus.emit(RetryScheduled(parts.broker, call.intent.endpoint.name, reason, call.attempts, 0.0))
        return renewed

    def _decide(self, call: Call, verdict: Verdict) -> float | Why | None:
        parts, intent = self._parts, call.intent
        if verdict.outcome is Outcome.OK or call.probe:
            return None
        gate = parts.limiter.gate()
        shut_for = gate.until - parts.clock.now() if gate.shut and gate.until is not None else 0.0
        situation = Situation(
            effect=intent.effect,
            verdict=verdict,
            attempt=call.attempts,
            remaining=ends_at(call) - parts.clock.monotonic(),
            pause=max(told_pause(verdict, parts.clock.now()) or 0.0, shut_for, parts.admission.opens_in()),
            breaker_open=parts.breakers[intent.endpoint.group].refuses(reserved=intent.priority.reserved),
        )
        return decide(parts.retries[intent.endpoint.name], situation, parts.rng, parts.budget.take)

    async def _pause(self, call: Call, seconds: float) -> None:
        clock = self._parts.clock
        started = clock.monotonic()
        while (left := started + seconds - clock.monotonic()) > 0:  # a timer may fire a little early; a retry must not
            await clock.sleep(left)
        call.waited += clock.monotonic() - started

    # The end

    def _deny(self, call: Call, ended: _Ended, why: Why) -> None:
        endpoint = call.intent.endpoint.name
        self._parts.bus.emit(RetryDenied(self._parts.broker, endpoint, ended.verdict.reason, why, call.attempts))

    def _conclude(self, call: Call, ended: _Ended, why: Why | None) -> Result:
        if why is not None:
            self._deny(call, ended, why)
        outcome, attempts = ended.verdict.outcome, call.attempts
        if ended.answer is not None:
            return Result(ended.answer, Fate(outcome, attempts, call.waited, why))
        refusal = explain.no_answer(self._parts.broker, call.intent, ended.verdict, attempts)
        fate = Fate(outcome, attempts, call.waited, why if attempts else refusal.kind, source="sidecar")
        return Result(self._parts.profile.refuse(refusal), fate)

    def _refusal(self, call: Call, refused: Refused, ended: _Ended | None) -> Result:
        if ended is not None:
            return self._conclude(call, ended, refused.why)
        fate = Fate(refused.outcome, 0, call.waited, refused.refusal.kind, source="sidecar")
        return Result(self._parts.profile.refuse(refused.refusal), fate)
