"""The hands that read: a connection of their own, so that no read waits for the disk to take a write."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sidecar.store.connection import Connection
from sidecar.store.faults import on_read
from sidecar.store.files import connect_reader
from sidecar.store.job import Job


class Reader:
    """Runs each job on a snapshot: all its statements see the same commits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: Connection

    def open(self) -> None:
        """Connect to a file that the writer has opened."""
        self._connection = connect_reader(self._path)

    def run(self, jobs: Sequence[Job[Any]]) -> None:
        """Do the jobs one after another."""
        for job in jobs:
            try:
                self._connection.execute("BEGIN")
                job.run(self._connection)
            except BaseException as failure:  # noqa: BLE001 - it is raised where the job is awaited
                job.error = on_read(failure, self._path)
            finally:
                self._connection.close_cursors()
                if self._connection.in_transaction:
                    self._connection.rollback()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
