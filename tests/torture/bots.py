"""Bots that go on whatever happens, and remember every word that they were told."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.e2e.load import UnixConnection
from tests.torture.story import Life, Plan, Then, Way, Word, cancel, neutral, raw

_AGAIN_SECONDS = 0.15
_GIVE_UP_SECONDS = 40.0


class SidecarIsGone(Exception):
    """Raised when nobody listens for so long that the sidecar will not come back."""


class Caller:
    """One bot's way to the sidecar."""

    def __init__(self, socket: Path, began: float, over: Event) -> None:
        self._socket = socket
        self._began = began
        self._over = over

    def call(self, about: str, method: str, path: str, body: Any = None, **headers: str) -> Word:
        """Ask once, as soon as somebody listens."""
        connection = self._connected()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body)
        if data is not None:
            named["Content-Type"] = "application/json"
        try:
            connection.request(method, path, data, named)
            answer = connection.getresponse()
            told = answer.read()
            return Word(self._now(), about, answer.status, answer.headers.get("Sidecar-Fate", ""), told)
        except (OSError, HTTPException):
            return Word(self._now(), about, 0)
        finally:
            connection.close()

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _connected(self) -> HTTPConnection:
        ends = time.monotonic() + _GIVE_UP_SECONDS
        while time.monotonic() < ends and not self._over.is_set():
            connection = UnixConnection(self._socket, timeout=30)
            with suppress(OSError):
                connection.connect()
                return connection
            connection.close()
            time.sleep(_AGAIN_SECONDS)
        raise SidecarIsGone


class Bot(Thread):
    """Places its orders one after the other."""

    def __init__(self, number: int, orders: Sequence[Plan], caller: Caller) -> None:
        super().__init__(name=f"bot {number}", daemon=True)
        self.lives = [Life(number, plan) for plan in orders]
        self._caller = caller

    def run(self) -> None:
        with suppress(SidecarIsGone):  # whoever tortures has seen why, and tells
            for life in self.lives:
                self._place(life)
                self._then(life)

    def _place(self, life: Life) -> None:
        for _ in range(life.plan.patience):
            word = self._send(life, "place")
            if life.plan.way is Way.PLAIN or (word.status and not _may_be_sent_again(word)):
                return
            time.sleep(_AGAIN_SECONDS)

    def _send(self, life: Life, about: str) -> Word:
        plan = life.plan
        if plan.way is Way.NEUTRAL:
            prefer = {"Prefer": f"wait={plan.prefer_wait}"} if plan.prefer_wait else {}
            return self._ask(life, about, "POST", "/v1/orders", neutral(plan), **prefer)
        path, body = raw(plan)
        headers: dict[str, str] = {}
        if plan.way is Way.ASYNC:
            headers["Prefer"] = f"respond-async, wait={plan.prefer_wait}"
        elif plan.way is Way.KEYED:
            headers["Idempotency_Key"] = f"key-{plan.client_id}"
        return self._ask(life, about, "POST", path, body, **headers)

    def _then(self, life: Life) -> None:
        then = life.plan.then
        if then is Then.CANCEL:
            self._ask(life, "cancel", *cancel(life.plan))
        elif then is Then.REPEAT and life.words[-1].status:
            self._send(life, "repeat")
        order = next((word.view["id"] for word in life.words if word.view), None)
        if order is None:
            return
        if then is Then.LOOK:
            self._ask(life, "look", "GET", f"/v1/orders/{order}")
        elif then is Then.WAIT:
            self._ask(life, "wait", "GET", f"/v1/orders/{order}?wait=4")
        elif then is Then.TAKE_BACK:
            self._ask(life, "take back", "DELETE", f"/v1/orders/{order}")

    def _ask(self, life: Life, about: str, method: str, path: str, body: Any = None, **headers: str) -> Word:
        word = self._caller.call(about, method, path, body, **headers)
        life.words.append(word)
        return word


def _may_be_sent_again(word: Word) -> bool:
    return word.status in {429, 503, 507} or word.outcome in {"transient", "rate_limited", "maintenance", "banned"}
