"""The wire to one broker: sends a request's bytes, returns an answer's bytes, and knows whether anything was sent.

aiohttp stays inside this file and `passage`. What it raises carries the whole URL, signature included, so none of its
exceptions leaves, not even as the context of another: a failure is a `NotSent` or a `MaybeSent`, with a reason from a
closed set.
"""

import asyncio
import io
import math
from collections.abc import AsyncIterator, Sequence
from typing import Final
from weakref import WeakSet

import aiohttp
from yarl import URL

from sidecar.calls.passage import Lost, Passage, PassageRequest
from sidecar.calls.trust import trusted
from sidecar.config.model import Broker, Timeouts
from sidecar.wire import Answer, Headers, Request

KEEPALIVE_SECONDS: Final = 15.0
"""Idle connections are closed by us before a broker's load balancer does it: an order written into a connection that
the other side is just closing has an unknown outcome."""
DNS_CACHE_SECONDS: Final = 60
LONGEST_HEADER_BYTES: Final = 64 * 1024
"""Of one line in an answer's head: roomy, because an answer that is not read is an order of unknown outcome."""
RESERVED_SHARE: Final = 0.1
"""The share of the connections that is kept for getting out of risk: reads that a slow broker does not answer must not
stand in a cancel's way."""
_NEVER_ROUND: Final = 1e9
"""aiohttp rounds longer time-outs up to whole seconds from this threshold on; a deadline must not be rounded."""
_LARGE_BODY_BYTES: Final = 1024 * 1024
"""From here on aiohttp wants a file-like body, which it writes in pieces."""
_HOP_BY_HOP: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"trailer"})
_FRAMING: Final = _HOP_BY_HOP | {b"host", b"content-length", b"expect"}
_AUTOMATIC: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_FIRST_REFUSAL: Final = 300
_SWITCHING_PROTOCOLS: Final = 101


class TransportError(Exception):
    """Raised when an attempt brought no whole answer."""

    def __init__(self, reason: str, kind: str) -> None:
        super().__init__(f"{reason} ({kind})")
        self.reason = reason
        """One of `sidecar.brokers.profile.REASONS`."""
        self.kind = kind
        """The failure's class name: low in cardinality and free of addresses."""


class NotSent(TransportError):
    """Raised when no byte of the request can have reached the broker."""


class MaybeSent(TransportError):
    """Raised when the request was written, wholly or in part, and no whole answer came."""


class AnswerTooLarge(ValueError):
    """Raised when an answer is larger than `max_answer_bytes`; seen outside as a `MaybeSent`."""


class SwitchedProtocols(ValueError):
    """Raised when the broker answers 101, which nobody asked for; seen outside as a `MaybeSent`."""


class CutOff(ValueError):
    """Raised when a reset ends an answer that has no length; seen outside as a `MaybeSent`.

    To aiohttp any end of the connection is that answer's end.
    """


