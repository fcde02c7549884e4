"""What can go wrong between a bot and its broker, on demand and at seeded random."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sidecar.clock import Clock, SystemClock
from sidecar.simulator import wire

_CLOCK_SKEW = web.RequestKey("clock_skew", float)
_REFUSE_NEXT = web.RequestKey("refuse_next", float)
_SILENT_FROM = web.RequestKey("silent_from", float)


class FaultError(ValueError):
    """Raised when the description of a fault makes no sense."""


class FaultKind(StrEnum):
    """The faults that a simulator can show."""

    LATENCY = "latency"
    TRICKLE = "trickle"
    REFUSED = "refused"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    ANSWER_LOST = "answer_lost"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    UNAVAILABLE_UNKNOWN = "unavailable_unknown"
    UNAVAILABLE_DEFINITE = "unavailable_definite"
    THROTTLED = "throttled"
    INTERNAL = "internal"
    MAINTENANCE = "maintenance"
    HTML = "html"
    TRUNCATED = "truncated"
    WRONG_LENGTH = "wrong_length"
    CLOCK_SKEW = "clock_skew"
    TIMEOUT_UNKNOWN = "timeout_unknown"
    STREAM_CUT = "stream_cut"
    STREAM_SILENT = "stream_silent"


_AMBIGUOUS = frozenset({FaultKind.UNAVAILABLE_UNKNOWN, FaultKind.TIMEOUT_UNKNOWN})
_DURATIONS: Mapping[FaultKind, float] = MappingProxyType(
    {
        FaultKind.REFUSED: 2.0,
        FaultKind.BANNED: 120.0,
        # Beyond any receive window that a client asks for by default.
        FaultKind.CLOCK_SKEW: 30.0,
    }
)
_BARE_STATUS: Mapping[FaultKind, int] = MappingProxyType(
    {
        FaultKind.RATE_LIMITED: 429,
        FaultKind.BANNED: 418,
        FaultKind.UNAVAILABLE_UNKNOWN: 503,
        FaultKind.UNAVAILABLE_DEFINITE: 503,
        FaultKind.THROTTLED: 503,
        FaultKind.INTERNAL: 500,
        FaultKind.MAINTENANCE: 503,
        FaultKind.TIMEOUT_UNKNOWN: 504,
    }
)
_ANSWERS = frozenset({*_BARE_STATUS, FaultKind.HTML})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that shall go wrong.

    Attributes:
        kind: What goes wrong.
        times: How often at most; `None` for as long as the fault is planned.
        probability: The chance, 0 to 1, that a request which matches is hit.
        method: Hits only this HTTP method; empty for every one.
        path: Hits only paths that start so; empty for every one.
        seconds: How long it lasts (`latency`, `trickle`, `refused`, `banned`, `rate_limited` at Binance) or how far
            the clock runs ahead (`clock_skew`, may be negative); for how long a stream flows before it is cut, or
            falls silent on an open connection (`stream_cut`, `stream_silent`). `None` takes the kind's own default,
            see `duration`.
        executed: For the kinds whose answer leaves it open (`unavailable_unknown`, `timeout_unknown`): whether the
            request is executed. `None` tosses the plan's seeded coin each time.
        longer: For `wrong_length`: whether the length announced is longer than the body. `None` tosses the coin.
    """

    kind: FaultKind
    times: int | None = 1
    probability: float = 1.0
    method: str = ""
    path: str = ""
    seconds: float | None = None
    executed: bool | None = None
    longer: bool | None = None

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise FaultError(f"times is {self.times}; use 1 or more, or null for no end")
        if not 0.0 < self.probability <= 1.0:
            raise FaultError(f"probability is {self.probability}; use more than 0 and at most 1")
        if self.seconds is not None and not math.isfinite(self.seconds):
            raise FaultError(f"seconds is {self.seconds}; use a finite number")

    @property
    def duration(self) -> float:
        """`seconds`, or the kind's default: 1, but 2 for `refused`, 30 for `clock_skew`, 120 for `banned`."""
        return _DURATIONS.get(self.kind, 1.0) if self.seconds is None else self.seconds

    def matches(self, method: str, path: str) -> bool:
        """Whether a request of this method and path can be hit."""
        return (not self.method or self.method.upper() == method.upper()) and path.startswith(self.path)

    def as_json(self) -> dict[str, Any]:
        """The fault as the control interface tells it."""
        return asdict(self)

    @classmethod
    def from_json(cls, description: Any) -> "Fault":
        """The fault that a JSON object describes; `FaultError` where it cannot be one."""
        if not isinstance(description, Mapping):
            raise FaultError("a fault is a JSON object with at least a kind")
        unknown = set(description) - {field.name for field in fields(cls)}
        if unknown:
            raise FaultError(f"a fault has no {', '.join(sorted(unknown))}")
        try:
            return cls(**{**description, "kind": FaultKind(description.get("kind", ""))})
        except FaultError:
            raise
        except (TypeError, ValueError) as error:
            raise FaultError(f"{error}; the kinds are {', '.join(FaultKind)}") from error


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault of the plan and how often it may still happen (`None`: no end)."""

    fault: Fault
    remaining: int | None


class _Entry:
    def __init__(self, fault: Fault, seed: str) -> None:
        self.fault = fault
        self.remaining = fault.times
        self._random = random.Random(seed)

    def draw(self) -> Fault | None:
        if self.remaining == 0:
            return None
        fault = self.fault
        if fault.probability < 1.0 and self._random.random() >= fault.probability:
            return None
        if self.remaining is not None:
            self.remaining -= 1
        if fault.kind in _AMBIGUOUS and fault.executed is None:
            return replace(fault, executed=self._random.choice((True, False)))
        if fault.kind is FaultKind.WRONG_LENGTH and fault.longer is None:
            return replace(fault, longer=self._random.choice((True, False)))
        return fault


class FaultPlan:
    """Which faults happen, in which order: the same under the same seed and the same requests.

    Each fault tosses a coin of its own, so that adding one does not change when the others happen.
    """

    def __init__(self, seed: int = 0, faults: Iterable[Fault] = ()) -> None:
        self._seed = seed
        self._entries: list[_Entry] = []
        self._added = 0
        self._fired: Counter[FaultKind] = Counter()
        self._listeners: list[Callable[[Fault], None]] = []
        self.add(*faults)

    @property
    def fired(self) -> Mapping[FaultKind, int]:
        """How often each kind has happened since the start or the last reset."""
        return MappingProxyType(self._fired)

    @property
    def planned(self) -> tuple[PlannedFault, ...]:
        """What can still happen, in the order in which it is tried."""
        return tuple(PlannedFault(entry.fault, entry.remaining) for entry in self._entries)

    def on_add(self, listener: Callable[[Fault], None]) -> None:
        """Tell `listener` of each fault that is added from now on."""
        self._listeners.append(listener)

    def add(self, *faults: Fault) -> None:
        """Plan more faults; earlier ones are tried first."""
        for fault in faults:
            self._entries.append(_Entry(fault, f"{self._seed}/{self._added}/{fault.kind}"))
            self._added += 1
            for listener in self._listeners:
                listener(fault)

    def clear(self) -> None:
        """Plan nothing any more; the counts stay."""
        self._entries.clear()

    def reset(self) -> None:
        """Plan nothing and count from 0, with the coins as they were at the start."""
        self.clear()
        self._fired.clear()
        self._added = 0

    def draw(self, method: str, path: str) -> Fault | None:
        """The fault that hits this request, its open choices made, or `None`."""
        for entry in self._entries:
            if entry.fault.matches(method, path) and (fault := entry.draw()):
                self._entries = [kept for kept in self._entries if kept.remaining != 0]
                self._fired[fault.kind] += 1
                return fault
        return None

    def take(self, kind: FaultKind) -> Fault | None:
        """Spend one turn of the first planned fault of this kind, whatever the request."""
        for entry in self._entries:
            if entry.fault.kind is kind and (fault := entry.draw()):
                self._entries = [kept for kept in self._entries if kept.remaining != 0]
                self._fired[kind] += 1
                return fault
        return None


@dataclass(frozen=True, slots=True)
class CannedAnswer:
    """An answer that is given whatever the question."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def response(self) -> web.Response:
        """The answer as aiohttp sends it."""
        return web.Response(status=self.status, headers=dict(self.headers), body=self.body)


