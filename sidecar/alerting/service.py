"""The room as one thing that starts and stops: registry, Alertmanager and channels on the bus."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sidecar.alerting.alertmanager import CHANNEL, Pusher
from sidecar.alerting.channel import Channel, Send
from sidecar.alerting.http import Poster
from sidecar.alerting.ledger import Ledger
from sidecar.alerting.record import Key
from sidecar.alerting.registry import Registry
from sidecar.alerting.routes import Contact, contacts, manner
from sidecar.alerting.types import ErrorType
from sidecar.alerting.vitals import ReadAudit, Vitals
from sidecar.alerting.watch import Watch
from sidecar.clock import Clock
from sidecar.config.model import Alerting as Settings
from sidecar.config.model import Alertmanager
from sidecar.config.secrets import read_secret
from sidecar.store import Store
from sidecar.telemetry.events import Bus, ErrorRaised, ErrorResolved

LAST_WORD_SECONDS: Final = 3.0
"""How long after the order to stop messages may still be on their way; calls in flight end meanwhile."""
AGAIN_SECONDS: Final = 5.0


class Alerting:
    """Keeps what went wrong, and tells who should know."""

    def __init__(
        self,
        settings: Settings,
        *,
        bot: str,
        bus: Bus,
        clock: Clock,
        store: Store | None,
        read_audit: ReadAudit | None = None,
        sender: Callable[[Contact], Send] = lambda contact: contact.sender.send,
    ) -> None:
        """`sender` makes what delivers a contact's messages. Raises `SecretFileError` and `ChannelError`."""
        self._bus = bus
        self._ledger = Ledger(store, clock)
        self.registry = Registry(bus, clock, self._ledger)
        self._watch = Watch(self.registry, clock)
        self._vitals = Vitals(
            self.registry, clock, read_store=None if store is None else store.readings, read_audit=read_audit
        )
        self._bot = bot
        self._sender = sender
        self._clock = clock
        self._channels = [self._channel(contact, settings) for contact in contacts(settings)]
        self._alertmanager = settings.alertmanager
        self._poster = self._made_poster(settings.alertmanager)
        self._pusher = self._made_pusher(settings.alertmanager, self._poster)
        self._pushing: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._last_word: float | None = None
        self.channels = (
            *([CHANNEL] if settings.alertmanager.url else []),
            *(channel.name for channel in self._channels),
        )
        """The names of all that people are notified by."""

    async def start(self) -> None:
        """Take up what an earlier process has left, and listen from now on. Raises `StoreError`."""
        await self.registry.load()
        for channel in self._channels:
            await channel.load()
        self._pusher.load()
        self._bus.subscribe(ErrorRaised, self._raised)
        self._bus.subscribe(ErrorResolved, self._resolved)
        self._watch.subscribe(self._bus)
        self._spawn("vitals", self._vitals.run)
        self._pushing = self._spawn("alertmanager", self._pusher.run)
        self._telling = {channel.name: self._spawn(channel.name, channel.run) for channel in self._channels}

    async def adopt(self, settings: Settings) -> None:
        """Tell these channels and Alertmanagers instead, in this manner; what waits to be told is told.

        Raises `SecretFileError` and `ChannelError`, and changes nothing then; raises `StoreError`.
        """
        wanted = list(contacts(settings))
        poster = self._made_poster(settings.alertmanager)
        running = {channel.name: channel for channel in self._channels}
        self._channels = [
            running[contact.name] if contact.name in running else self._channel(contact, settings) for contact in wanted
        ]
        for name in set(running) - {contact.name for contact in wanted}:
            self._telling.pop(name).cancel()
        for channel, contact in zip(self._channels, wanted, strict=True):
            if channel.name in self._telling:
                channel.adopt(manner(contact, settings), self._sender(contact))
            else:
                await channel.load()
                self._telling[channel.name] = self._spawn(channel.name, channel.run)

        if settings.alertmanager != self._alertmanager or poster.token != self._poster.token:
            await self._push_by(settings.alertmanager, poster)

    async def _push_by(self, settings: Alertmanager, poster: Poster) -> None:
        """Push what lasts to other Alertmanagers, or otherwise; where it is not pushed any more it lapses by itself."""
        if self._pushing is not None:
            self._pushing.cancel()
            self._tasks.remove(self._pushing)
            await asyncio.wait({self._pushing})
        await self._poster.close()
        self._alertmanager, self._poster = settings, poster
        self._pusher = self._made_pusher(settings, poster)
        self._pusher.load()
        self._pushing = self._spawn("alertmanager", self._pusher.run)

    def _made_poster(self, settings: Alertmanager) -> Poster:
        """Raises SecretFileError."""
        return Poster(None if settings.token_file is None else read_secret(settings.token_file))

    def _made_pusher(self, settings: Alertmanager, poster: Poster) -> Pusher:
        return Pusher(
            [poster.to(url) for url in settings.url],
            labels={**settings.labels, "bot": self._bot},
            runbooks=settings.runbook_url or "",
            refresh_seconds=settings.refresh_seconds,
            registry=self.registry,
            bus=self._bus,
            clock=self._clock,
        )

    def _channel(self, contact: Contact, settings: Settings) -> Channel:
        return Channel(
            contact.name,
            self._bot,
            manner(contact, settings),
            self._sender(contact),
            registry=self.registry,
            ledger=self._ledger,
            bus=self._bus,
            clock=self._clock,
        )

    def wind_down(self, seconds: float = LAST_WORD_SECONDS) -> None:
        """Tell at once, and in so many seconds, what waits for company: the sidecar stops."""
        self._last_word = self._clock.monotonic() + seconds
        for channel in self._channels:
            channel.hurry()

    async def close(self) -> None:
        """Stop, and write down what waits. What is not told yet is told after the next start."""
        if self._telling and self._last_word is not None:
            await asyncio.wait(self._telling.values(), timeout=max(0.0, self._last_word - self._clock.monotonic()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ledger.flush()
        await self._poster.close()

    def _spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._kept_going(work), name=f"alerting {name}")
        self._tasks.append(task)
        return task

    async def _kept_going(self, work: Callable[[], Awaitable[None]]) -> None:
        """A mistake in here must not end it silently: it is counted, and the work is taken up again."""
        while True:
            try:
                await work()
            except Exception as failure:  # noqa: BLE001 - whatever it is, people must still be told
                if self._bus.on_failure is not None:
                    self._bus.on_failure(failure)
                await self._clock.sleep(AGAIN_SECONDS)
            else:
                return

    def _raised(self, event: ErrorRaised) -> None:
        key = (ErrorType(event.error_type), event.broker)
        self._pusher.raised(key)
        for channel in self._channels:
            channel.raised(key)

    def _resolved(self, event: ErrorResolved) -> None:
        key: Key = (ErrorType(event.error_type), event.broker)
        if self.registry.of(key):
            return  # others of its kind last
        self._pusher.ended(key)
        for channel in self._channels:
            channel.ended(key)
