"""`Idempotency-Key`: a bot may send the same call again, and it is executed once.

Where it is configured, an order's own client id does the same for a while.

The key is on the disk before the first byte leaves, and its answer before the bot gets it. What lies between the two at
a crash is in doubt: it is told so, and never sent again.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Final

from sidecar.brokers.profile import Intent, Profile
from sidecar.calls.controls import Controls
from sidecar.calls.gateway import Gateway
from sidecar.calls.model import Fate, Result
from sidecar.clock import Clock
from sidecar.orders.keys import HEADER, Kept, Keys, may_be_known
from sidecar.store import StoreError
from sidecar.telemetry.events import Bus, CallReplayed
from sidecar.wire import Answer, Headers, Request
from sidecar.words import Effect, Outcome, RefusalKind

LARGEST_KEPT_BYTES: Final = 1024 * 1024
"""A larger answer is not kept: the same call is then in doubt. No answer about an order comes near it."""

_KEY: Final = re.compile(rb"[\x20-\x7e]{1,255}")
_CLIENT_ID: Final = "\n"
"""Before a client id that serves as a key: no `Idempotency-Key` can begin with it."""
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_EXECUTED: Final = frozenset(
    {Outcome.TRANSIENT, Outcome.RATE_LIMITED, Outcome.BANNED, Outcome.MAINTENANCE, Outcome.FATAL}
)
"""What frees the key. A fatal failure is among them: once the clock or the key is mended, the call may go."""
_SHORTEST_SECONDS: Final = 0.001
"""A deadline that is over is still a deadline: the call is then refused, and that is on the record."""

_UNPROCESSABLE: Final = 422
_BAD_REQUEST: Final = 400
_INSUFFICIENT_STORAGE: Final = 507


@dataclass(frozen=True, slots=True)
class _Told:
    """What a caller gets; `how` is one of the replays, or None when the call was carried out."""

    result: Result
    how: str | None


@dataclass(frozen=True, slots=True)
class _Key:
    """What a call may be known by when it comes again."""

    text: str
    request: Request
    """Without the key."""
    intent: Intent
    seconds: float | None
    """How long it counts; None for as long as keys are kept."""
    objection: str = ""
    """Why it cannot be used, in a sentence."""


@dataclass(frozen=True, slots=True)
class _Keyed:
    """A call with a key that can be used."""

    key: _Key
    fingerprint: str
    ends: float
    """Monotonic seconds at which its caller stops waiting."""
    traceparent: bytes | None
    tracestate: bytes | None
    gone: Callable[[], bool]
    """Whether its caller has hung up."""
    what: str
    """The call in words: its broker, endpoint and client id."""


class _Underway:
    """A call with a key, on its way in a task of its own: a caller who hangs up does not take it along."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.task: asyncio.Task[_Told]
        self.callers: list[Callable[[], bool]] = []
        """Each tells whether it has hung up; when all have, an order that still waits is not sent any more."""
        self.sending = False
        self.ended = False

    def end(self) -> None:
        """The sidecar stops: cut it short where it waits for the broker, so that it is told and kept what became of it.

        Never while it is written down, which takes no time worth speaking of.
        """
        if self.sending and not self.ended:
            self.task.cancel()
        self.ended = True


