"""Single facts that must be known after a restart, each under a name of its own."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

_WRITE = """
INSERT INTO facts (name, value, at) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at
"""


def writing(name: str, value: Mapping[str, Any], at: float) -> Callable[[sqlite3.Connection], None]:
    """A work that puts a fact in place of what was known under its name; `at` in Unix seconds."""
    text = json.dumps(value)

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(_WRITE, (name, text, at))

    return work


def reading(name: str) -> Callable[[sqlite3.Connection], dict[str, Any]]:
    """A work that reads a fact; empty when nothing is known under its name."""

    def work(connection: sqlite3.Connection) -> dict[str, Any]:
        row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        value = json.loads(row[0]) if row else {}
        return value if isinstance(value, dict) else {}

    return work
