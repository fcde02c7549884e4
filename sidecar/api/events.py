"""Everything that happens, as server-sent events."""

import asyncio
import dataclasses
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from enum import Enum
from typing import Any, Final, get_args

from sidecar.clock import Cancellable, Clock
from sidecar.telemetry.audit.clean import clean_fields
from sidecar.telemetry.events import Bus, CallFinished, Event, TraceContext
from sidecar.words import Priority

HEARTBEAT_SECONDS: Final = 15.0
QUEUE_EVENTS: Final = 1024
"""How many events a slow client may be behind before it loses the newest ones."""
KINDS: Final[tuple[str, ...]] = tuple(kind.__name__ for kind in get_args(Event))


class Events:
    """Hands the bus's events to any number of clients; costs next to nothing while there are none."""

    def __init__(self, bus: Bus, clock: Clock, *, queue_events: int = QUEUE_EVENTS) -> None:
        self._clock = clock
        self._queue_events = queue_events
        self._feeds: set[_Feed] = set()
        for kind in get_args(Event):
            bus.subscribe(kind, self._hear)

    def follow(self, *, brokers: Collection[str] = (), kinds: Collection[str] = ()) -> AsyncIterator[bytes]:
        """The events from now on as server-sent events; empty filters let everything pass."""
        return _Feed(frozenset(brokers), frozenset(kinds), self._queue_events).lines(self._feeds, self._clock)

    def _hear(self, event: Event) -> None:
        if not self._feeds:
            return
        kind = type(event).__name__
        broker = getattr(event, "broker", "")
        line = b""
        for feed in self._feeds:
            if feed.wants(kind, broker):
                line = line or b"event: %s\ndata: %s\n\n" % (kind.encode(), as_json(event))
                feed.offer(line)


class _Feed:
    """One client."""

    def __init__(self, brokers: frozenset[str], kinds: frozenset[str], limit: int) -> None:
        self._brokers = brokers
        self._kinds = kinds
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()

    def wants(self, kind: str, broker: str) -> bool:
        return (not self._kinds or kind in self._kinds) and (not self._brokers or broker in self._brokers)

    def offer(self, line: bytes) -> None:
        if len(self._lines) < self._limit:
            self._lines.append(line)
        else:
            self._dropped += 1
        self._wake.set()

    async def lines(self, feeds: set["_Feed"], clock: Clock) -> AsyncIterator[bytes]:
        feeds.add(self)
        heartbeat = _Heartbeat(clock, lambda: self.offer(b": still here\n\n"))
        try:
            yield b": events follow\n\n"
            while True:
                await self._wake.wait()
                heartbeat.postpone()
                yield self._take()
        finally:
            heartbeat.stop()
            feeds.discard(self)

    def _take(self) -> bytes:
        self._wake.clear()
        taken = b"".join(self._lines)
        self._lines.clear()
        if self._dropped:
            taken += b'event: dropped\ndata: {"count":%d}\n\n' % self._dropped
            self._dropped = 0
        return taken


class _Heartbeat:
    """Beats after each `HEARTBEAT_SECONDS` of silence."""

    def __init__(self, clock: Clock, beat: Callable[[], None]) -> None:
        self._clock = clock
        self._beat = beat
        self._next: Cancellable = clock.call_later(HEARTBEAT_SECONDS, beat)

    def postpone(self) -> None:
        self._next.cancel()
        self._next = self._clock.call_later(HEARTBEAT_SECONDS, self._beat)

    def stop(self) -> None:
        self._next.cancel()


def as_json(event: Event) -> bytes:
    """An event's fields on one line, without a call's trail: each of its steps was an event of its own."""
    return json.dumps(_plain(event), separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, TraceContext):
        return {
            "trace_id": f"{value.trace_id:032x}",
            "parent_id": f"{value.parent_id:016x}",
            "sampled": value.sampled,
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(value, CallFinished):
            del fields["trail"]
            # A broker's own words go through the audit log's fence here too.
            fields["request"], fields["response"] = (
                clean_fields(dict(value.request)),
                clean_fields(dict(value.response)),
            )
        return {name: _plain(field) for name, field in fields.items()}
    if isinstance(value, Priority):
        return value.label
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
