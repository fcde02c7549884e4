"""Errors and notices on the disk, written off the path of the calls; without a state file they are not kept."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from sidecar.alerting.notice import Notice, Told
from sidecar.alerting.record import ErrorRecord
from sidecar.alerting.types import ErrorType
from sidecar.clock import Cancellable, Clock
from sidecar.store import Store, StoreClosedError
from sidecar.telemetry.audit.clean import clean_fields

SOON_SECONDS: Final = 0.5
"""How long counts may wait for the disk: a storm of failures is written twice a second, not once a failure."""

_ERROR_COLUMNS: Final = (
    "id, type, broker, subject, first_at, last_at, count, notified, resolved_at, resolution, note, context"
)
_NOTICE_COLUMNS: Final = "channel, type, broker, told_at, open, pending, due_at, attempts"
_PUT_ERROR: Final = f"INSERT OR REPLACE INTO errors ({_ERROR_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_PUT_NOTICE: Final = f"INSERT OR REPLACE INTO notices ({_NOTICE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_KNOWN: Final = frozenset(ErrorType)

Row = tuple[Any, ...]


class Ledger:
    """What the room must still know after a restart."""

    def __init__(self, store: Store | None, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._dirty: dict[str, ErrorRecord] = {}
        self._timer: Cancellable | None = None

    async def errors(self) -> list[ErrorRecord]:
        """Every error that is kept, the oldest first."""
        rows = await self._rows(f"SELECT {_ERROR_COLUMNS} FROM errors ORDER BY first_at")  # noqa: S608 - constants
        # A type that this version does not know came from a newer one: nothing can be said about it.
        return [_record(row) for row in rows if row[1] in _KNOWN]

    async def notices(self, channel: str) -> list[Notice]:
        """What a channel was told, and is to be told."""
        rows = await self._rows(f"SELECT {_NOTICE_COLUMNS} FROM notices WHERE channel = ?", channel)  # noqa: S608 - constants
        return [_notice(row) for row in rows if row[1] in _KNOWN]

    def put(self, record: ErrorRecord, *, soon: bool = False) -> None:
        """Keep an error; with `soon` together with others."""
        if self._store is None:
            return
        if not soon:
            self._dirty.pop(record.id, None)
            self._write(_PUT_ERROR, _error_row(record))
            return
        self._dirty[record.id] = record
        if self._timer is None:
            self._timer = self._clock.call_later(SOON_SECONDS, self.flush)

    def forget(self, record: ErrorRecord) -> None:
        """Keep an error no longer."""
        self._dirty.pop(record.id, None)
        self._write("DELETE FROM errors WHERE id = ?", (record.id,))

    def put_notice(self, channel: str, notice: Notice) -> None:
        """Keep what a channel was told, and is to be told."""
        if notice.told is None and notice.pending is None:
            self._write(
                "DELETE FROM notices WHERE channel = ? AND type = ? AND broker = ?", (channel, *map(str, notice.key))
            )
        else:
            self._write(_PUT_NOTICE, (channel, *_notice_row(notice)))

    def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        dirty, self._dirty = self._dirty, {}
        for record in dirty.values():
            self._write(_PUT_ERROR, _error_row(record))

    def _write(self, statement: str, values: Row) -> None:
        if self._store is None:
            return
        # An error that is noticed while the sidecar stops: the file is closed already.
        with suppress(StoreClosedError):
            self._store.write_nowait(_statement(statement, values))

    async def _rows(self, statement: str, *values: str) -> list[Row]:
        if self._store is None:
            return []
        return await self._store.read(lambda connection: connection.execute(statement, values).fetchall())


def _statement(statement: str, values: Row) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute(statement, values)

    return work


def _error_row(record: ErrorRecord) -> Row:
    return (
        record.id,
        str(record.type),
        record.broker,
        record.subject,
        record.first,
        record.last,
        record.count,
        record.notified,
        record.resolved,
        record.resolution,
        record.note,
        json.dumps(clean_fields(record.context)),
    )


def _record(row: Row) -> ErrorRecord:
    key, kind, broker, subject, first, last, count, notified, resolved, resolution, note, context = row
    return ErrorRecord(
        key,
        ErrorType(kind),
        broker,
        subject,
        first,
        last,
        count,
        notified,
        resolved,
        resolution,
        note,
        json.loads(context),
        inherited=resolved is None,
    )


def _notice_row(notice: Notice) -> Row:
    told_at, is_open = (None, False) if notice.told is None else (notice.told.at, notice.told.open)
    pending = None if notice.pending is None else str(notice.pending)
    return (str(notice.key[0]), notice.key[1], told_at, int(is_open), pending, notice.due, notice.attempts)


def _notice(row: Row) -> Notice:
    _, kind, broker, told_at, is_open, pending, due, attempts = row
    return Notice.restored(
        (ErrorType(kind), broker),
        None if told_at is None else Told(told_at, open=bool(is_open)),
        pending,
        due,
        attempts,
    )
