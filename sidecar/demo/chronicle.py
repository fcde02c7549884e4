"""The sidecar's own account of what happens, as its event stream tells it."""

import json
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

KINDS: Final = (
    "AttemptFinished",
    "BreakerTransition",
    "BrokerStateChanged",
    "CallFinished",
    "GateOpened",
    "GateShut",
    "LimitRejected",
    "LimitThreshold",
    "RetryDenied",
    "RetryScheduled",
)
_CLIENT_ID_KEYS: Final = ("newClientOrderId", "clientExtensions.id")
_REFUSED: Final = frozenset({"breaker_open", "rate_limited", "banned", "deadline", "maintenance"})


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of the sidecar."""

    kind: str
    at: float
    """Monotonic seconds at which the demo heard of it."""
    facts: Mapping[str, Any]

    @property
    def broker(self) -> str:
        """The broker it is about."""
        return str(self.facts.get("broker", ""))

    @property
    def order_id(self) -> str:
        """The client order id of the order that a finished call placed; empty for every other event."""
        if self.facts.get("endpoint") != "place_order":
            return ""
        request = self.facts.get("request", {})
        return next((str(request[key]) for key in _CLIENT_ID_KEYS if key in request), "")

    @property
    def refused(self) -> bool:
        """Whether the sidecar answered the call by itself, without sending it."""
        return self.kind == "CallFinished" and self.facts["attempts"] == 0 and self.facts["why"] in _REFUSED


@dataclass(slots=True)
class Record:
    """What happened in a stretch of time."""

    happenings: list[Happening]

    def of(self, kind: str, broker: str = "", **facts: Any) -> list[Happening]:
        """The events of one kind, of one broker where it is named, with these facts."""
        return [
            happening
            for happening in self.happenings
            if happening.kind == kind
            and broker in {"", happening.broker}
            and all(happening.facts.get(name) == value for name, value in facts.items())
        ]


class Chronicle:
    """Hears every event, counts it, and keeps those of a chapter."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._records: list[Record] = []
        self.counts: Counter[str] = Counter()
        """Events by kind."""
        self.refused = 0
        """Calls that the sidecar answered without sending them."""
        self.denied: Counter[str] = Counter()
        """Retries that were not made, by reason."""
        self.missed = 0
        """Events that the sidecar did not keep for a listener as slow as this one."""
        self.listener: Callable[[Happening], None] = lambda _: None

    @contextmanager
    def recorded(self) -> Iterator[Record]:
        """Keep what happens until the block ends."""
        record = Record([])
        self._records.append(record)
        try:
            yield record
        finally:
            self._records.remove(record)

    def hear(self, kind: str, facts: Mapping[str, Any]) -> None:
        """One event came."""
        if kind == "dropped":
            self.missed += int(facts["count"])
            return
        happening = Happening(kind, self._now(), facts)
        self.counts[kind] += 1
        self.refused += happening.refused
        if kind == "RetryDenied":
            self.denied[str(facts["why"])] += 1
        for record in self._records:
            record.happenings.append(happening)
        self.listener(happening)


async def follow(chronicle: Chronicle, session: aiohttp.ClientSession, heard: Callable[[], None]) -> None:
    """Tell the chronicle what the sidecar tells, until the stream ends; `heard` is called once, when it has begun."""
    parameters = [("kind", kind) for kind in KINDS]
    forever = aiohttp.ClientTimeout(total=None, sock_read=None)
    async with session.get("http://localhost/v1/events", params=parameters, timeout=forever) as answer:
        answer.raise_for_status()
        heard()
        async for kind, facts in _events(answer.content):
            chronicle.hear(kind, facts)


async def _events(lines: AsyncIterable[bytes]) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
    kind = ""
    async for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


def longest_wait(calls: Iterable[Happening]) -> float:
    """The longest deliberate wait of these calls, in seconds."""
    return max((float(call.facts["waited"]) for call in calls), default=0.0)
