"""A broker that is nothing but a socket: it remembers every byte that it was sent and answers what the test wants."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def answer(status: int, body: object, *headers: str) -> bytes:
    """A well-formed JSON answer."""
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Told", "Content-Type: application/json", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


@dataclass
class RawBroker:
    """Takes one request a connection, of whatever kind."""

    reply: Callable[[bytes], bytes] = lambda request: OK  # noqa: ARG005 - named for whoever replaces it
    """Makes the answer from the request's bytes; an empty one keeps the caller waiting."""
    requests: list[bytes] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)

    @classmethod
    @contextmanager
    def listening(cls) -> Iterator[Self]:
        """Listen until the block ends."""
        broker = cls()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            broker.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            accepting = threading.Thread(target=broker._accept, args=(listener,))
            accepting.start()
            yield broker
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
        for connection in broker._open:
            connection.close()

    url: str = ""

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._open.append(connection)
                with suppress(OSError):
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        request = _read(connection)
        self.requests.append(request)
        if told := self.reply(request):
            connection.sendall(told)
            connection.close()


def _read(connection: socket.socket) -> bytes:
    """One request with its whole body."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        body += _some(connection)
    return head + b"\r\n\r\n" + body


def _some(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionResetError("the caller hung up")
    return piece
