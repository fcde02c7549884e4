"""A local mail server that stands in for whoever is notified, and keeps what comes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from socketserver import StreamRequestHandler, ThreadingTCPServer


@contextmanager
def mailbox(keep: Callable[[EmailMessage], object]) -> Iterator[int]:
    """A server for plain SMTP, which hands over each message; yields its port on loopback."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self._say(b"220 here")
            while line := self.rfile.readline():
                command = line[:4].upper().strip()
                if command == b"DATA":
                    self._say(b"354 go on")
                    # The policy makes messages of this class; the signature does not know.
                    message = message_from_bytes(self._content(), policy=default)
                    assert isinstance(message, EmailMessage)
                    keep(message)
                self._say(b"221 bye" if command == b"QUIT" else b"250 yes")
                if command == b"QUIT":
                    return

        def _content(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return b"".join(lines)

        def _say(self, line: bytes) -> None:
            self.wfile.write(line + b"\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
