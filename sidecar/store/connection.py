"""The connection that works get."""

import sqlite3
import weakref
from typing import Any


class Connection(sqlite3.Connection):
    """Knows the cursors that a work leaves open: a statement that was not read to its end keeps a transaction open."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._cursors: list[weakref.ref[sqlite3.Cursor]] = []

    def cursor(self, *args: Any, **options: Any) -> Any:
        """A cursor, as ever."""
        cursor = super().cursor(*args, **options)
        self._cursors.append(weakref.ref(cursor))
        return cursor

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run one statement, as ever; the library's own would not ask `cursor` for one."""
        cursor: sqlite3.Cursor = self.cursor().execute(sql, parameters)
        return cursor

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """Run one statement for each set of parameters, likewise."""
        cursor: sqlite3.Cursor = self.cursor().executemany(sql, parameters)
        return cursor

    def close_cursors(self) -> None:
        """End every statement that is still under way."""
        left, self._cursors = self._cursors, []
        for reference in left:
            cursor = reference()
            if cursor is not None:
                cursor.close()