class IdempotentGateway:
    """The way to one broker, for calls with and without a key."""

    def __init__(
        self,
        gateway: Gateway,
        profile: Profile,
        keys: Keys | None,
        *,
        deadline_seconds: float,
        bus: Bus,
        clock: Clock,
        client_id_seconds: float = 0,
    ) -> None:
        """`keys` is None where no state is kept; `deadline_seconds` holds for callers who do not say.

        `client_id_seconds`: for how long an order's client id is a key, too; 0 for never.
        """
        self.name = gateway.name
        self._gateway = gateway
        self._profile = profile
        self._keys = keys
        self.deadline_seconds = deadline_seconds
        """May be replaced at any time."""
        self._bus = bus
        self._clock = clock
        self._client_id_seconds = client_id_seconds if keys is not None else 0
        self._stopping = False
        self._underway: dict[str, _Underway] = {}
        self._announced: Counter[str] = Counter()
        """How many calls are about to be run, by their keys."""

    async def run(
        self,
        request: Request,
        *,
        deadline_seconds: float | None = None,
        traceparent: bytes | None = None,
        tracestate: bytes | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Carry one call; one that has an effect and carries a key at most once, however often it comes."""
        key = self._key_of(request)
        if key is None or key.intent.effect is Effect.READ:
            # Reading twice changes nothing, and an old answer to a read is a wrong one.
            return await self._gateway.run(
                request if key is None else key.request,
                deadline_seconds=deadline_seconds,
                traceparent=traceparent,
                tracestate=tracestate,
                gone=gone,
            )
        if key.objection:
            told = _Told(self._refused(_BAD_REQUEST, RefusalKind.BAD_REQUEST, key.objection), "unavailable")
        else:
            seconds = self.deadline_seconds if deadline_seconds is None else deadline_seconds
            ends = self._clock.monotonic() + seconds
            fingerprint = sha256(self._profile.essence(key.request)).hexdigest()
            what = _words(self.name, key.intent)
            told = await self._once(_Keyed(key, fingerprint, ends, traceparent, tracestate, gone, what))
        if told.how is not None:
            self._bus.emit(CallReplayed(self.name, key.intent.endpoint.name, told.how))
        return told.result

    async def knows(self, *requests: Request) -> bool:
        """Whether any of these calls has come before, under a key by which it would not be carried out again.

        Raises StoreError.
        """
        keys = [key for request in requests if (key := self._key_of(request)) is not None]
        if self._keys is None or not keys:
            return False
        for key in keys:
            if self._at_hand(key) or await self._keys.find(key.text, key.seconds) is not None:
                return True
        return any(self._at_hand(key) for key in keys)  # they may have come while the disk was asked

    @contextmanager
    def announced(self, request: Request) -> Iterator[None]:
        """Let `knows` tell of a call from now on: while it is looked up whether it may be run, and while it is."""
        key = self._key_of(request)
        if key is None:
            yield
            return
        self._announced[key.text] += 1
        try:
            yield
        finally:
            self._announced[key.text] -= 1
            if not self._announced[key.text]:
                del self._announced[key.text]

    def _at_hand(self, key: _Key) -> bool:
        return key.text in self._underway or key.text in self._announced

    def _key_of(self, request: Request) -> _Key | None:
        """The key by which a request may be known: its header, or its client id where that counts as one."""
        values = [value.strip() for name, value in request.headers if name.lower() == HEADER]
        if values:
            bare = Request(request.method, request.target, _without_key(request.headers), request.body)
            intent = self._profile.understand(bare)
            return _Key(values[0].decode("latin-1"), bare, intent, None, self._objection(values, intent))
        if not self._client_id_seconds or request.method in _READS:
            return None
        intent = self._profile.understand(request)
        if not may_be_known(intent):
            return None
        return _Key(f"{_CLIENT_ID}{intent.client_id}", request, intent, self._client_id_seconds)

    def wind_down(self) -> None:
        """The sidecar is about to end: a caller who is cancelled from now on is still told what became of its call."""
        self._stopping = True

    async def finish(self) -> None:
        """End what is still under way, also without a caller, and write down what became of it."""
        tasks = [underway.task for underway in self._underway.values()]
        for underway in list(self._underway.values()):
            underway.end()
        if tasks:
            await asyncio.wait(tasks)

    # Calls with a key

    def _objection(self, values: list[bytes], intent: Intent) -> str:
        if self._keys is None:
            return "not sent: an Idempotency-Key needs a state file to be kept in; set state.path, or leave the key out"
        if len(values) != 1 or not _KEY.fullmatch(values[0]):
            return "not sent: an Idempotency-Key must be given once, as 1 to 255 printable ASCII characters"
        if intent.endpoint.stream:
            return "not sent: a stream cannot be replayed; leave out the Idempotency-Key"
        return ""

    async def _once(self, call: _Keyed) -> _Told:
        underway = self._underway.get(call.key.text)
        if underway is None:
            return await self._outcome(self._begin(call), call) or self._too_late(call)
        if underway.fingerprint != call.fingerprint:
            return self._conflict(call.key)
        told = await self._outcome(underway, call, call.ends - self._clock.monotonic())
        if told is None:
            return self._too_late(call)
        if told.how is None:
            return _Told(Result(told.result.answer, replace(told.result.fate, source="store")), "replayed")
        return told

    def _begin(self, call: _Keyed) -> _Underway:
        underway = self._underway[call.key.text] = _Underway(call.fingerprint)
        underway.task = asyncio.create_task(self._first(call, underway), name=f"keyed call to {self.name}")
        underway.task.add_done_callback(partial(self._forget, call.key.text))
        return underway

    def _forget(self, key: str, task: asyncio.Task[_Told]) -> None:
        self._underway.pop(key, None)
        if not task.cancelled():
            # Its callers may all have gone: a failure must not wait for somebody to fetch it.
            task.exception()

    async def _outcome(self, underway: _Underway, call: _Keyed, seconds: float | None = None) -> _Told | None:
        """What becomes of a call under way; None when it has not ended within `seconds`."""
        underway.callers.append(call.gone)
        task = underway.task
        try:
            await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if not self._stopping or caller is None:
                raise
            caller.uncancel()
            underway.end()
            await asyncio.wait({task})
        if not task.done():
            return None
        if task.cancelled():
            return self._in_doubt(f"{call.what} was cut short")
        return task.result()

    async def _first(self, call: _Keyed, underway: _Underway) -> _Told:
        keys = self._keys
        assert keys is not None, "a call without a state file was refused before"  # noqa: S101 - for the reader
        try:
            kept = await keys.reserve(call.key.text, call.fingerprint, call.key.seconds)
        except StoreError:
            kept = await self._found(keys, call.key)
            if kept is None:
                return self._unrecorded(call.key)
        if kept is not None:
            return self._replay(kept, call)
        if underway.ended:
            with suppress(StoreError):
                await keys.free(call.key.text)
            return self._stopped()
        underway.sending = True
        try:
            seconds = max(_SHORTEST_SECONDS, call.ends - self._clock.monotonic())
            result = await self._gateway.run(
                call.key.request,
                deadline_seconds=seconds,
                traceparent=call.traceparent,
                tracestate=call.tracestate,
                gone=lambda: all(gone() for gone in underway.callers),
            )
        finally:
            underway.sending = False
        # The bot gets its answer whatever the disk does; a key without one is in doubt, which is safe.
        with suppress(StoreError):
            await self._settle(keys, call.key.text, result)
        return _Told(result, None)

    @staticmethod
    async def _found(keys: Keys, key: _Key) -> Kept | None:
        """A full disk can still be read."""
        try:
            return await keys.find(key.text, key.seconds)
        except StoreError:
            return None

    @staticmethod
    async def _settle(keys: Keys, key: str, result: Result) -> None:
        fate = result.fate
        if fate.outcome in _NOT_EXECUTED:
            await keys.free(key)
        elif len(result.answer.body) <= LARGEST_KEPT_BYTES:
            await keys.answer(key, result)

    # What is told without sending anything

    def _replay(self, kept: Kept, call: _Keyed) -> _Told:
        if kept.fingerprint != call.fingerprint:
            return self._conflict(call.key)
        if kept.result is None:
            return self._in_doubt(f"the answer to {call.what} was lost, in a restart or on a full disk")
        return _Told(kept.result, "replayed")

    def _conflict(self, key: _Key) -> _Told:
        message = "not sent: this Idempotency-Key was used for another request; use a new key for a new request"
        if key.text.startswith(_CLIENT_ID):
            message = "not sent: this client order id was used for another order; use a new one for a new order"
        return _Told(self._refused(_UNPROCESSABLE, RefusalKind.BAD_REQUEST, message), "conflict")

    def _too_late(self, call: _Keyed) -> _Told:
        return self._in_doubt(f"{call.what} is still under way; ask again with the same key, or")

    def _in_doubt(self, what: str) -> _Told:
        end = "" if what.endswith(" or") else ";"
        message = f"sent once, outcome unknown: {what}{end} look it up before sending it under another key"
        answer = self._gateway.refuse(RefusalKind.UNKNOWN, message).answer
        # How often it was transmitted is lost; none would say that nothing was sent.
        fate = Fate(Outcome.UNKNOWN, attempts=1, why=RefusalKind.UNKNOWN, source="store")
        return _Told(Result(answer, fate), "in_doubt")

    def _unrecorded(self, key: _Key) -> _Told:
        what = "client order id" if key.text.startswith(_CLIENT_ID) else "Idempotency-Key"
        message = f"not sent: the state file does not take the {what}; make room on its disk, see the log"
        refused = self._refused(_INSUFFICIENT_STORAGE, RefusalKind.UNRECORDED, message)
        return _Told(Result(refused.answer, replace(refused.fate, outcome=Outcome.TRANSIENT)), "unavailable")

    def _stopped(self) -> _Told:
        refused = self._gateway.refuse(RefusalKind.UNREACHABLE, "not sent: the sidecar is being stopped")
        return _Told(Result(refused.answer, replace(refused.fate, outcome=Outcome.TRANSIENT)), "unavailable")

    def _refused(self, status: int, kind: RefusalKind, message: str) -> Result:
        refused = self._gateway.refuse(kind, message)
        return Result(Answer(status, refused.answer.headers, refused.answer.body), refused.fate)

    # Everything else is the gateway's own

    def refuse(self, kind: RefusalKind, message: str) -> Result:
        """An answer by the sidecar itself, in the broker's envelope; the broker saw nothing."""
        return self._gateway.refuse(kind, message)

    @property
    def controls(self) -> Controls:
        """What a person may look at and change of the broker."""
        return self._gateway.controls


def _without_key(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() != HEADER)


def _words(broker: str, intent: Intent) -> str:
    named = f" with client id {intent.client_id}" if intent.client_id else ""
    return f"this {broker} {intent.endpoint.name} call{named}"
