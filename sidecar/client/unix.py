"""HTTP over a Unix socket, with nothing but the standard library."""

import socket
from http.client import HTTPConnection
from pathlib import Path


class UnixConnection(HTTPConnection):
    """A connection to whoever listens at a path."""

    def __init__(self, path: Path | str, *, timeout: float) -> None:
        """`timeout` in seconds, for connecting and for each wait for bytes."""
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self) -> None:
        """Connect; raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
