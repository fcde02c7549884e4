"""One way to people: waits, gathers, sends, tries again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.alerting.ledger import Ledger
from sidecar.alerting.messages import Item, Message, several, single
from sidecar.alerting.notice import Notice, Pending
from sidecar.alerting.record import Key
from sidecar.alerting.registry import Registry
from sidecar.alerting.types import TYPES, Topic
from sidecar.clock import Clock
from sidecar.telemetry.events import Bus, NotificationSent
from sidecar.words import Severity

RETRY_SECONDS: Final = 15.0
RETRY_MAX_SECONDS: Final = 600.0

Send = Callable[[Message], Awaitable[str]]
"""Delivers a message; returns why it could not, in words without secrets, or nothing."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a channel is spoken to. All figures are seconds."""

    severities: frozenset[Severity]
    aggregate_seconds: float
    """How long it waits for other errors, to tell all in one message; 0: at once, a message for each."""
    pauses: dict[Topic, float]
    """Least time between two notifications about the same error."""
    still_seconds: float
    """How often it is told that what the bot waits for still lasts."""


class Channel:
    """Tells one channel what begins and what ends."""

    def __init__(
        self,
        name: str,
        bot: str,
        manner: Manner,
        send: Send,
        *,
        registry: Registry,
        ledger: Ledger,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self.name = name
        self._bot = bot
        self._manner = manner
        self._send = send
        self._registry = registry
        self._ledger = ledger
        self._bus = bus
        self._clock = clock
        self._notices: dict[Key, Notice] = {}
        self._wake = asyncio.Event()
        self._hurried = False
        self._rests_until = float("-inf")
        """After a message, what comes is gathered, even if it was planned for sooner."""

    async def load(self) -> None:
        """Take up what an earlier process has left, and what has ended since. Raises `StoreError`."""
        for notice in await self._ledger.notices(self.name):
            self._notices[notice.key] = notice
            if not self._registry.of(notice.key):
                self.ended(notice.key)
        for key in {record.key for record in self._registry.lasting()} - set(self._notices):
            self.raised(key)

    def wants(self, key: Key) -> bool:
        """Whether it is told of such errors."""
        return TYPES[key[0]].severity in self._manner.severities

    def raised(self, key: Key) -> None:
        """It happened, perhaps once more."""
        if not self.wants(key):
            return
        notice = self._notices.get(key)
        if notice is None:
            notice = self._notices[key] = Notice(key)
        before = (notice.pending, notice.due)
        kind = TYPES[key[0]]
        if notice.begin(self._clock.now(), self._soon(), self._manner.pauses[kind.topic]):
            self._bus.emit(NotificationSent(self.name, kind.severity, "throttled"))
        if (notice.pending, notice.due) != before:
            self._changed(notice)

    def ended(self, key: Key) -> None:
        """The last one of its kind is over."""
        notice = self._notices.get(key)
        if notice is None:
            return
        before = notice.pending
        notice.end(self._soon())
        if notice.pending is not before:
            self._changed(notice)

    def hurry(self) -> None:
        """Wait no longer for other errors, and come to an end: the sidecar stops."""
        self._hurried = True
        self._wake.set()

    async def run(self) -> None:
        """Tell what is due, until nothing is and it was told to hurry."""
        for notice in self._notices.values():
            notice.flying = False  # where an earlier run was broken off
        while True:
            self._wake.clear()
            now = self._clock.now()
            due = [notice for notice in self._notices.values() if self._is_due(notice, now)]
            if due:
                await self._tell(due)
                continue
            if self._hurried:
                return
            times = [notice.due for notice in self._notices.values() if notice.pending is not None]
            wait = max(min(times, default=0.0), self._rests_until) - now
            timer = self._clock.call_later(wait, self._wake.set) if times else None
            try:
                await self._wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()

    def _is_due(self, notice: Notice, now: float) -> bool:
        if notice.pending is None or (now < self._rests_until and not self._hurried):
            return False
        gathered = self._hurried and notice.attempts == 0 and notice.due - now <= self._manner.aggregate_seconds
        return notice.due <= now or (gathered and notice.pending is not Pending.STILL)

    def _soon(self) -> float:
        """When it speaks next: with whoever waits already, or after the time in which others may come."""
        now = self._clock.now()
        latest = now + self._manner.aggregate_seconds
        waiting = [
            notice.due
            for notice in self._notices.values()
            if notice.pending is not None and not notice.flying and now <= notice.due <= latest
        ]
        return min(waiting, default=latest)

    async def _tell(self, due: Sequence[Notice]) -> None:
        for notice in due:
            notice.flying = True
        together = self._manner.aggregate_seconds > 0
        for notices in [due] if together else [[notice] for notice in due]:
            now = self._clock.now()
            items = [self._item(notice) for notice in notices]
            message = several(items, self._bot, now) if together else single(items[0], self._bot, now)
            failure = await self._send(message)
            self._told(notices, items, message, failure)

    def _told(self, notices: Sequence[Notice], items: Sequence[Item], message: Message, failure: str) -> None:
        now = self._clock.now()
        self._rests_until = now + self._manner.aggregate_seconds
        for notice in notices:
            if failure:
                wait = min(RETRY_SECONDS * 2.0 ** min(notice.attempts, 10), RETRY_MAX_SECONDS)
                notice.failed(now + wait)
            else:
                notice.sent(now, self._still_at(notice, now))
                self._registry.noted(notice.key)
            self._ledger.put_notice(self.name, notice)
        self._bus.emit(NotificationSent(self.name, message.severity, "failed" if failure else "sent", failure))
        if not failure and len(items) > 1:
            for item in items:
                self._bus.emit(NotificationSent(self.name, item.severity, "aggregated"))
        for notice in notices:
            self._catch_up(notice)

    def _catch_up(self, notice: Notice) -> None:
        """What has begun or ended while it was being told."""
        lasts = bool(self._registry.of(notice.key))
        if not lasts and notice.pending is not Pending.RESOLVED:
            self.ended(notice.key)
        elif lasts and not notice.believed:
            self.raised(notice.key)

    def _item(self, notice: Notice) -> Item:
        what = notice.pending or Pending.FIRING
        return Item(notice.key, what, self._registry.newest(notice.key), len(self._registry.of(notice.key)))

    def _still_at(self, notice: Notice, now: float) -> float | None:
        return now + self._manner.still_seconds if TYPES[notice.key[0]].waits else None

    def _changed(self, notice: Notice) -> None:
        self._ledger.put_notice(self.name, notice)
        self._wake.set()