class Transport:
    """Keep-alive connections to one broker, and streams on connections of their own: they hold them for hours."""

    def __init__(self, settings: Broker) -> None:
        self._base = _Base(settings.base_url)
        self._stream_base = _Base(settings.stream_url or settings.base_url)
        self._connections = settings.connections
        self._max_answer_bytes = settings.max_answer_bytes
        self.adopt(settings.timeouts)
        kept = math.ceil(settings.connections * RESERVED_SHARE)
        self._places = asyncio.Semaphore(max(1, settings.connections - kept))
        self._used: WeakSet[asyncio.BaseProtocol] = WeakSet()
        self._session: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None

    def adopt(self, timeouts: Timeouts) -> None:
        """Go by these time-outs from the next attempt on."""
        self._answer_seconds = timeouts.answer_seconds
        self._connect_seconds = timeouts.connect_seconds
        self._phases = _phases(timeouts, silence=None)
        self._stream_phases = _phases(timeouts, silence=timeouts.stream_idle_seconds)

    async def open(self) -> None:
        """Make the pools; no connection is opened yet."""
        self._session, self._streams = self._pool(self._base), self._pool(self._stream_base)

    def _pool(self, base: "_Base") -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections,
                limit_per_host=self._connections,
                keepalive_timeout=KEEPALIVE_SECONDS,
                ttl_dns_cache=DNS_CACHE_SECONDS,
                timeout_ceil_threshold=_NEVER_ROUND,
                ssl=trusted() if base.secure else True,
            ),
            request_class=PassageRequest,
            cookie_jar=_NoCookies(),
            skip_auto_headers=_AUTOMATIC,
            auto_decompress=False,
            max_line_size=LONGEST_HEADER_BYTES,
            max_field_size=LONGEST_HEADER_BYTES,
        )

    async def close(self) -> None:
        """Close every connection."""
        for session in filter(None, (self._session, self._streams)):
            await session.close()

    async def knock(self, seconds: float) -> None:
        """Open a connection to the host of streams, where that is another one, and close it again.

        Raises NotSent when none comes about within `seconds`.
        """
        there = self._stream_base.origin
        if there == self._base.origin or there.host is None:
            return
        secure = self._stream_base.secure
        failure = ""
        try:
            async with asyncio.timeout(seconds):
                _, writer = await asyncio.open_connection(there.host, there.port, ssl=trusted() if secure else None)
                writer.close()
        except (OSError, TimeoutError) as error:
            failure = type(error).__name__
        if failure:
            raise NotSent("timeout" if failure == TimeoutError.__name__ else "connect", failure)

    async def send(self, request: Request, *, seconds: float, reserved: bool = False) -> Answer:
        """Make one attempt and read the whole answer, within `seconds` (above 0) and the configured time-outs.

        `reserved`: a cancel or a reduce-only order, which may use every connection.

        Raises:
            NotSent: when nothing was written: no connection came about, or the request cannot be put into HTTP.
            MaybeSent: when the request was written and no whole answer came back.
        """
        passage: Passage | None = None
        try:
            async with asyncio.timeout(seconds) as timer:
                passage = self._passage(request, timer)
                if reserved:
                    return await self._whole(request, passage)
                await self._take_place()
                try:
                    return await self._whole(request, passage)
                finally:
                    self._places.release()
        except Exception as failure:  # noqa: BLE001 - whatever it is, it must say whether the order may have left
            lost = _translated(failure, written=passage is not None and passage.written)
        raise lost  # out here, where it has no context

    async def stream(self, request: Request, *, seconds: float) -> Answer:
        """Open a stream: the answer's head within `seconds`, its body as it comes. A refusal is read whole.

        The stream holds its connection until `chunks` is read to its end or closed (`aclose`). Reading it raises
        `MaybeSent` when it breaks, or is silent for `stream_idle_seconds`.

        Raises:
            NotSent: when nothing was written: no connection came about, or the request cannot be put into HTTP.
            MaybeSent: when the request was written and no head came back.
        """
        passage: Passage | None = None
        try:
            async with asyncio.timeout(seconds) as timer:
                passage = self._passage(request, timer)
                response = await self._request(self._streams, self._stream_base, request, passage, self._stream_phases)
                if _SWITCHING_PROTOCOLS < response.status < _FIRST_REFUSAL:
                    return _answer(response, chunks=_Chunks(response))
                async with response:
                    return _answer(response, await self._read(response, passage))
        except Exception as failure:  # noqa: BLE001 - as in `send`
            lost = _translated(failure, written=passage is not None and passage.written)
        raise lost

    async def _take_place(self) -> None:
        if self._places.locked():
            async with asyncio.timeout(self._connect_seconds):
                await self._places.acquire()
        else:
            await self._places.acquire()

    async def _whole(self, request: Request, passage: Passage) -> Answer:
        async with await self._request(self._session, self._base, request, passage, self._phases) as response:
            return _answer(response, await self._read(response, passage))

    def _passage(self, request: Request, timer: asyncio.Timeout) -> Passage:
        return Passage(_decoded(request.headers), timer, self._answer_seconds, self._used)

    @staticmethod
    async def _request(
        session: aiohttp.ClientSession | None,
        base: "_Base",
        request: Request,
        passage: Passage,
        phases: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        if session is None:
            raise ConnectionError("the transport is not open: call open() first")
        body = request.body
        return await session.request(
            request.method,
            base.url(request.target),
            data=io.BytesIO(body) if len(body) > _LARGE_BODY_BYTES else body or None,
            allow_redirects=False,
            timeout=phases,
            middlewares=(passage,),
        )

    async def _read(self, response: aiohttp.ClientResponse, passage: Passage) -> bytes:
        if response.status == _SWITCHING_PROTOCOLS:
            raise SwitchedProtocols
        if response.content is aiohttp.EMPTY_PAYLOAD:  # an answer to HEAD announces a length that never comes
            return b""
        announced = response.content_length
        if announced is not None and announced <= self._max_answer_bytes:
            return await response.read()
        if announced is not None:
            raise AnswerTooLarge
        body = await self._read_on(response)
        if passage.was_reset and "Transfer-Encoding" not in response.headers:
            raise CutOff
        return body

    async def _read_on(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._max_answer_bytes:
                raise AnswerTooLarge
        return bytes(body)


class _Base:
    """Where a broker lives, and how a target becomes a URL without being touched."""

    def __init__(self, base_url: str) -> None:
        self._url = URL(base_url, encoded=True)
        self._prefix = self._url.raw_path.rstrip("/")
        self.origin = self._url.origin()
        self.secure = self._url.scheme == "https"

    def url(self, target: str) -> URL:
        if not target.isascii():
            target.encode()  # raises for bytes that are not UTF-8, which aiohttp would write as other bytes
        # The query stays in the path: parsed, an empty one would lose its question mark.
        return self._url.with_path(self._prefix + target, encoded=True)


class _NoCookies(aiohttp.DummyCookieJar):
    """A jar that does not even look: parsing a cookie takes time, and logs its name when it is odd."""

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
        pass


class _Chunks(AsyncIterator[bytes]):
    """A stream's body. Unlike a generator it can be closed before it was ever read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._response.content.readany()
        except asyncio.CancelledError:
            self._response.close()
            raise
        except Exception as failure:  # noqa: BLE001 - no exception of aiohttp's may leave
            lost = _translated(failure, written=True)
        else:
            if chunk:
                return chunk
            self._response.close()
            raise StopAsyncIteration
        self._response.close()
        raise lost

    async def aclose(self) -> None:
        """Close the connection; what still arrives is never seen."""
        self._response.close()


def _phases(timeouts: Timeouts, *, silence: float | None) -> aiohttp.ClientTimeout:
    # The whole is bounded by a timer of ours, which can be shortened and leaves alone a stream that has begun.
    return aiohttp.ClientTimeout(
        total=None, connect=timeouts.connect_seconds, sock_read=silence, ceil_threshold=_NEVER_ROUND
    )


def _decoded(headers: Headers) -> list[tuple[str, str]]:
    # Host and length are the connection's own; a second one would let two servers read two different requests.
    return [(key.decode("ascii"), value.decode()) for key, value in headers if key.lower() not in _FRAMING]


def _answer(response: aiohttp.ClientResponse, body: bytes = b"", chunks: AsyncIterator[bytes] | None = None) -> Answer:
    headers = tuple(pair for pair in response.raw_headers if pair[0].lower() not in _HOP_BY_HOP)
    return Answer(status=response.status, headers=headers, body=body, reason=response.reason or "", chunks=chunks)


def _translated(failure: BaseException, *, written: bool) -> TransportError:
    if isinstance(failure, Lost) and failure.__cause__ is not None:
        failure = failure.__cause__
    kind = type(failure).__name__
    malformed = isinstance(failure, ValueError) and not isinstance(failure, OSError)  # a bad certificate is both
    if not written:
        return NotSent("bad_request" if malformed else "connect", kind)
    if isinstance(failure, TimeoutError):
        return MaybeSent("timeout", kind)
    if malformed or isinstance(failure, aiohttp.ClientPayloadError | aiohttp.ClientResponseError):
        return MaybeSent("bad_answer", kind)
    return MaybeSent("reset", kind)
