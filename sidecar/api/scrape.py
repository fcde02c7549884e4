"""The scrape listener: metrics and health. Nothing here can give orders, so that it may face the network."""

import asyncio
import gzip
from http import HTTPStatus
from typing import Final

from sidecar.api.exchange import Incoming, Outgoing
from sidecar.api.ports import Exposition, Health
from sidecar.api.problem import problem
from sidecar.wire import Answer, header

_GZIP_LEVEL: Final = 5
_GZIP_FROM_BYTES: Final = 1024
_PATHS: Final = "/metrics, /startupz, /livez, /readyz"


class Scrape:
    """Answers Prometheus and the orchestrator's probes."""

    def __init__(self, exposition: Exposition, health: Health) -> None:
        self._exposition = exposition
        self._health = health
        self.stopping = False
        """Set once calls are no longer welcome; the metrics stay readable until the end."""

    async def handle(self, incoming: Incoming) -> Outgoing:
        """Answer one request."""
        if incoming.method not in {"GET", "HEAD"}:
            refusal = problem(HTTPStatus.METHOD_NOT_ALLOWED, "this listener is read-only")
            return Outgoing(refusal, ((b"Allow", b"GET, HEAD"),))
        match incoming.target.partition("?")[0]:
            case "/metrics":
                return await self._metrics(incoming)
            case "/livez":
                # Whoever gets this answer has seen the event loop at work.
                return _told(True, "alive")
            case "/startupz":
                started = self._health.started
                return _told(started, "started" if started else "starting")
            case "/readyz":
                return _told(False, "stopping") if self.stopping else _told(*self._health.ready)
            case _:
                return Outgoing(problem(HTTPStatus.NOT_FOUND, f"nothing is here; there are {_PATHS}"))

    async def _metrics(self, incoming: Incoming) -> Outgoing:
        accept = header(incoming.headers, b"accept") or b""
        body, content_type = self._exposition(accept.decode("latin-1"))
        answer = Answer(200, ((b"Content-Type", content_type.encode()),), body)
        if len(body) >= _GZIP_FROM_BYTES and _accepts_gzip(header(incoming.headers, b"accept-encoding") or b""):
            # In a thread: compressing a large page takes longer than a bot's call may wait.
            answer.body = await asyncio.to_thread(gzip.compress, body, _GZIP_LEVEL)
            answer.headers += ((b"Content-Encoding", b"gzip"),)
        answer.headers += ((b"Vary", b"Accept, Accept-Encoding"),)
        return Outgoing(answer)


def _accepts_gzip(value: bytes) -> bool:
    for token in value.split(b","):
        coding, _, weight = token.partition(b";")
        if coding.strip().lower() in {b"gzip", b"*"}:
            return weight.replace(b" ", b"").rstrip(b"0.") != b"q="
    return False


def _told(good: bool, words: str) -> Outgoing:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return Outgoing(Answer(status, ((b"Content-Type", b"text/plain; charset=utf-8"),), words.encode() + b"\n"))
