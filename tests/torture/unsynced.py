"""A sidecar with a fault: its state file is written without `fsync`."""

import sys
from pathlib import Path

from sidecar.cli import main
from sidecar.store import writer
from sidecar.store.connection import Connection
from sidecar.store.files import connect_writer as sound
from tests.torture.powercut import run_watched


def connect_writer(path: Path) -> Connection:
    connection = sound(path)
    connection.execute("PRAGMA synchronous=OFF")
    return connection


if __name__ == "__main__":
    setattr(writer, "connect_writer", connect_writer)  # noqa: B010 - a build with another function in its place
    sys.exit(run_watched(main))
