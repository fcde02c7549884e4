"""Bots that place orders without a pause until nobody listens any more, and remember everything that they were told."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

from tests.e2e.stack import ACCOUNT, TOKEN, Sidecar

PATH = f"/oanda/v3/accounts/{ACCOUNT}/orders"
ENDPOINT = "POST /v3/accounts/{account}/orders"
"""How the simulator counts it."""
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float = 10) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass
class Load:
    """What the bots were told, by client id."""

    answered: dict[str, str] = field(default_factory=dict)
    """The `Sidecar-Fate` of each call that was answered."""
    lost: dict[str, Exception] = field(default_factory=dict)
    """Calls whose connection broke: the bot cannot know what became of them."""
    refused: Counter[str] = field(default_factory=Counter)
    """Connections that did not come about: certainly not sent."""

    @classmethod
    @contextmanager
    def on(cls, sidecar: Sidecar, bots: int = 8) -> Iterator[Self]:
        """Let half of the bots call over TCP, half over the Unix socket; half keep their connection.

        The block must end the sidecar: that is what ends the bots.
        """
        load = cls()
        threads = [threading.Thread(target=load._trade, args=(sidecar, number)) for number in range(bots)]
        for thread in threads:
            thread.start()
        try:
            yield load
        finally:
            for thread in threads:
                thread.join()

    def _trade(self, sidecar: Sidecar, number: int) -> None:
        unix, keeps = number % 2 == 0, number % 4 < 2
        connection = UnixConnection(sidecar.socket) if unix else HTTPConnection("127.0.0.1", sidecar.tcp, timeout=30)
        order = 0
        while self._order(connection, f"load-{number}-{order}"):
            order += 1
            if not keeps:
                connection.close()
        connection.close()

    def _order(self, connection: HTTPConnection, client_id: str) -> bool:
        try:
            if connection.sock is None:
                connection.connect()
        except OSError as failure:
            self.refused[type(failure).__name__] += 1
            return False
        try:
            connection.request("POST", PATH, json.dumps(market_order(client_id)), _HEADERS)
            answer = connection.getresponse()
            answer.read()
        except Exception as failure:  # noqa: BLE001 - whatever broke, the test wants to see it
            self.lost[client_id] = failure
            return False
        self.answered[client_id] = answer.headers["Sidecar-Fate"]
        return True


def market_order(client_id: str) -> dict[str, object]:
    """An order for OANDA."""
    order = {"type": "MARKET", "instrument": "EUR_USD", "units": "1", "clientExtensions": {"id": client_id}}
    return {"order": order}
