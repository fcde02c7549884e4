"""What is kept of calls with an idempotency key: that they were sent, and how they were answered."""

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any, Final

from sidecar.brokers.profile import Intent
from sidecar.calls.latesigning import client_id_of_key
from sidecar.calls.model import Fate, Result
from sidecar.clock import Clock
from sidecar.store import Store
from sidecar.wire import Answer
from sidecar.words import Effect, Outcome, RefusalKind, Why

HEADER: Final = b"idempotency-key"
SWEPT_AT_ONCE: Final = 100
"""Old rows that one new row takes along: more than come in, few enough to go unnoticed."""

_FIND: Final = """
SELECT fingerprint, status, reason, headers, body, fate FROM idempotency
WHERE broker = ? AND key = ? AND created_at >= ?
"""
_SWEEP: Final = """
DELETE FROM idempotency WHERE rowid IN (
  SELECT rowid FROM idempotency WHERE created_at < ? ORDER BY created_at LIMIT ?
)
"""
_RESERVE: Final = "INSERT OR REPLACE INTO idempotency (broker, key, fingerprint, created_at) VALUES (?, ?, ?, ?)"
_ANSWER: Final = """
UPDATE idempotency SET status = ?, reason = ?, headers = ?, body = ?, fate = ? WHERE broker = ? AND key = ?
"""


def derived(key: bytes | None) -> str:
    """What is kept of an order's key: the client id that it stands for; empty without a key."""
    return "" if key is None else client_id_of_key(key.strip())


def may_be_known(intent: Intent) -> bool:
    """Whether a call's client id may count as a key: an order's that opens risk, since no other must be kept back."""
    return bool(intent.client_id) and intent.effect is Effect.OPENS_RISK


@dataclass(frozen=True, slots=True)
class Kept:
    """What the state file knows of a key."""

    fingerprint: str
    result: Result | None
    """None when the call was begun and its answer never written."""


class Keys:
    """The keys of one broker. Each method raises StoreError when the state file does not take or give it."""

    def __init__(self, store: Store, broker: str, seconds: float, clock: Clock) -> None:
        """`seconds`: how long a key is kept."""
        self._store = store
        self._broker = broker
        self._seconds = seconds
        self._clock = clock

    async def reserve(self, key: str, fingerprint: str, seconds: float | None = None) -> Kept | None:
        """Write a key down, and return when it is on the disk; where it is known already, what is kept of it.

        `seconds`: how young a known key must be to count, where that is less than all.
        """
        now = self._clock.now()
        oldest, youth = self._ages(seconds)

        def work(connection: sqlite3.Connection) -> Any:
            connection.execute(_SWEEP, (oldest, SWEPT_AT_ONCE))
            row = connection.execute(_FIND, (self._broker, key, youth)).fetchone()
            if row is None:
                connection.execute(_RESERVE, (self._broker, key, fingerprint, now))
            return row

        return _kept(await self._store.write(work))

    async def find(self, key: str, seconds: float | None = None) -> Kept | None:
        """What is kept of a key, `seconds` as for `reserve`; needs no room on the disk."""
        _, youth = self._ages(seconds)

        def work(connection: sqlite3.Connection) -> Any:
            return connection.execute(_FIND, (self._broker, key, youth)).fetchone()

        return _kept(await self._store.read(work))

    async def answer(self, key: str, result: Result) -> None:
        """Keep the answer to a key that was reserved."""
        answer = result.answer
        headers = json.dumps([[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers])
        row = (answer.status, answer.reason, headers, answer.body, _fate_text(result.fate), self._broker, key)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_ANSWER, row)

        await self._store.write(work)

    async def free(self, key: str) -> None:
        """Forget a key, so that it may be used again."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM idempotency WHERE broker = ? AND key = ?", (self._broker, key))

        await self._store.write(work)

    def _ages(self, seconds: float | None) -> tuple[float, float]:
        """Since when a key is kept, and since when a known one counts, in Unix seconds."""
        now = self._clock.now()
        oldest = now - self._seconds
        return oldest, oldest if seconds is None else max(oldest, now - seconds)


def _kept(row: Any) -> Kept | None:
    if row is None:
        return None
    fingerprint, status, reason, headers, body, fate = row
    if status is None:
        return Kept(fingerprint, None)
    pairs = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in json.loads(headers))
    return Kept(fingerprint, Result(Answer(status, pairs, body, reason), _fate(fate)))


def _fate_text(fate: Fate) -> str:
    return json.dumps(asdict(fate))


def _fate(text: str) -> Fate:
    told = json.loads(text)
    outcome, why = Outcome(told.pop("outcome")), _why(told.pop("why"))
    return Fate(**told | {"outcome": outcome, "why": why, "source": "store"})


def _why(text: str | None) -> Why | RefusalKind | None:
    if text is None:
        return None
    return Why(text) if text in set(Why) else RefusalKind(text)
