import sqlite3
from pathlib import Path

import pytest

from tests.store.support import Work, opened

ORDER = {
    "id": "o1",
    "broker": "binance",
    "client_id": "c1",
    "account": "",
    "instrument": "BTCUSDT",
    "kind": "order",
    "intent": "{}",
    "state": "accepted",
    "reason": "",
    "created_at": 1.0,
    "updated_at": 1.0,
    "expires_at": 2.0,
}


def add(connection: sqlite3.Connection, **changes: object) -> int:
    row = ORDER | changes
    marks = ", ".join(f":{name}" for name in row)
    added = connection.execute(f"INSERT INTO orders ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608 - our names
    assert added.lastrowid is not None
    return added.lastrowid


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "c2"},
        {"id": "o2"},
        {"id": "o2", "client_id": "c2", "kind": "wish"},
        {"id": "o2", "client_id": "c2", "created_at": "yesterday"},
        {"id": "o2", "client_id": "c2", "state": None},
    ],
    ids=["the same id", "the same client id", "an unknown kind", "a time that is none", "no state"],
)
async def test_an_order_is_refused_that_has(tmp_path: Path, change: dict[str, object]) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.write(add)
        with pytest.raises(sqlite3.IntegrityError):
            await store.write(lambda connection: add(connection, **change))
        await store.write(lambda connection: add(connection, id="o2", client_id="c2"))


async def test_a_client_id_is_unique_at_its_broker_only(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.write(add)
        await store.write(lambda connection: add(connection, id="o2", broker="oanda"))


async def test_orders_without_a_client_id_do_not_collide(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.write(lambda connection: add(connection, client_id=None))
        await store.write(lambda connection: add(connection, id="o2", client_id=None))


async def test_a_place_in_the_order_of_acceptance_is_never_given_twice(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        first = await store.write(add)
        await store.write(lambda connection: connection.execute("DELETE FROM orders"))
    async with opened(tmp_path / "state.db") as store:
        assert await store.write(add) > first


async def test_changes_belong_to_an_order_and_go_with_it(tmp_path: Path) -> None:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO order_changes VALUES ('o1', 1.0, 'queued', '')")

    async with opened(tmp_path / "state.db") as store:
        with pytest.raises(sqlite3.IntegrityError):
            await store.write(change)
        await store.write(add)
        await store.write(change)
        await store.write(lambda connection: connection.execute("DELETE FROM orders"))
        assert await store.read(lambda c: c.execute("SELECT count(*) FROM order_changes").fetchone()) == (0,)


async def test_open_orders_are_found_without_looking_at_all(tmp_path: Path) -> None:
    question = "SELECT id FROM orders WHERE broker = ? AND state IN ('sending', 'in_doubt')"
    async with opened(tmp_path / "state.db") as store:
        plan = await store.read(lambda c: c.execute(f"EXPLAIN QUERY PLAN {question}", ("binance",)).fetchall())
    assert "USING INDEX orders_by_state (broker=? AND state=?)" in plan[0][3]


async def test_an_idempotency_key_is_a_brokers_own_and_holds_any_answer(tmp_path: Path) -> None:
    def remember(broker: str) -> Work:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO idempotency (broker, key, fingerprint, status, headers, body, created_at) "
                "VALUES (?, 'k', 'f', 200, '[]', ?, 1.0)",
                (broker, bytes(range(256))),
            )

        return work

    async with opened(tmp_path / "state.db") as store:
        for broker in ("binance", "oanda"):
            await store.write(remember(broker))
        with pytest.raises(sqlite3.IntegrityError):
            await store.write(remember("oanda"))
        body = await store.read(lambda c: c.execute("SELECT body FROM idempotency").fetchone()[0])
        assert body == bytes(range(256))
