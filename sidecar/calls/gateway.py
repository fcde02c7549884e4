"""One broker, ready to be called: turns a request into a call, and tells what became of it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from sidecar.brokers.profile import Intent, Keys, Profile, Refusal
from sidecar.calls import ending
from sidecar.calls.admission import Admission, Restraint
from sidecar.calls.breaker import Breaker
from sidecar.calls.budget import RetryBudget
from sidecar.calls.cache import Cache, Carry
from sidecar.calls.controls import Controls
from sidecar.calls.hold import Hold
from sidecar.calls.latesigning import LateSigning
from sidecar.calls.limiter import Address, Limiter
from sidecar.calls.model import Call, Fate, Result
from sidecar.calls.parts import Parts
from sidecar.calls.pipeline import Pipeline
from sidecar.calls.policies import breaker_policy, retry_policies
from sidecar.calls.questions import Questions
from sidecar.calls.relay import relay
from sidecar.calls.transport import Transport
from sidecar.clock import Clock
from sidecar.config.model import Broker
from sidecar.telemetry.context import linked_to, new_trace, parse_traceparent
from sidecar.telemetry.events import Bus, DegradationChanged, TraceContext, trail
from sidecar.wire import Request
from sidecar.words import DegradationLevel, Effect, Outcome, Priority, RefusalKind

_RELOADED: Final = "the configuration was reloaded"


class Gateway:
    """The way to one broker."""

    def __init__(
        self,
        name: str,
        settings: Broker,
        profile: Profile,
        *,
        address: Address,
        admission: Admission,
        restraint: Restraint,
        bus: Bus,
        clock: Clock,
        rng: Random,
    ) -> None:
        self.name = name
        self._settings = settings
        self._profile = profile
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._in_flight = 0
        self._stopping = False
        self.hold = Hold(name)
        """For the start-up checks: keeps new risk back."""
        self._admission = admission
        self._restraint = restraint
        self._transport = Transport(settings)
        self._limiter = Limiter(name, profile.limits, settings.limits, address, bus, clock)
        self._limiter.hold_back_market_data(restraint.market_data_share)
        self.questions = Questions(
            name, settings, profile, limiter=self._limiter, transport=self._transport, bus=bus, clock=clock
        )
        """What the sidecar itself asks this broker."""
        self._late = self._late_signing()
        self._parts = Parts(
            broker=name,
            profile=profile,
            retries=retry_policies(settings.retry, profile),
            breakers={
                group: Breaker(name, group, breaker_policy(settings.breaker, group), bus=bus, clock=clock, rng=rng)
                for group in sorted({endpoint.group for endpoint in profile.endpoints})
            },
            admission=admission,
            restraint=restraint,
            limiter=self._limiter,
            budget=RetryBudget(settings.retry.budget, settings.retry.budget_floor, clock),
            transport=self._transport,
            bus=bus,
            clock=clock,
            rng=rng,
            reconciler=self.questions.reconciler,
            late=self._late,
        )
        self._cache = Cache(name, settings.cache, profile, restraint, bus=bus, clock=clock)
        self._run = self._entrance()
        self.controls = Controls(
            self._parts,
            self._cache,
            self.questions,
            self.hold,
            base_url=settings.base_url,
            in_flight=lambda: self._in_flight,
        )
        """What a person may look at and change."""
        bus.subscribe(DegradationChanged, self._level_changed)

    def _late_signing(self) -> LateSigning | None:
        signer, asker = self.questions.call_signer, self.questions.asker
        if signer is None:
            return None
        adds_ids = self._settings.credentials.add_client_ids
        return LateSigning(self._profile, signer, asker.broker_clock, adds_ids, self._rng, asker.session)

    def _entrance(self) -> Carry:
        """Where calls go in: what is remembered comes before the pipeline.

        Also where nothing is: a cache that is switched on later must have heard of every call that changes something.
        """
        return self._cache.before(Pipeline(self._parts).run)

    def _level_changed(self, event: DegradationChanged) -> None:
        if event.broker == self.name:
            self._limiter.hold_back_market_data(self._restraint.market_data_share)

    async def open(self) -> None:
        """Make ready to call; nothing is sent yet but a login, where the broker wants one."""
        await self._transport.open()
        self.questions.open()

    def wind_down(self) -> None:
        """The sidecar is about to end: streams that end from now on end for that reason."""
        self._stopping = True

    def adopt(self, settings: Broker, keys: Keys | None) -> bool:
        """Go by other policies, limits and keys from the next call on; tells whether the keys are others.

        Calls under way end as they began: by the retries that they know, signed with the keys that they were. Counts
        and states stay. `settings` must name the same broker, and `keys` must be there if and only if there were some.
        """
        self._settings = settings
        self._transport.adopt(settings.timeouts)
        self._cache.adopt(settings.cache)
        self._limiter.adopt(settings.limits)
        self._limiter.hold_back_market_data(self._restraint.market_data_share)
        self._parts.budget.adopt(settings.retry.budget, settings.retry.budget_floor)
        for group, breaker in self._parts.breakers.items():
            breaker.adopt(breaker_policy(settings.breaker, group), _RELOADED)
        rotated = self.questions.adopt(keys)
        if rotated:
            self._cache.forget()
        self._late = self._late_signing()
        self._parts = replace(
            self._parts,
            retries=retry_policies(settings.retry, self._profile),
            reconciler=self.questions.reconciler,
            late=self._late,
        )
        self._run = self._entrance()
        return rotated

    async def close(self) -> None:
        """Close the connections to the broker."""
        await self.questions.close()
        await self._transport.close()

    async def run(
        self,
        request: Request,
        *,
        deadline_seconds: float | None = None,
        traceparent: bytes | None = None,
        tracestate: bytes | None = None,
        gone: Callable[[], bool] = lambda: False,
        expires_at: float | None = None,
        link: bytes | None = None,
        protects: bool = False,
    ) -> Result:
        """Carry one call and tell, in one event, what became of it, also when it is cancelled or fails in here.

        A cancellation after `wind_down` is the end of the drain: the call ends, and its bot is still told how.

        `deadline_seconds`: how long the caller still waits; None takes the broker's default. `gone` tells whether the
        caller has hung up: an order that is still waiting then is not sent any more. `expires_at`: Unix seconds after
        which nothing is sent any more, though an answer may come later. `link`: the `traceparent` of what it has to do
        with in another trace. `protects`: an open position depends on it, so that it goes as what reduces risk,
        whatever the request itself tells.
        """
        trace = linked_to(parse_traceparent(traceparent, tracestate), link)
        call = self._call(request, deadline_seconds, trace, gone)
        if protects:
            call.intent = _protecting(call.intent)
        if expires_at is not None:
            call.intent = replace(call.intent, expires_at=expires_at)
        return await self._carry(call)

    @property
    def can_look(self) -> bool:
        """Whether the profile knows a read that tells if the broker is there."""
        return self._profile.probe is not None

    async def look(self) -> None:
        """Make that read: the broker's condition hears of it like of any call."""
        if self._profile.probe is not None:
            call = self._call(self._profile.probe, None, new_trace(), lambda: False)
            call.probe = True
            await self._carry(call)

    # For orders that the sidecar itself carries

    @property
    def signs(self) -> bool:
        """Whether requests are signed here at each transmission, so that they may wait as long as they must."""
        return self._late is not None

    @property
    def can_trade(self) -> bool:
        """Whether the broker takes new orders at all; breakers, limits and the degradation level may still say no."""
        return self.hold.refusal is None and self._admission.reading().can_trade

    def allows(self, request: Request, *, protects: bool = False) -> bool:
        """Whether the degradation level lets this request pass; `protects` as in `run`."""
        if self._restraint.level is DegradationLevel.NONE:
            return True
        intent = self._profile.understand(request)
        return not self._restraint.refuses(_protecting(intent) if protects else intent)

    @property
    def opens_in(self) -> float:
        """Seconds until a broker that is away may be called again; 0 while it is not."""
        return self._admission.opens_in()

    def _call(
        self, request: Request, deadline_seconds: float | None, trace: TraceContext, gone: Callable[[], bool]
    ) -> Call:
        now = self._clock.monotonic()
        if self._late is not None:
            request = self._late.prepare(request)
        intent = self._profile.understand(request)
        if self._late is not None and intent.expires_at is not None:
            intent = replace(intent, expires_at=None)  # the bot's signature is replaced at each transmission
        return Call(
            id=f"{self._rng.getrandbits(64):016x}",
            request=request,
            intent=intent,
            received_at=self._clock.now(),
            received=now,
            deadline=now + (self._settings.deadline_seconds if deadline_seconds is None else deadline_seconds),
            trace=trace,
            gone=gone,
        )

    async def _carry(self, call: Call) -> Result:
        token = trail.set(call.trail)
        self._in_flight += 1
        try:
            result = self._held_back(call) or await self._run(call)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if call.probe or not self._stopping or task is None:
                self._tell(call, ending.cut_short(call))
                raise
            task.uncancel()
            result = ending.stopped(self.name, self._profile, call)
        except BaseException:
            self._tell(call, ending.cut_short(call))
            raise
        finally:
            self._in_flight -= 1
            trail.reset(token)
        self._tell(call, result)
        if result.answer.chunks is not None:
            result.answer.chunks = relay(
                result.answer.chunks,
                broker=self.name,
                stream=call.intent.endpoint.name,
                bus=self._bus,
                clock=self._clock,
                stopping=lambda: self._stopping,
            )
        return result

    def _held_back(self, call: Call) -> Result | None:
        held, intent = self.hold.refusal, call.intent
        if held is None or intent.effect is not Effect.OPENS_RISK or intent.priority.reserved:
            return None
        return Result(self._profile.refuse(held), Fate(Outcome.TRANSIENT, 0, why=held.kind, source="sidecar"))

    def refuse(self, kind: RefusalKind, message: str) -> Result:
        """An answer by the sidecar itself, in the broker's envelope; the broker saw nothing."""
        answer = self._profile.refuse(Refusal(kind, message))
        return Result(answer, Fate(Outcome.FATAL, attempts=0, why=kind, source="sidecar"))

    def _tell(self, call: Call, result: Result) -> None:
        seconds = self._clock.monotonic() - call.received
        self._bus.emit(ending.finished(self.name, self._profile, call, result, seconds))


def _protecting(intent: Intent) -> Intent:
    """A stop where none is reduce-only looks like new risk, and is what gets out of it."""
    return replace(intent, effect=Effect.REDUCES_RISK, priority=min(intent.priority, Priority.REDUCE))
