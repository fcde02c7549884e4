"""The yardstick of durability: one bare insert after the other into SQLite, each on the disk before the next.

`python -m bench.inserts FILE SECONDS` prints the figures as JSON; times are microseconds.
"""

import json
import sqlite3
import sys
import time
from pathlib import Path

_ROW = ("binance", "BTCUSDT", "queued", "x" * 400)
"""As long as an order is."""


def insert(path: Path, seconds: float) -> dict[str, float]:
    """Insert for so long."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (seq INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT, d TEXT)")
    times = []
    began = last = time.perf_counter()
    while last - began < seconds:
        connection.execute("INSERT INTO t (a, b, c, d) VALUES (?, ?, ?, ?)", _ROW)
        now = time.perf_counter()
        times.append(now - last)
        last = now
    connection.close()
    return figures(times, last - began)


def figures(times: list[float], seconds: float) -> dict[str, float]:
    """Of so many that took `times`, in seconds, one by one, and `seconds` in all."""
    times.sort()
    p50, p99 = (times[int(len(times) * share)] * 1e6 for share in (0.5, 0.99))
    return {"rate": len(times) / seconds, "p50": p50, "p99": p99}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(insert(Path(sys.argv[1]), float(sys.argv[2]))))