Canned = Mapping[FaultKind, CannedAnswer] | Callable[[Fault], CannedAnswer | None]
"""A broker's own words for the faults that are answers."""

HTML_ERROR = CannedAnswer(
    502,
    MappingProxyType({"Content-Type": "text/html"}),
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n",
)


def answer_for(fault: Fault, canned: Canned) -> CannedAnswer | None:
    """The answer by which `fault` shows itself; `None` when it shows itself otherwise.

    Where the broker has no words for it, the bare status stands in, so that no fault passes unseen.
    """
    if fault.kind not in _ANSWERS:
        return None
    words = canned(fault) if callable(canned) else canned.get(fault.kind)
    if words is not None:
        return words
    if fault.kind is FaultKind.HTML:
        return HTML_ERROR
    return CannedAnswer(_BARE_STATUS[fault.kind], {}, b"")


def faults_middleware(plan: FaultPlan, canned: Canned, clock: Clock | None = None) -> Middleware:
    """A middleware that lets each request meet the fault which `plan` draws for it.

    A request that draws `refused` is answered; the listener closes behind it (see `refusal`). An answer whose
    sending has begun (a stream) can be delayed or reset, but its body is left alone.
    """
    time = clock or SystemClock()

    @web.middleware
    async def meet(request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = plan.draw(request.method, request.path)
        if fault is None:
            return await handler(request)
        words = answer_for(fault, canned)
        if words is not None:
            # Read even what is thrown away: bytes left unread would turn the answer into a connection reset.
            await request.read()
            if fault.kind in _AMBIGUOUS and fault.executed:
                await _execute(request, handler)
            return words.response()
        return await _transport_fault(fault, request, handler, time)

    return meet


def clock_skew(request: web.Request) -> float:
    """How far the broker's clock runs ahead for this one request, in seconds."""
    skew: float = request.get(_CLOCK_SKEW, 0.0)
    return skew


def refusal(request: web.Request) -> float | None:
    """For how many seconds the listener shall close after this request; `None` when it stays open."""
    seconds: float | None = request.get(_REFUSE_NEXT)
    return seconds


def is_silent(request: web.Request, clock: Clock) -> bool:
    """Whether the stream that this request opened says nothing any more."""
    moment = request.get(_SILENT_FROM)
    return moment is not None and clock.monotonic() >= moment


async def _transport_fault(fault: Fault, request: web.Request, handler: Handler, clock: Clock) -> web.StreamResponse:
    match fault.kind:
        case FaultKind.LATENCY:
            await clock.sleep(fault.duration)
        case FaultKind.CLOCK_SKEW:
            request[_CLOCK_SKEW] = fault.duration
        case FaultKind.REFUSED:
            request[_REFUSE_NEXT] = fault.duration
        case FaultKind.STREAM_SILENT:
            request[_SILENT_FROM] = clock.monotonic() + fault.duration
        case FaultKind.STREAM_CUT:
            return await _cut(fault, request, handler, clock)
        case FaultKind.RESET_BEFORE:
            await request.read()
            wire.reset(request)
            return web.Response()
        case _:
            pass
    response = await _execute(request, handler)
    match fault.kind:
        case FaultKind.RESET_AFTER:
            wire.reset(request)
        case FaultKind.ANSWER_LOST:
            await wire.keep_silent(request, clock)
        case _ if isinstance(response, web.Response) and not response.prepared:
            return await _spoil_body(fault, request, response, clock)
        case _:
            pass
    return response


async def _cut(fault: Fault, request: web.Request, handler: Handler, clock: Clock) -> web.StreamResponse:
    scissors = clock.call_later(fault.duration, lambda: wire.reset(request))
    try:
        return await _execute(request, handler)
    finally:
        scissors.cancel()


async def _spoil_body(fault: Fault, request: web.Request, response: web.Response, clock: Clock) -> web.StreamResponse:
    body = response.body if isinstance(response.body, bytes) else b""
    match fault.kind:
        case FaultKind.TRICKLE:
            return await wire.trickle(request, response, body, fault.duration, clock)
        case FaultKind.TRUNCATED:
            wire.write_and_close(request, response, announced=len(body), body=body[: len(body) // 2])
        case FaultKind.WRONG_LENGTH:
            announced = len(body) + 16 if fault.longer else len(body) // 2
            wire.write_and_close(request, response, announced=announced, body=body)
        case _:
            pass
    return response


async def _execute(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as answer:
        return answer
