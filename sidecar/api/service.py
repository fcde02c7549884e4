"""The sidecar's sockets as one thing that starts and stops."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sidecar.api.control import Control
from sidecar.api.errors import TokenError
from sidecar.api.events import Events
from sidecar.api.exchange import Incoming, Listener, Outgoing
from sidecar.api.guard import Guard, Hosts
from sidecar.api.orders import order_routes
from sidecar.api.ports import Exposition, Gateway, Health
from sidecar.api.proxy import Proxy
from sidecar.api.routes import Route
from sidecar.api.scrape import Scrape
from sidecar.api.server import Server
from sidecar.api.sockets import (
    BACKLOG,
    UnixSocket,
    bind_tcp,
    bind_unix,
    close_listener,
    require_loopback,
    require_peer_credentials,
    split_address,
)
from sidecar.clock import Clock
from sidecar.config.model import Config
from sidecar.orders.desk import OrderDesk
from sidecar.telemetry.events import Bus

FAREWELL_SECONDS: Final = 0.25
"""How long open connections take further requests at a stop, so that busy bots learn of it by an answer."""
_NO_BODY_BYTES = 1
"""The scrape listener reads no body at all; aiohttp takes 0 for unlimited."""


class Api:
    """The bots' listeners and the scrape listener."""

    def __init__(
        self,
        config: Config,
        gateways: Mapping[str, Gateway],
        *,
        bus: Bus,
        clock: Clock,
        health: Health,
        exposition: Exposition,
        desk: OrderDesk | None = None,
        more: Sequence[Route] = (),
    ) -> None:
        """`desk` takes orders to be carried, where that is possible; `more`: further operations of the control API."""
        self._config = config
        self._clock = clock
        self._gateways = gateways
        self._bus = bus
        self._health = health
        self._desk = desk
        self._more = (*more, *order_routes(desk))
        self._events = Events(bus, clock)
        self._scrape = Scrape(exposition, health)
        self._proxy: Proxy | None = None
        self._control: Control | None = None
        self._unix: UnixSocket | None = None
        self._bots: list[_Listening] = []
        self._scraped: _Listening | None = None
        self._late = asyncio.Event()

    @property
    def tcp_address(self) -> tuple[str, int] | None:
        """Host and port where bots are served; None without a TCP listener, or before `start`."""
        return next((bots.address for bots in self._bots if bots.address is not None), None)

    @property
    def scrape_address(self) -> tuple[str, int] | None:
        """Host and port of the scrape listener; None before `start`."""
        return None if self._scraped is None else self._scraped.address

    async def start(self) -> None:
        """Open the scrape listener, then the bots'.

        Raises:
            ApiError: when one of them cannot be opened; none is left open then.
        """
        try:
            await self._open()
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, drain_seconds: float) -> int:
        """Take no more calls, give those in flight `drain_seconds` to end, and return how many did not.

        Streams end at once: they would never end by themselves. The metrics can be read until the calls are gone.
        """
        self._scrape.stopping = True
        if self._control is not None:
            self._control.stopping = True
        if self._unix is not None:
            self._unix.remove()
            self._unix = None
        for bots in self._bots:
            await bots.accept_no_more()
        await self._drain(drain_seconds)
        unfinished = 0 if self._proxy is None else self._proxy.in_flight
        closing, self._bots = self._bots, []
        if self._scraped is not None:
            await self._scraped.accept_no_more()
            self._scraped.server.wind_down()
            self._scraped.server.close_idle()
            closing, self._scraped = [*closing, self._scraped], None
        for listening in closing:
            await listening.server.close()
        return unfinished

    def hurry(self, seconds: float) -> None:
        """Give a stop that is under way `seconds` more at most for the calls in flight."""
        self._clock.call_later(seconds, self._late.set)

    async def _open(self) -> None:
        listen = self._config.listen
        if listen.allowed_uids:
            require_peer_credentials()
        token = None if listen.token_file is None else _read_token(listen.token_file)
        host, port = split_address(listen.tcp, key="listen.tcp") if listen.tcp is not None else ("127.0.0.1", 0)
        require_loopback(host, forced=listen.allow_orders_from_the_network)
        self._assemble(Guard(Hosts(host), token=token, uids=listen.allowed_uids))

        scrape_host, scrape_port = split_address(self._config.scrape.address, key="scrape.address")
        scrape = Server("scrape", self._scrape.handle, max_body=_NO_BODY_BYTES)
        self._scraped = await _listen(scrape, bind_tcp(scrape_host, scrape_port, key="scrape.address"))
        if listen.unix is not None:
            self._unix = await bind_unix(listen.unix, int(listen.unix_mode, 8), self._clock)
            self._bots.append(await _listen(self._server("unix"), self._unix.socket))
        if listen.tcp is not None:
            self._bots.append(await _listen(self._server("tcp"), bind_tcp(host, port, key="listen.tcp")))

    def _assemble(self, guard: Guard) -> None:
        self._proxy = Proxy(self._gateways, guard, self._bus, self._desk)
        self._control = Control(
            bot=self._config.bot,
            brokers={name: gateway.controls for name, gateway in self._gateways.items()},
            guard=guard,
            events=self._events,
            bus=self._bus,
            clock=self._clock,
            health=self._health,
            more=self._more,
        )

    def _server(self, listener: Listener) -> Server:
        if self._proxy is None or self._control is None:
            raise RuntimeError("assembled before a listener is made")
        proxy, control = self._proxy, self._control

        async def handle(incoming: Incoming) -> Outgoing:
            if incoming.target.startswith("/v1") and incoming.target[3:4] in {"", "/", "?"}:
                return await control.handle(incoming)
            return await proxy.handle(incoming)

        return Server(
            listener,
            handle,
            max_body=self._config.listen.max_request_bytes,
            asks_who=listener == "unix" and bool(self._config.listen.allowed_uids),
            on_malformed=lambda: proxy.count_malformed(listener),
        )

    async def _drain(self, seconds: float) -> None:
        for bots in self._bots:
            bots.server.wind_down()
        if seconds <= 0:
            return
        if any(bots.server.connections for bots in self._bots):
            await self._clock.sleep(min(FAREWELL_SECONDS, seconds))
        for bots in self._bots:
            bots.server.close_idle()
        drained = asyncio.create_task(self._drained())
        timer = self._clock.call_later(seconds, self._late.set)
        late = asyncio.create_task(self._late.wait())
        try:
            await asyncio.wait({drained, late}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            drained.cancel()
            late.cancel()

    async def _drained(self) -> None:
        for bots in self._bots:
            await bots.server.drained()


class _Listening:
    """A server and the socket that it accepts from."""

    def __init__(self, server: Server, accepting: asyncio.AbstractServer, listening: socket.socket) -> None:
        name = listening.getsockname()
        self.server = server
        self.address = (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
        self._accepting = accepting
        self._listening = listening

    async def accept_no_more(self) -> None:
        """Close the listener, after a last look for who has connected already: closing it would reset them."""
        self._accepting.close()
        loop = asyncio.get_running_loop()
        for caller in close_listener(self._listening):
            await loop.connect_accepted_socket(self.server, sock=caller)


async def _listen(server: Server, bound: socket.socket) -> _Listening:
    loop = asyncio.get_running_loop()
    kept = bound.dup()  # the loop closes its own one
    if bound.family == socket.AF_UNIX:
        return _Listening(server, await loop.create_unix_server(server, sock=bound, backlog=BACKLOG), kept)
    return _Listening(server, await loop.create_server(server, sock=bound, backlog=BACKLOG), kept)


def _read_token(path: Path) -> bytes:
    try:
        token = path.read_bytes().strip()
    except OSError as failure:
        why = (failure.strerror or "it cannot be read").lower()
        raise TokenError(f"listen.token_file: {path}: {why}") from failure
    if not token or len(token.split()) != 1:
        raise TokenError(f"listen.token_file: {path} must hold one token without spaces, and nothing else")
    return token
