"""The state file's form: numbered migrations, each applied once and in order.

The number of the newest one applied is the file's `user_version`.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from sidecar.store.errors import StoreMigrationError
from sidecar.store.faults import on_write

FOLDER: Final[Traversable] = files("sidecar.store") / "migrations"
"""The migrations that come with the sidecar: `0001_orders.sql`, `0002_….sql`, …"""

_SHAPE = """
SELECT item.type, item.name, item.tbl_name, part.name, part.type, part."notnull", part.pk
FROM sqlite_schema AS item LEFT JOIN pragma_table_xinfo(item.name) AS part
"""
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


def load(folder: Traversable) -> tuple[str, ...]:
    """The scripts of a folder in the order of their numbers, which start at 1 and leave no gap.

    Raises StoreMigrationError otherwise: a missing number would shift all later ones.
    """
    found = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)
    for expected, item in enumerate(found, 1):
        match = _NAME.fullmatch(item.name)
        if match is None or int(match[1]) != expected:
            raise StoreMigrationError(
                f"{item.name}: migrations must be named NNNN_name.sql and numbered from 0001 without a gap; "
                f"here {expected:04d} was expected"
            )
    return tuple(item.read_text(encoding="utf-8") for item in found)


def migrate(connection: sqlite3.Connection, scripts: Sequence[str], path: Path) -> None:
    """Apply the scripts that the file does not have yet, each in a transaction of its own.

    Raises StoreMigrationError, or StoreFullError when the disk does not take one.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    for number, script in enumerate(scripts[version:], version + 1):
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement in statements(script):
                _run(connection, statement)
            connection.execute(f"PRAGMA user_version={number}")
            connection.commit()
        except (sqlite3.Error, sqlite3.Warning) as failure:
            connection.rollback()
            told = on_write(failure, path)
            if told is not failure:
                raise told from failure
            raise StoreMigrationError(
                f"{path}: migration {number} failed: {failure}; the file is as it was before it; "
                "run the sidecar that wrote the file, or restore a copy"
            ) from failure


def statements(script: str) -> Iterator[str]:
    """The script's single statements; a semicolon inside a text, a comment or a trigger ends none."""
    statement = ""
    for piece in script.split(";"):
        statement += piece
        if sqlite3.complete_statement(statement + ";"):
            yield statement + ";"
            statement = ""
        else:
            statement += ";"
    rest = statement.removesuffix(";")
    if rest.strip():
        yield rest


def shape(connection: sqlite3.Connection) -> frozenset[tuple[object, ...]]:
    """Every table's columns, and every index: what damage to the schema's text would change."""
    return frozenset(connection.execute(_SHAPE))


def shape_after(scripts: Sequence[str]) -> frozenset[tuple[object, ...]]:
    """What a file has when these scripts were applied to it.

    Raises StoreMigrationError when one of them cannot be applied at all.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, scripts, Path(":memory:"))
        return shape(connection)


def _run(connection: sqlite3.Connection, statement: str) -> None:
    connection.execute(statement)
    if not connection.in_transaction:
        raise sqlite3.ProgrammingError("it ends the transaction it runs in")
