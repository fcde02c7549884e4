"""The orders that the sidecar carries, as the state file has them."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sidecar.clock import Clock
from sidecar.orders.order import COLUMNS, Change, Order, answer_text, filled_text, from_row, intent_text
from sidecar.orders.sql import marks, newest
from sidecar.store import Store
from sidecar.words import OrderState

SWEPT_AT_ONCE: Final = 20
"""Ended orders that one new order takes along: more than come in, few enough to go unnoticed."""
OPEN_STATES: Final = tuple(state for state in OrderState if state.open)
FINAL_STATES: Final = tuple(state for state in OrderState if state.final)

_INSERT: Final = f"""
INSERT INTO orders ({COLUMNS}, client_id, idempotency_key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608 - our own column names
_UPDATE: Final = """
UPDATE orders SET state = ?, reason = ?, updated_at = ?, attempts = ?, broker_order_id = ?, may_have_been_executed = ?,
answer = ?, filled = ? WHERE id = ?
"""
_KNOWN: Final = "broker = ? AND (client_id = ? OR idempotency_key = ?) ORDER BY client_id = ? DESC"
_LOG: Final = "INSERT INTO order_changes (order_id, at, state, reason) VALUES (?, ?, ?, ?)"
_SELECT: Final = f"SELECT {COLUMNS} FROM orders"  # noqa: S608 - likewise
_SWEEP: Final = f"""
DELETE FROM orders WHERE seq IN (
  SELECT seq FROM orders WHERE updated_at < ? AND state IN ({marks(FINAL_STATES)}) ORDER BY updated_at LIMIT ?
)
"""  # noqa: S608 - question marks alone


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders are asked for; empty means any."""

    brokers: Sequence[str] = ()
    states: Sequence[str] = ()
    client_ids: Sequence[str] = ()
    most: int = 100
    keys: Sequence[str] = ()
    """What is derived from an `Idempotency-Key`."""


class Ledger:
    """Every method raises StoreError when the state file does not take or give it."""

    def __init__(self, store: Store, history_seconds: float, clock: Clock) -> None:
        """`history_seconds`: how long orders that have ended are kept."""
        self._store = store
        self._history = history_seconds
        self._clock = clock

    async def accept(self, order: Order) -> Order | None:
        """Write a new order down, and return when it is on the disk; where its client id or key is known, that order.

        That it was accepted and what it became at once are two changes, and one wait for the disk.
        """
        oldest = self._clock.now() - self._history
        client_id = order.client_id or None if order.kind == "order" else None
        row = (*_row(order), client_id, order.key or None)
        changes = (
            (order.id, order.created_at, OrderState.ACCEPTED, ""),
            (order.id, order.updated_at, order.state, order.reason),
        )

        def work(connection: sqlite3.Connection) -> Any:
            connection.execute(_SWEEP, (oldest, *FINAL_STATES, SWEPT_AT_ONCE))
            same = (order.broker, client_id, order.key or None, client_id)
            known = connection.execute(f"{_SELECT} WHERE {_KNOWN}", same)
            if (found := known.fetchone()) is not None:
                return found
            connection.execute(_INSERT, row)
            connection.executemany(_LOG, changes)
            return None

        found = await self._store.write(work)
        return None if found is None else from_row(found)

    async def change(self, order: Order) -> None:
        """Write an order's new state down, and return when it is on the disk."""
        answer = answer_text(order.answer)
        reason = order.reason.encode("utf-8", "replace").decode()  # a broker's words may hold half a surrogate pair
        values = (order.state, reason, order.updated_at, order.attempts, order.broker_order_id)
        row = (*values, order.may_have_been_executed, answer, filled_text(order), order.id)
        change = (order.id, order.updated_at, order.state, reason)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_UPDATE, row)
            connection.execute(_LOG, change)

        await self._store.write(work)

    async def open_orders(self, broker: str) -> list[Order]:
        """What a restart has to go on with, in the order of acceptance."""
        query = f"{_SELECT} WHERE broker = ? AND state IN ({marks(OPEN_STATES)}) ORDER BY seq"
        return await self._read(query, (broker, *OPEN_STATES))

    async def strays(self, brokers: Sequence[str]) -> list[Order]:
        """What earlier runs left open for other brokers than these."""
        query = f"{_SELECT} WHERE broker NOT IN ({marks(brokers)}) AND state IN ({marks(OPEN_STATES)}) ORDER BY seq"
        return await self._read(query, (*brokers, *OPEN_STATES))

    async def working(self, broker: str) -> int:
        """How many orders the broker was last known to have and not to have filled."""

        def work(connection: sqlite3.Connection) -> int:
            query = "SELECT count(*) FROM orders WHERE broker = ? AND state = ?"
            return int(connection.execute(query, (broker, OrderState.WORKING)).fetchone()[0])

        return await self._store.read(work)

    async def find(self, order_id: str) -> Order | None:
        """One order; None when there is none, or none any more."""
        found = await self._read(f"{_SELECT} WHERE id = ?", (order_id,))
        return found[0] if found else None

    async def changes(self, order_id: str) -> list[Change]:
        """What happened to an order so far."""

        def work(connection: sqlite3.Connection) -> list[Any]:
            query = "SELECT at, state, reason FROM order_changes WHERE order_id = ? ORDER BY rowid"
            return connection.execute(query, (order_id,)).fetchall()

        return [Change(at, OrderState(state), reason) for at, state, reason in await self._store.read(work)]

    async def select(self, wanted: Wanted) -> list[Order]:
        """The newest orders of a kind."""
        allowed = {
            "broker": wanted.brokers,
            "state": wanted.states,
            "client_id": wanted.client_ids,
            "idempotency_key": wanted.keys,
        }
        return await self._read(*newest(_SELECT, allowed, wanted.most))

    async def _read(self, query: str, values: tuple[object, ...]) -> list[Order]:
        def work(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(query, values).fetchall()

        return [from_row(row) for row in await self._store.read(work)]


def _row(order: Order) -> tuple[object, ...]:
    return (
        order.id,
        order.broker,
        order.kind,
        order.lane.account,
        order.lane.instrument,
        intent_text(order),
        order.state,
        order.reason,
        order.created_at,
        order.updated_at,
        order.expires_at,
        order.attempts,
        order.broker_order_id,
        order.may_have_been_executed,
        answer_text(order.answer),
        filled_text(order),
    )
