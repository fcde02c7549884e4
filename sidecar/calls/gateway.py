"""One broker, ready to be called: turns a request into a call, and tells what became of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Final

from sidecar.brokers.profile import Finding, Intent, Keys, LogsIn, Profile, Refusal, Verdict
from sidecar.brokers.streams import OrderStream, Socket, TellsOfOrders
from sidecar.calls import ending
from sidecar.calls.admission import Admission, Restraint
from sidecar.calls.asking import Asker
from sidecar.calls.breaker import Breaker
from sidecar.calls.brokerclock import BrokerClock
from sidecar.calls.budget import RetryBudget
from sidecar.calls.cache import Cache, Carry
from sidecar.calls.latesigning import LateSigning
from sidecar.calls.limiter import Address, Limiter
from sidecar.calls.model import Call, Fate, Result
from sidecar.calls.pipeline import Parts, Pipeline
from sidecar.calls.policies import breaker_policy, retry_policy
from sidecar.calls.preflight import Preflight
from sidecar.calls.reconcile import Reconciler
from sidecar.calls.relay import relay
from sidecar.calls.session import Session
from sidecar.calls.sharing import Sharing
from sidecar.calls.sockets import Sockets
from sidecar.calls.transport import Transport
from sidecar.clock import Clock
from sidecar.config.credentials import keys_of
from sidecar.config.model import Broker
from sidecar.telemetry.context import linked_to, new_trace, parse_traceparent
from sidecar.telemetry.events import (
    FILLS,
    Bus,
    DegradationChanged,
    StreamClosed,
    StreamOpened,
    TraceContext,
    trail,
)
from sidecar.telemetry.state import BrokerReading, BrokerShape
from sidecar.wire import Answer, Request
from sidecar.words import BreakerMode, DegradationLevel, Effect, Outcome, Priority, RefusalKind

LOOK_SECONDS: Final = 5.0
"""Longest time that a look for which no bot waits may take."""
_RELOADED: Final = "the configuration was reloaded"


class LookupImpossible(Exception):
    """Raised when an order names nothing that it could be found by, or when there are no keys to ask with."""


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
        self._admission = admission
        self._restraint = restraint
        self._transport = Transport(settings)
        self._sockets = Sockets(settings)
        self._limiter = Limiter(name, profile.limits, settings.limits, address, bus, clock)
        self._budget = RetryBudget(settings.retry.budget, settings.retry.budget_floor, clock)
        self._breakers = {
            group: Breaker(name, group, breaker_policy(settings.breaker, group), bus=bus, clock=clock, rng=rng)
            for group in sorted({endpoint.group for endpoint in profile.endpoints})
        }
        self._keys = keys_of(settings.credentials)
        self._broker_clock = BrokerClock(name, bus, clock)
        self._retired: list[Session] = []
        self._asker = self._made_asker()
        self._late = self._late_signing()
        self._reconciler = Reconciler(name, profile, self._asker, bus, clock)
        self._shared = Sharing(self._ask_calmly, clock)
        self._pipeline = Pipeline(self._parts())
        self._held: Refusal | None = None
        self._held_why = ""
        self._cache = Cache(name, settings.cache, profile, restraint, bus=bus, clock=clock)
        self._run = self._entrance()
        self._limiter.hold_back_market_data(restraint.market_data_share)
        bus.subscribe(DegradationChanged, self._level_changed)
        self._streams: Counter[str] = Counter()
        bus.subscribe(StreamOpened, self._stream_opened)
        bus.subscribe(StreamClosed, self._stream_closed)

    def _entrance(self) -> Carry:
        """Where calls go in: what is remembered comes before the pipeline.

        Also where nothing is: a cache that is switched on later must have heard of every call that changes something.
        """
        return self._cache.before(self._pipeline.run)

    def _level_changed(self, event: DegradationChanged) -> None:
        if event.broker == self.name:
            self._limiter.hold_back_market_data(self._restraint.market_data_share)

    def _stream_opened(self, event: StreamOpened) -> None:
        self._streams[event.stream] += event.broker == self.name

    def _stream_closed(self, event: StreamClosed) -> None:
        self._streams[event.stream] -= event.was_open and event.broker == self.name

    def _made_asker(self) -> Asker:
        keys = self._keys
        plain = Asker(
            profile=self._profile,
            limiter=self._limiter,
            transport=self._transport,
            clock=self._clock,
            broker_clock=self._broker_clock,
            signer=None,
        )
        if keys is None:
            return plain
        if not isinstance(self._profile, LogsIn):
            return replace(plain, signer=self._profile.signer(keys))
        session = Session(
            self.name,
            self._profile.login(keys),
            self._profile.signer,
            plain.question,
            now=plain.broker_clock.now,
            bus=self._bus,
            clock=self._clock,
        )
        return replace(plain, signer=session, session=session)

    def _late_signing(self) -> LateSigning | None:
        signer, credentials = self._asker.signer, self._settings.credentials
        if signer is None or not credentials.signs:
            return None
        clock, session = self._asker.broker_clock, self._asker.session
        return LateSigning(self._profile, signer, clock, credentials.add_client_ids, self._rng, session)

    def _parts(self) -> Parts:
        preset = self._profile.retry_preset
        names = (endpoint.name for endpoint in self._profile.endpoints)
        return Parts(
            broker=self.name,
            profile=self._profile,
            retries={name: retry_policy(self._settings.retry, name, preset) for name in names},
            breakers=self._breakers,
            admission=self._admission,
            restraint=self._restraint,
            limiter=self._limiter,
            budget=self._budget,
            transport=self._transport,
            bus=self._bus,
            clock=self._clock,
            rng=self._rng,
            reconciler=self._reconciler,
            late=self._late,
        )

    async def open(self) -> None:
        """Make ready to call; nothing is sent yet but a login, where the broker wants one."""
        await self._transport.open()
        if self._asker.session is not None:
            self._asker.session.begin()

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
        self._budget.adopt(settings.retry.budget, settings.retry.budget_floor)
        for group, breaker in self._breakers.items():
            breaker.adopt(breaker_policy(settings.breaker, group), _RELOADED)
        rotated = keys != self._keys
        if rotated:
            self._keys = keys
            self._retired += filter(None, (self._asker.session,))
            self._asker = self._made_asker()
            self._reconciler = Reconciler(self.name, self._profile, self._asker, self._bus, self._clock)
            self._cache.forget()
            if self._asker.session is not None:
                self._asker.session.begin()
        self._late = self._late_signing()
        self._pipeline = Pipeline(self._parts())
        self._run = self._entrance()
        return rotated

    async def close(self) -> None:
        """Close the connections to the broker."""
        sessions = [*self._retired, *filter(None, (self._asker.session,))]
        await asyncio.gather(*(session.close() for session in sessions))
        await self._sockets.close()
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

    # Before it is traded with

    @property
    def preflight(self) -> Preflight:
        """What asks whether the broker can be traded with."""
        return Preflight(self._profile, self._asker, self._transport, self._clock)

    def hold(self, why: str, retry_after: float | None) -> None:
        """Send no new risk until `release`; reads, cancels and reduce-only orders go on.

        `why` ends a sentence for people; `retry_after`: seconds after which it may be over, None when nobody knows.
        """
        message = f"{self.name}: no new risk is taken on before the start-up checks have passed: {why}"
        self._held = Refusal(RefusalKind.NOT_READY, message, retry_after)
        self._held_why = why

    def release(self) -> None:
        """Take new risk on again."""
        self._held, self._held_why = None, ""

    # For orders that the sidecar itself carries

    @property
    def signs(self) -> bool:
        """Whether requests are signed here at each transmission, so that they may wait as long as they must."""
        return self._late is not None

    @property
    def can_trade(self) -> bool:
        """Whether the broker takes new orders at all; breakers, limits and the degradation level may still say no."""
        return self._held is None and self._admission.reading().can_trade

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

    async def look_up(
        self, request: Request, *, placed_at: float, number: int, order_id: str = "", routine: bool = False
    ) -> Finding | None:
        """What the broker says of the order that an unsigned `request` places or cancels; None when it finds none.

        `placed_at`: Unix seconds before which it cannot have been placed. `number` counts the looks from 1. `order_id`:
        the broker's own id of it, where that is known. `routine`: it is not in doubt, and what others have just been
        told will do. Raises Unanswered when the broker cannot be asked now, LookupImpossible when it can never be asked
        about this one.
        """
        reconciler, intent = self._reconciler, self._profile.understand(request)
        offset = self._asker.broker_clock
        look = self._profile.look(request, intent, lambda: placed_at + offset.offset, order_id)
        if look is None or not reconciler.possible:
            raise LookupImpossible
        until = self._clock.monotonic() + LOOK_SECONDS
        return await reconciler.take(look, intent.endpoint.name, number, until, self._shared.ask if routine else None)

    async def _ask_calmly(self, question: Request, until: float) -> Answer:
        """After orders: what rests in the book can wait for what is to protect a position."""
        return await self._asker.ask(question, until, Priority.ACCOUNT)

    async def ask(self, question: Request) -> Answer:
        """The broker's answer to a question of the sidecar's own, such as a price. Raises Unanswered."""
        return await self._asker.ask(question, self._clock.monotonic() + LOOK_SECONDS)

    @property
    def tells_of_orders(self) -> bool:
        """Whether the broker has a stream that tells what happens to the orders which the sidecar carries."""
        told = isinstance(self._profile, TellsOfOrders) and self._settings.stream_url is not None
        return told and self.signs

    def order_stream(self, account: str) -> OrderStream | None:
        """The stream that tells what happens to an account's orders; None where there is none."""
        profile = self._profile
        return profile.order_stream(account) if isinstance(profile, TellsOfOrders) and self.tells_of_orders else None

    async def open_stream(self, question: Request) -> tuple[Answer | None, Verdict]:
        """Open a stream of the sidecar's own, or ask for what opens one: the answer, where one came, and its meaning.

        Raises Unanswered when there is no session to ask in.
        """
        return await self._asker.put(question, self._clock.monotonic() + LOOK_SECONDS)

    async def open_socket(self, socket: Socket) -> AsyncIterator[bytes]:
        """The messages of a WebSocket of the sidecar's own, each with a line's end. Raises TransportError."""
        return await self._sockets.open(socket.target, LOOK_SECONDS)

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
        held, intent = self._held, call.intent
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

    # What a person may ask and change

    def shape(self) -> BrokerShape:
        """The labels that are known before the first call."""
        return BrokerShape(
            name=self.name,
            endpoints=tuple((endpoint.name, endpoint.group) for endpoint in self._profile.endpoints),
            streams=(
                *(endpoint.name for endpoint in self._profile.endpoints if endpoint.stream),
                *((FILLS,) if self.tells_of_orders else ()),
            ),
            groups=tuple(self._breakers),
            limits=self._limiter.names,
            read=self.reading,
        )

    def reading(self) -> BrokerReading:
        """How the broker stands now."""
        return BrokerReading(
            name=self.name,
            profile=self._profile.name,
            base_url=self._settings.base_url,
            condition=self._admission.reading(),
            breakers=tuple(breaker.reading() for breaker in self._breakers.values()),
            limits=self._limiter.states(),
            gate=self._limiter.gate(),
            in_flight=self._in_flight,
            retry_budget=self._budget.left(),
            degradation=self._restraint.reading(),
            cache=self._cache.reading(),
            streams=tuple(sorted(name for name, count in self._streams.items() if count > 0)),
            held=self._held_why,
        )

    def reset_breakers(self, group: str | None, reason: str) -> None:
        """Close one group's breaker, or all; raises KeyError for a group that the broker does not have."""
        for breaker in self._chosen(group):
            breaker.reset(reason)

    def set_breaker_mode(self, group: str | None, mode: BreakerMode, reason: str) -> None:
        """Run one group's breaker, or all, in another mode; raises KeyError for an unknown group."""
        for breaker in self._chosen(group):
            breaker.set_mode(mode, reason)

    def reset_limits(self, reason: str) -> None:
        """Forget what was counted of every limit and open the gate."""
        self._limiter.reset(reason)

    def degrade(self, level: DegradationLevel, reason: str, seconds: float) -> None:
        """Let the degradation level be at least this for so long."""
        self._restraint.degrade(level, reason, seconds)

    def recover(self, reason: str) -> None:
        """Back to degradation level `none`, whatever had demanded another."""
        self._restraint.recover(reason)

    def _chosen(self, group: str | None) -> tuple[Breaker, ...]:
        return tuple(self._breakers.values()) if group is None else (self._breakers[group],)


def _protecting(intent: Intent) -> Intent:
    """A stop where none is reduce-only looks like new risk, and is what gets out of it."""
    return replace(intent, effect=Effect.REDUCES_RISK, priority=min(intent.priority, Priority.REDUCE))


def gateways(
    brokers: Mapping[str, tuple[Broker, Profile, Admission]],
    *,
    restraints: Mapping[str, Restraint],
    bus: Bus,
    clock: Clock,
    rng: Random,
) -> dict[str, Gateway]:
    """A gateway for each configured broker. Brokers at the same base URL share that address's limits and gate."""
    addresses: dict[str, Address] = {}
    made = {}
    for name, (settings, profile, admission) in brokers.items():
        address = addresses.setdefault(settings.base_url, Address(clock))
        made[name] = Gateway(
            name,
            settings,
            profile,
            address=address,
            admission=admission,
            restraint=restraints[name],
            bus=bus,
            clock=clock,
            rng=rng,
        )
    return made
