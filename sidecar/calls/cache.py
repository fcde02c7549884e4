"""Remembered answers to reads, for the endpoints that the configuration names and no others.

A read that comes while the same one is under way shares its answer; one that comes soon after gets the same again; one
that fails while the degradation level allows it gets an older one. All of them are marked, with their age.

Never across credentials: the same read is one with the same method, path and parameters (but for what every signature
renews) and the same headers (but for those few that carry no identity). So another key, token or cookie is another
read, and so is a header that nobody here has heard of. Only a digest of all that is kept.

Never behind a bot's own back: whatever may change the account, from its first byte on, makes everything forgotten that
was read of the account before it, so that no bot is told that its order does not exist.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sidecar.brokers.profile import Profile
from sidecar.calls.admission import Restraint
from sidecar.calls.model import Call, Fate, Result
from sidecar.clock import Clock
from sidecar.config.model import Cache as Settings
from sidecar.config.model import CachedEndpoint
from sidecar.telemetry.events import Bus, CacheAsked
from sidecar.telemetry.state import CacheReading
from sidecar.wire import Answer, Headers, Request
from sidecar.words import CacheResult, DegradationLevel, Effect, Outcome, Priority

LARGEST_SHARE: Final = 0.25
"""Of the memory that is given, one answer may take so much."""
_ENTRY_BYTES: Final = 512
"""What an answer takes besides its bytes, roughly."""
_NO_IDENTITY: Final = frozenset({b"user-agent", b"connection", b"host", b"content-length"})
"""Headers that say nothing of who asks, nor of what form the answer has to have."""
_NOT_KEPT: Final = frozenset({b"set-cookie", b"age"})
_FAILED: Final = frozenset(
    {Outcome.TRANSIENT, Outcome.MAINTENANCE, Outcome.RATE_LIMITED, Outcome.BANNED, Outcome.UNKNOWN}
)
"""The outcomes after which an older answer is better than none; the others are the broker's word on this very read."""
_OK: Final = 200

