"""A sidecar with a fault: its state file is written without `fsync`."""

import sqlite3
import sys
from pathlib import Path

from sidecar.cli import main
from sidecar.store import writer
from tests.torture.powercut import run_watched

sound = writer.connect_writer


def connect_writer(path: Path) -> sqlite3.Connection:
    connection = sound(path)
    connection.execute("PRAGMA synchronous=OFF")
    return connection


if __name__ == "__main__":
    setattr(writer, "connect_writer", connect_writer)  # noqa: B010 - a build with another function in its place
    sys.exit(run_watched(main))
