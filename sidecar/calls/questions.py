"""What the sidecar itself asks one broker: may it be traded with, what became of an order, what does it trade at.

The keys live here, and the session that they log in to, if the broker wants one. When they change, the next question
goes with the new ones; what is under way ends with those that it began with.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from sidecar.brokers.login import LogsIn
from sidecar.brokers.profile import Finding, Keys, Profile, Signer, Verdict
from sidecar.brokers.streams import OrderStream, Socket, TellsOfOrders
from sidecar.calls.asking import Asker
from sidecar.calls.brokerclock import BrokerClock
from sidecar.calls.limiter import Limiter
from sidecar.calls.preflight import Preflight
from sidecar.calls.reconcile import Reconciler
from sidecar.calls.session import Session
from sidecar.calls.sharing import Sharing
from sidecar.calls.sockets import Sockets
from sidecar.calls.transport import Transport
from sidecar.clock import Clock
from sidecar.config.credentials import keys_of
from sidecar.config.model import Broker
from sidecar.telemetry.events import Bus
from sidecar.wire import Answer, Request
from sidecar.words import Priority

LOOK_SECONDS: Final = 5.0
"""Longest time that a question may take for which no bot waits."""


class LookupImpossible(Exception):
    """Raised when an order names nothing that it could be found by, or when there are no keys to ask with."""


class Questions:
    """Asks one broker, over the limits and connections that its calls use too."""

    def __init__(
        self,
        broker: str,
        settings: Broker,
        profile: Profile,
        *,
        limiter: Limiter,
        transport: Transport,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._broker = broker
        self._profile = profile
        self._limiter = limiter
        self._transport = transport
        self._bus = bus
        self._clock = clock
        self._broker_clock = BrokerClock(broker, bus, clock)
        self._sockets = Sockets(settings)
        self._signs_calls = settings.credentials.signs
        self._streams = settings.stream_url is not None
        self._shared = Sharing(self._ask_calmly, clock)
        self._keys = keys_of(settings.credentials)
        self._retired: list[Session] = []
        """The sessions of former keys: calls that began with them may still be under way."""
        self.asker = self._made_asker()
        """Asks with the keys that are in force."""
        self.reconciler = self._made_reconciler()
        """Looks orders up with the keys that are in force."""

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
            self._broker,
            self._profile.login(keys),
            self._profile.signer,
            plain.question,
            now=self._broker_clock.now,
            bus=self._bus,
            clock=self._clock,
        )
        return replace(plain, signer=session, session=session)

    def _made_reconciler(self) -> Reconciler:
        return Reconciler(self._broker, self._profile, self.asker, self._bus, self._clock)

    def open(self) -> None:
        """Log in, in the background, where the broker wants that; nothing else is asked."""
        if self.asker.session is not None:
            self.asker.session.begin()

    def adopt(self, keys: Keys | None) -> bool:
        """Ask with these keys from the next question on; tells whether they are others.

        They must be there if and only if there were some. A session of the former keys retires: it lasts until `close`.
        """
        if keys == self._keys:
            return False
        self._keys = keys
        if self.asker.session is not None:
            self._retired.append(self.asker.session)
        self.asker = self._made_asker()
        self.reconciler = self._made_reconciler()
        self.open()
        return True

    async def close(self) -> None:
        """Give up logins that are under way, and close the WebSockets."""
        sessions = [*self._retired, *filter(None, (self.asker.session,))]
        await asyncio.gather(*(session.close() for session in sessions))
        await self._sockets.close()

    @property
    def call_signer(self) -> Signer | None:
        """What signs bots' calls, too; None where the keys are for questions alone, or there are none."""
        return self.asker.signer if self._signs_calls else None

    @property
    def preflight(self) -> Preflight:
        """What asks whether the broker can be traded with."""
        return Preflight(self._profile, self.asker, self._transport, self._clock)

    # One question

    async def ask(self, question: Request) -> Answer:
        """The broker's answer to an unsigned question, such as for a price. Raises Unanswered."""
        return await self.asker.ask(question, self._clock.monotonic() + LOOK_SECONDS)

    async def look_up(
        self, request: Request, *, placed_at: float, number: int, order_id: str = "", routine: bool = False
    ) -> Finding | None:
        """What the broker says of the order that an unsigned `request` places or cancels; None when it finds none.

        `placed_at`: Unix seconds before which it cannot have been placed. `number` counts the looks from 1. `order_id`:
        the broker's own id of it, where that is known. `routine`: it is not in doubt, and what others have just been
        told will do. Raises Unanswered when the broker cannot be asked now, LookupImpossible when it can never be asked
        about this one.
        """
        reconciler, intent, clock = self.reconciler, self._profile.understand(request), self._broker_clock
        look = self._profile.look(request, intent, lambda: placed_at + clock.offset, order_id)
        if look is None or not reconciler.possible:
            raise LookupImpossible
        until = self._clock.monotonic() + LOOK_SECONDS
        return await reconciler.take(look, intent.endpoint.name, number, until, self._shared.ask if routine else None)

    async def _ask_calmly(self, question: Request, until: float) -> Answer:
        """After orders: what rests in the book can wait for what is to protect a position."""
        return await self.asker.ask(question, until, Priority.ACCOUNT)

    # Streams

    @property
    def tells_of_orders(self) -> bool:
        """Whether the broker has a stream that tells what happens to the orders which the sidecar carries."""
        return isinstance(self._profile, TellsOfOrders) and self._streams and self.call_signer is not None

    def order_stream(self, account: str) -> OrderStream | None:
        """The stream that tells what happens to an account's orders; None where there is none."""
        profile = self._profile
        return profile.order_stream(account) if isinstance(profile, TellsOfOrders) and self.tells_of_orders else None

    async def open_stream(self, question: Request) -> tuple[Answer | None, Verdict]:
        """Open a stream, or ask for what opens one: the answer, where one came, and its meaning.

        Raises Unanswered when there is no session to ask in.
        """
        return await self.asker.put(question, self._clock.monotonic() + LOOK_SECONDS)

    async def open_socket(self, socket: Socket) -> AsyncIterator[bytes]:
        """The messages of a WebSocket, each with a line's end. Raises TransportError."""
        return await self._sockets.open(socket.target, LOOK_SECONDS)
