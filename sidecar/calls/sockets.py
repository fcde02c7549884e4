"""WebSockets to one broker, by which it tells the sidecar what happens. Nothing is said into them but pings.

Their addresses hold keys, and what aiohttp raises holds the address: as in the transport, none of it leaves.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from yarl import URL

from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.calls.trust import trusted
from sidecar.config.model import Broker

PING_SECONDS: Final = 20.0
"""So often the connection is asked whether it is alive; half as long again without a word, and it is not."""
CLOSE_SECONDS: Final = 0.2
"""Longest wait for the broker's goodbye."""
LONGEST_MESSAGE_BYTES: Final = 1024 * 1024
_TOLD: Final = frozenset({aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY})


class Sockets:
    """Opens WebSockets at a broker's `stream_url`."""

    def __init__(self, settings: Broker) -> None:
        self._base = (settings.stream_url or settings.base_url).rstrip("/")
        self._connect_seconds = settings.timeouts.connect_seconds
        self._session: aiohttp.ClientSession | None = None

    async def open(self, target: str, seconds: float) -> AsyncIterator[bytes]:
        """The messages of a WebSocket, each with a line's end. Reading raises MaybeSent when it breaks.

        Raises NotSent when it does not come about within `seconds`.
        """
        kind = ""
        try:
            async with asyncio.timeout(seconds):
                return _Messages(await self._connected(target))
        except Exception as failure:  # noqa: BLE001 - no exception of aiohttp's may leave: it holds the key
            kind = type(failure).__name__
        raise NotSent("connect", kind)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _connected(self, target: str) -> aiohttp.ClientWebSocketResponse:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=trusted())
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return await self._session.ws_connect(
            URL(self._base + target, encoded=True),
            heartbeat=PING_SECONDS,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            max_msg_size=LONGEST_MESSAGE_BYTES,
        )


class _Messages(AsyncIterator[bytes]):
    """What a WebSocket says, until the broker closes it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def __anext__(self) -> bytes:
        message = await self._socket.receive()
        if message.type in _TOLD:
            said: str | bytes = message.data
            return (said.encode() if isinstance(said, str) else said) + b"\n"
        if message.type is aiohttp.WSMsgType.ERROR:
            raise MaybeSent("reset", type(message.data).__name__)
        if self._socket.close_code in {None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE}:
            raise MaybeSent("reset", "Closed")
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the connection; what still arrives is never seen."""
        await self._socket.close()
