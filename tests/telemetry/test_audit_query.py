from pathlib import Path
from typing import Any

import pytest

from sidecar.clock import VirtualClock
from sidecar.telemetry.audit import Wanted, query
from sidecar.telemetry.audit.files import day_of
from sidecar.telemetry.audit.lines import lines_of
from tests.telemetry.audit_samples import DAY, NOON, call, finish, journal

CALLS = (
    (NOON, call(id="a", symbol="BTCUSDT", request=(("newClientOrderId", "mine-a"),), response=(("orderId", "1"),))),
    (NOON + 60, call(id="b", symbol="ETHUSDT", broker="oanda", audit="order_cancelled", request=(), response=())),
    (NOON + DAY, call(id="c", request=(("side", "1"),), response=(("orderId", "2"),))),
    (
        NOON + 2 * DAY,
        call(id="d", request=(("orderIdList", "[77,78]"),), response=(("orderId", "3"), ("clientOrderId", "mine-a"))),
    ),
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    clock = VirtualClock(NOON)
    log = journal(tmp_path, clock)
    for at, event in CALLS:
        log.append(day_of(at), list(lines_of(at, event)))
    finish(log)
    log.close()
    return tmp_path


def found(directory: Path, limit: int | None = None, **wanted: Any) -> str:
    entries = query(directory, Wanted(**wanted), limit=limit)
    return "".join(entry.fields["correlation_id"] for entry in entries)


def test_everything_is_found_oldest_first_over_compressed_days(directory: Path) -> None:
    assert len(list(directory.glob("*.gz"))) == 2
    assert found(directory) == "abcd"


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"since": NOON + 60}, "bcd"),
        ({"until": NOON + 60}, "a"),
        ({"since": NOON + 61, "until": NOON + 2 * DAY}, "c"),
        ({"event": "order_cancelled"}, "b"),
        ({"broker": "oanda"}, "b"),
        ({"symbol": "ETHUSDT"}, "b"),
        ({"broker": "oanda", "symbol": "BTCUSDT"}, ""),
        ({"id": "mine-a"}, "ad"),
        ({"id": "1"}, "a"),
        ({"id": "78"}, "d"),
        ({"id": "c"}, "c"),
        ({"id": f"{0xABC:032x}"}, "abcd"),
    ],
)
def test_what_matches_everything_asked_for_is_found(directory: Path, wanted: dict[str, Any], ids: str) -> None:
    assert found(directory, **wanted) == ids


@pytest.mark.parametrize(("limit", "ids"), [(1, "d"), (2, "cd"), (3, "bcd"), (9, "abcd")])
def test_a_limit_keeps_the_newest(directory: Path, limit: int, ids: str) -> None:
    assert found(directory, limit=limit) == ids


def test_a_line_that_cannot_be_read_does_not_hide_the_others(directory: Path) -> None:
    (newest,) = directory.glob("*.jsonl")
    newest.write_bytes(b"garbage\n[1]\n" + newest.read_bytes() + b'{"ts":')
    assert found(directory) == "abcd"