Carry = Callable[[Call], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer, and when it was asked for (monotonic seconds)."""

    answer: Answer
    at: float
    era: int
    """Of what was then known to have changed on the account; 0 for market data, which no call changes."""
    size: int


class _Nothing(Enum):
    """Why a read that others waited for brought nothing to share."""

    FAILED = "failed"
    GIVEN_UP = "given_up"
    """Its own caller left."""


_Flight = asyncio.Future[_Kept | _Nothing]
"""A read under way, for those who wait for the same."""


class Cache:
    """The remembered answers of one broker."""

    def __init__(
        self, broker: str, settings: Settings, profile: Profile, restraint: Restraint, *, bus: Bus, clock: Clock
    ) -> None:
        self._broker = broker
        self._endpoints: Mapping[str, CachedEndpoint] = settings.endpoints
        self._max_bytes = settings.max_bytes
        self._essence = profile.essence
        self._restraint = restraint
        self._bus = bus
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        """The one that was unused for longest first."""
        self._bytes = 0
        self._under_way: dict[bytes, _Flight] = {}
        self._era = 1

    def before(self, carry: Carry) -> Carry:
        """`carry`, asked only where nothing that is remembered will do."""

        async def remembered(call: Call) -> Result:
            intent = call.intent
            if intent.effect is not Effect.READ:
                return await self._changing(call, carry)
            policy = self._endpoints.get(intent.endpoint.name)
            if policy is None or call.probe:
                return await carry(call)
            return await self._read(call, policy, carry)

        return remembered

    def adopt(self, settings: Settings) -> None:
        """Go by other settings from the next read on; what is remembered of an endpoint that stays is kept."""
        self._endpoints = settings.endpoints
        self._max_bytes = settings.max_bytes
        self._make_room()

    def forget(self) -> None:
        """Serve no answer again that told of an account: the keys are others now."""
        self._era += 1

    def reading(self) -> CacheReading:
        """What is remembered now."""
        return CacheReading(len(self._kept), self._bytes)

    async def _changing(self, call: Call, carry: Carry) -> Result:
        self._era += 1
        try:
            return await carry(call)
        finally:
            self._era += 1

    # Reads

    async def _read(self, call: Call, policy: CachedEndpoint, carry: Carry) -> Result:
        key = self._key(call)
        era = 0 if call.intent.priority is Priority.MARKET_DATA else self._era
        # Who waited for a read that its own caller gave up looks again; one that failed is not waited for twice.
        while (flight := self._under_way.get(name := key + b"%d" % era)) is not None:
            shared = await self._wait(flight, call)
            if isinstance(shared, _Kept):
                return self._served(call, shared, CacheResult.SHARED)
            if shared is _Nothing.FAILED:
                return await self._asked(call, policy, carry, key)
        found = self._found(key, policy.seconds, era)
        if found is not None:
            return self._served(call, found, CacheResult.HIT)
        self._under_way[name] = flight = asyncio.get_running_loop().create_future()
        try:
            result = await self._asked(call, policy, carry, key, flight)
            if not flight.done():
                flight.set_result(_Nothing.FAILED)
            return result
        finally:
            del self._under_way[name]
            if not flight.done():
                flight.set_result(_Nothing.GIVEN_UP)

    async def _asked(
        self,
        call: Call,
        policy: CachedEndpoint,
        carry: Carry,
        key: bytes,
        flight: _Flight | None = None,
    ) -> Result:
        at = self._clock.monotonic()
        era = 0 if call.intent.priority is Priority.MARKET_DATA else self._era
        result = await carry(call)
        if result.fate.outcome in _FAILED:
            return self._older(call, policy, key, result)
        self._bus.emit(CacheAsked(self._broker, call.intent.endpoint.name, CacheResult.MISS))
        kept = self._worth_keeping(result, at, era)
        if kept is not None:
            if flight is not None:
                flight.set_result(kept)
            self._keep(key, kept)
        return result

    async def _wait(self, flight: _Flight, call: Call) -> _Kept | _Nothing:
        started = self._clock.monotonic()
        try:
            await asyncio.wait((flight,), timeout=max(0.0, call.deadline - started))
        finally:
            call.waited += self._clock.monotonic() - started
        # Too late for anything but to be told so, as any call is, where it is not done.
        return flight.result() if flight.done() else _Nothing.FAILED

    def _older(self, call: Call, policy: CachedEndpoint, key: bytes, failed: Result) -> Result:
        """An older answer in place of a failure, where the level allows it and there is one."""
        restraint = self._restraint
        if restraint.level is not DegradationLevel.NONE and restraint.serves_stale(call.intent):
            era = 0 if call.intent.priority is Priority.MARKET_DATA else self._era
            found = self._found(key, max(policy.stale_seconds, policy.seconds), era)
            if found is not None:
                return self._served(call, found, CacheResult.STALE, failed.fate.attempts)
        self._bus.emit(CacheAsked(self._broker, call.intent.endpoint.name, CacheResult.MISS))
        return failed

    def _served(self, call: Call, kept: _Kept, result: CacheResult, attempts: int = 0) -> Result:
        age = max(0.0, self._clock.monotonic() - kept.at)
        self._bus.emit(CacheAsked(self._broker, call.intent.endpoint.name, result, age))
        answer = kept.answer
        headers = (*answer.headers, (b"Age", b"%d" % age))
        stale = result is CacheResult.STALE
        fate = Fate(Outcome.OK, attempts, call.waited, source="cache", age=age, stale=stale)
        return Result(Answer(answer.status, headers, answer.body, answer.reason), fate)

    # What is kept

    def _key(self, call: Call) -> bytes:
        digest = hashlib.sha256(self._essence(call.request))
        digest.update(call.intent.endpoint.name.encode())
        for name, value in _identity(call.request):
            digest.update(b"%d:%s%d:%s" % (len(name), name, len(value), value))
        return digest.digest()

    def _found(self, key: bytes, seconds: float, era: int) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None or kept.era != era or self._clock.monotonic() - kept.at >= seconds:
            return None
        self._kept.move_to_end(key)
        return kept

    def _worth_keeping(self, result: Result, at: float, era: int) -> _Kept | None:
        answer = result.answer
        ok = result.fate.outcome is Outcome.OK and answer.status == _OK and answer.chunks is None
        # What something changed meanwhile may have been read before the change, or after it.
        if not ok or result.fate.source != "broker" or (era and era != self._era):
            return None
        headers = tuple(pair for pair in answer.headers if pair[0].lower() not in _NOT_KEPT)
        size = _ENTRY_BYTES + len(answer.body) + sum(len(name) + len(value) for name, value in headers)
        return _Kept(Answer(answer.status, headers, answer.body, answer.reason), at, era, size)

    def _keep(self, key: bytes, kept: _Kept) -> None:
        before = self._kept.pop(key, None)
        if before is not None:
            self._bytes -= before.size
        if kept.size > self._max_bytes * LARGEST_SHARE:
            return
        self._kept[key] = kept
        self._bytes += kept.size
        self._make_room()

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size


def _identity(request: Request) -> Headers:
    """The headers that tell one asker from another, or one form of answer from another."""
    return tuple((lower, value) for name, value in request.headers if (lower := name.lower()) not in _NO_IDENTITY)
