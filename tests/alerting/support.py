"""What the tests of alerting share: a room in virtual time, with a channel that writes down what it is told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sidecar.alerting.channel import Send
from sidecar.alerting.messages import Message
from sidecar.alerting.routes import Contact
from sidecar.alerting.service import Alerting
from sidecar.clock import VirtualClock
from sidecar.config.model import Alerting as Settings
from sidecar.telemetry.events import Bus, NotificationSent
from tests.store.inline import InlineStore

BOT = "momentum"
URLS = {
    "chat": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
    "pager": "pagerduty://A1BRTD4JD1234567@TIiajkdnlazkcOXrIdevi7FQ",
}


class Phone:
    """A channel's other end."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.messages: list[Message] = []
        self.at: list[float] = []
        """When each arrived, in virtual seconds since the clock was made."""
        self.away = ""
        """Why it takes nothing, when it does not."""
        self.tried = 0
        self.slow = 0.0
        self.broken = False

    async def send(self, message: Message) -> str:
        self.tried += 1
        if self.broken:
            raise RuntimeError("a mistake")
        await self._clock.sleep(self.slow)
        if self.away:
            return self.away
        self.messages.append(message)
        self.at.append(self._clock.monotonic())
        return ""

    @property
    def titles(self) -> list[str]:
        return [message.title for message in self.messages]


class Room:
    """Alerting on a bus, with its phones."""

    def __init__(
        self,
        clock: VirtualClock,
        store: InlineStore | None = None,
        phones: Mapping[str, Phone] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock
        self.failures: list[Exception] = []
        self.bus = Bus(clock, self.failures.append)
        self.phones = dict(phones if phones is not None else {name: Phone(clock) for name in URLS})
        self.results: list[tuple[str, str]] = []
        self.bus.subscribe(NotificationSent, lambda event: self.results.append((event.channel, event.result)))
        channels = {name: {"url": URLS[name]} for name in self.phones} | settings.pop("channels", {})
        self.alerting = Alerting(
            Settings.model_validate({**settings, "channels": channels}),
            bot=BOT,
            bus=self.bus,
            clock=clock,
            store=store,
            sender=self._sender,
        )
        self.registry = self.alerting.registry

    def _sender(self, contact: Contact) -> Send:
        return self.phones[contact.name].send

    @property
    def chat(self) -> Phone:
        return self.phones["chat"]

    @property
    def pager(self) -> Phone:
        return self.phones["pager"]


@asynccontextmanager
async def room(clock: VirtualClock, store: InlineStore | None = None, **settings: Any) -> AsyncIterator[Room]:
    made = Room(clock, store, **settings)
    await made.alerting.start()
    try:
        yield made
    finally:
        await made.alerting.close()
    assert made.failures == []


@asynccontextmanager
async def kept(path: Path) -> AsyncIterator[InlineStore]:
    """A state file, open."""
    store = InlineStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def settle() -> None:
    """Let everything happen that takes no time."""
    for _ in range(20):
        await asyncio.sleep(0)
