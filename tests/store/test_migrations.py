import asyncio
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.store import Store, StoreMigrationError
from sidecar.store.schema import FOLDER, load, statements
from tests.store.support import contents, one, opened

ONE = "CREATE TABLE one (x TEXT) STRICT;"
TWO = "CREATE TABLE two (x TEXT) STRICT; INSERT INTO two VALUES ('from two');"
BROKEN = "CREATE TABLE three (x TEXT) STRICT; INSERT INTO nowhere VALUES (1);"
VERSION = one("PRAGMA user_version")
TABLES = one("SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)")


async def test_a_new_file_gets_every_migration_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db", [ONE, TWO]) as store:
        assert await store.read(TABLES) == "one,two"
        assert await store.read(VERSION) == 2


async def test_an_old_file_gets_only_what_it_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path, [ONE]) as store:
        await store.write(lambda connection: connection.execute("INSERT INTO one VALUES ('kept')"))
    for _ in range(2):
        async with opened(path, [ONE, TWO]) as store:
            assert await store.read(one("SELECT x FROM one")) == "kept"
            assert await store.read(one("SELECT count(*) FROM two")) == 1


async def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path, [ONE]):
        pass
    before = contents(tmp_path)
    with pytest.raises(StoreMigrationError, match="migration 2 failed: no such table: nowhere"):
        await Store(path, migrations=[ONE, BROKEN]).open()
    assert contents(tmp_path) == before
    async with opened(path, [ONE, TWO]) as store:
        assert await store.read(TABLES) == "one,two"


async def test_migrations_before_the_one_that_fails_stay(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with pytest.raises(StoreMigrationError, match="migration 3 failed"):
        await Store(path, migrations=[ONE, TWO, BROKEN]).open()
    async with opened(path, [ONE, TWO]) as store:
        assert await store.read(TABLES) == "one,two"


@pytest.mark.parametrize("end", ["COMMIT;", "ROLLBACK;", "COMMIT; BEGIN;", "BEGIN;"])
async def test_a_migration_cannot_leave_its_transaction(tmp_path: Path, end: str) -> None:
    path = tmp_path / "state.db"
    with pytest.raises(StoreMigrationError, match="migration 1 failed"):
        await Store(path, migrations=[f"{end} {ONE}"]).open()
    async with opened(path, ["SELECT 1;"]) as store:
        assert await store.read(TABLES) is None


def test_semicolons_inside_texts_comments_and_triggers_end_no_statement() -> None:
    script = """
    -- first; of all
    CREATE TABLE a (x TEXT DEFAULT ';'); /* a; b */
    CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; SELECT 1; END;
    INSERT INTO a VALUES ('one;two')
    -- the end; really
    """
    parts = list(statements(script))
    connection = sqlite3.connect(":memory:")
    for part in parts:
        connection.execute(part)
    connection.close()
    assert sum(any(word in part for word in ("CREATE", "INSERT INTO a VALUES")) for part in parts) == 3


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(1, 6))
def test_any_way_of_upgrading_ends_in_the_same_form(stops: list[int], newest: int) -> None:
    scripts = [
        f"CREATE TABLE t{number} (x TEXT) STRICT; CREATE INDEX i{number} ON t{number} (x);" for number in range(newest)
    ]

    async def form(path: Path, steps: list[int]) -> object:
        for step in steps:
            async with opened(path, scripts[:step]):
                pass
        async with opened(path, scripts) as store:
            return await store.read(TABLES), await store.read(VERSION)

    async def main(folder: Path) -> None:
        assert await form(folder / "stepwise.db", sorted(stops)) == await form(folder / "direct.db", [])

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))


# The folder


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), max_size=8))
def test_a_folder_is_taken_only_when_its_numbers_are_1_2_3(numbers: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for at, number in enumerate(numbers):
            (folder / f"{number:04d}_{'abcdefgh'[at]}.sql").write_text(f"SELECT {number};")
        if sorted(numbers) == list(range(1, len(numbers) + 1)):
            assert load(folder) == tuple(f"SELECT {number};" for number in range(1, len(numbers) + 1))
        else:
            with pytest.raises(StoreMigrationError, match="without a gap"):
                load(folder)


@pytest.mark.parametrize("name", ["1_orders.sql", "0001-orders.sql", "orders.sql", "0001_Orders.sql"])
def test_a_name_out_of_form_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(StoreMigrationError, match=name):
        load(tmp_path)


def test_other_files_in_the_folder_are_nobodys_business(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("")
    (tmp_path / "0001_a.sql").write_text("SELECT 1;")
    assert load(tmp_path) == ("SELECT 1;",)


def test_the_sidecars_own_folder_is_in_order() -> None:
    assert len(load(FOLDER)) >= 1
