"""Operations as the state file has them."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sidecar.clock import Clock
from sidecar.orders.operations.draft import OperationDraft
from sidecar.orders.operations.model import Operation, Record
from sidecar.orders.sql import marks, newest
from sidecar.store import Store
from sidecar.words import OperationState, OperationType

SWEPT_AT_ONCE: Final = 20
"""Ended operations that one new operation takes along."""
_FINAL: Final = tuple(state for state in OperationState if state.final)
_OPEN: Final = tuple(state for state in OperationState if not state.final)
_COLUMNS: Final = "id, intent, state, record, created_at, updated_at"

_SELECT: Final = f"SELECT {_COLUMNS} FROM operations"  # noqa: S608 - our own column names
_INSERT: Final = """
INSERT INTO operations (id, intent, state, record, created_at, updated_at, broker, type, client_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SWEEP: Final = f"""
DELETE FROM operations WHERE seq IN (
  SELECT seq FROM operations WHERE updated_at < ? AND state IN ({marks(_FINAL)}) ORDER BY updated_at LIMIT ?
)
"""  # noqa: S608 - question marks alone
_COUNT: Final = """
SELECT type, state, json_array_length(record, '$.recoveries') > 0, count(*) FROM operations GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an operation's life."""

    at: float
    """Unix seconds."""
    step: str
    detail: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many operations of a kind are, or ended, in a state."""

    type: OperationType
    state: OperationState
    recovered: bool
    """Whether they went through trouble."""
    number: int


@dataclass(frozen=True, slots=True)
class Sought:
    """Which operations are asked for; empty means any."""

    brokers: Sequence[str] = ()
    types: Sequence[str] = ()
    states: Sequence[str] = ()
    client_ids: Sequence[str] = ()
    most: int = 100


class Journal:
    """Every method raises StoreError when the state file does not take or give it."""

    def __init__(self, store: Store, history_seconds: float, clock: Clock) -> None:
        """`history_seconds`: how long operations that have ended are kept."""
        self._store = store
        self._history = history_seconds
        self._clock = clock

    async def accept(self, operation: Operation) -> Operation | None:
        """Write a new operation down; where its client id is known, return that one and write nothing."""
        oldest = self._clock.now() - self._history
        client_id = operation.intent.client_id or None
        row = (*_row(operation), operation.broker, operation.type, client_id)

        def work(connection: sqlite3.Connection) -> Any:
            connection.execute(_SWEEP, (oldest, *_FINAL, SWEPT_AT_ONCE))
            known = connection.execute(f"{_SELECT} WHERE broker = ? AND client_id = ?", (operation.broker, client_id))
            if (found := known.fetchone()) is not None:
                return found
            connection.execute(_INSERT, row)
            return None

        found = await self._store.write(work)
        return None if found is None else _operation(found)

    async def save(self, operation: Operation, steps: Sequence[Step]) -> None:
        """Write down how an operation is now and what was done for it, and return when it is on the disk."""
        row = (operation.state, operation.record.model_dump_json(), operation.updated_at, operation.id)
        lines = [(operation.id, step.at, step.step, step.detail) for step in steps]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE operations SET state = ?, record = ?, updated_at = ? WHERE id = ?", row)
            connection.executemany("INSERT INTO operation_steps VALUES (?, ?, ?, ?)", lines)

        await self._store.write(work)

    async def under_way(self) -> list[Operation]:
        """What a restart has to go on with, the oldest first."""
        return await self._read(f"{_SELECT} WHERE state IN ({marks(_OPEN)}) ORDER BY seq", _OPEN)

    async def find(self, operation_id: str) -> Operation | None:
        """One operation; None when there is none, or none any more."""
        found = await self._read(f"{_SELECT} WHERE id = ?", (operation_id,))
        return found[0] if found else None

    async def steps(self, operation_id: str) -> list[Step]:
        """All that was done for an operation."""

        def work(connection: sqlite3.Connection) -> list[Any]:
            query = "SELECT at, step, detail FROM operation_steps WHERE operation_id = ? ORDER BY rowid"
            return connection.execute(query, (operation_id,)).fetchall()

        return [Step(*row) for row in await self._store.read(work)]

    async def select(self, sought: Sought) -> list[Operation]:
        """The newest operations of a kind."""
        allowed = {
            "broker": sought.brokers,
            "type": sought.types,
            "state": sought.states,
            "client_id": sought.client_ids,
        }
        return await self._read(*newest(_SELECT, allowed, sought.most))

    async def counts(self) -> list[Count]:
        """How the operations that are kept have fared."""

        def work(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(_COUNT).fetchall()

        rows = await self._store.read(work)
        return [
            Count(OperationType(kind), OperationState(state), bool(bad), number) for kind, state, bad, number in rows
        ]

    async def _read(self, query: str, values: Sequence[object]) -> list[Operation]:
        def work(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(query, tuple(values)).fetchall()

        return [_operation(row) for row in await self._store.read(work)]


def _row(operation: Operation) -> tuple[object, ...]:
    return (
        operation.id,
        operation.intent.model_dump_json(),
        operation.state,
        operation.record.model_dump_json(),
        operation.created_at,
        operation.updated_at,
    )


def _operation(row: tuple[Any, ...]) -> Operation:
    id_, intent, state, record, created_at, updated_at = row
    return Operation(
        id=id_,
        intent=OperationDraft.model_validate_json(intent).root,
        state=OperationState(state),
        record=Record.model_validate_json(record),
        created_at=created_at,
        updated_at=updated_at,
    )
