import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sidecar.clock import VirtualClock
from sidecar.telemetry import events
from sidecar.telemetry.audit import AuditLockedError, AuditLog, AuditUnusableError, query, verify
from sidecar.telemetry.audit import log as module
from sidecar.telemetry.audit.files import AppendFile
from sidecar.telemetry.audit.lines import Line, lines_of
from sidecar.telemetry.events import Bus, Event
from sidecar.words import Effect
from tests.telemetry.audit_samples import DAY, NOON, call

TIMEOUT = 30.0


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture
def log(tmp_path: Path, clock: VirtualClock) -> Iterator[AuditLog]:
    opened = AuditLog(tmp_path, bot="bot", retention_days=30, clock=clock)
    opened.open()
    yield opened
    opened.close(TIMEOUT)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for the writer's thread: it runs in real time."""
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < deadline, "the writer did not get there"
        time.sleep(0.005)


class FullDisk:
    """Makes every write fail while it is switched on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.entered = threading.Event()
        real = AppendFile.write

        def write(file: AppendFile, data: bytes) -> None:
            if self.full:
                self.entered.set()
                raise OSError(28, "No space left on device")
            real(file, data)

        monkeypatch.setattr(AppendFile, "write", write)
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)


def test_what_the_bus_tells_is_written_with_its_time(tmp_path: Path, clock: VirtualClock) -> None:
    log = AuditLog(tmp_path, bot="my-bot", retention_days=30, clock=clock)
    bus = Bus(clock)
    log.subscribe(bus)
    log.open()
    bus.emit(call(effect=Effect.READ, audit=""))
    bus.emit(call())
    bus.emit(events.GateOpened("binance"))
    log.close(TIMEOUT)
    entries = [entry.fields for entry in query(tmp_path)]
    assert [(entry["event"], entry["bot"], entry["ts"]) for entry in entries] == [
        ("order_placed", "my-bot", "2026-11-22T12:00:00.000000Z"),
        ("gate_opened", "my-bot", "2026-11-22T12:00:00.000000Z"),
    ]


def test_no_line_is_lost_at_a_normal_stop(tmp_path: Path, log: AuditLog) -> None:
    for number in range(50_000):
        log.put(call(id=f"call-{number}"))
    log.close(TIMEOUT)
    report = verify(tmp_path)
    assert (report.ok, report.lines) == (True, 50_000)
    assert log.readings().dropped == 0


def test_the_order_of_the_events_is_kept(tmp_path: Path, log: AuditLog) -> None:
    for number in range(500):
        log.put(call(id=str(number)))
    log.close(TIMEOUT)
    assert [entry.fields["correlation_id"] for entry in query(tmp_path)] == [str(number) for number in range(500)]


def test_lines_reach_the_file_without_a_stop(tmp_path: Path, log: AuditLog) -> None:
    log.put(call())
    eventually(lambda: log.readings().written == 1)
    assert verify(tmp_path).lines == 1


def test_the_day_turns_with_the_injected_clock_even_when_nothing_happens(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    log = AuditLog(tmp_path, bot="bot", retention_days=2, clock=clock)
    log.open()
    for day in ("audit-2026-11-22", "audit-2026-11-23", "audit-2026-11-24"):
        log.put(call())
        eventually(tmp_path.joinpath(f"{day}.jsonl").exists)
        clock.advance(DAY)
    eventually(lambda: not list(tmp_path.glob("*.tmp")) and len(list(tmp_path.glob("*.gz"))) == 2)
    log.close(TIMEOUT)
    assert verify(tmp_path).ok


def test_a_full_disk_keeps_lines_in_the_queue_and_is_logged_once(
    tmp_path: Path, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    disk.full = True
    with capture_logs() as logged:
        for number in range(100):
            log.put(call(id=str(number)))
        eventually(lambda: log.readings().failures > 3)
        assert log.readings().queued == 100
        disk.full = False
        eventually(lambda: log.readings().written == 100)
    assert [line["log_level"] for line in logged] == ["error", "warning"]
    log.close(TIMEOUT)
    assert verify(tmp_path).lines == 100


def test_dev_full_is_a_full_disk(tmp_path: Path, log: AuditLog) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "audit-2026-11-22.jsonl").symlink_to("/dev/full")
    with capture_logs():
        log.put(call())
        eventually(lambda: log.readings().failures > 0)
        (tmp_path / "audit-2026-11-22.jsonl").unlink()
        assert log.readings().queued == 1
        log.close(0.1)


def test_an_overflowing_queue_is_counted_logged_and_told_in_the_log_itself(
    tmp_path: Path, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    monkeypatch.setattr(module, "QUEUE_LIMIT", 100)
    disk.full = True
    with capture_logs() as logged:
        log.put(call())
        assert disk.entered.wait(TIMEOUT)
        for _ in range(150):
            log.put(call())
        dropped = log.readings().dropped
        disk.full = False
        log.close(TIMEOUT)
    assert dropped >= 50 - module.BATCH
    assert sum("queue full" in str(line["event"]) for line in logged) == 1
    told = [entry.fields for entry in query(tmp_path) if entry.fields["event"] == "audit_lines_dropped"]
    assert sum(line["events"] for line in told) == dropped
    assert verify(tmp_path).lines == 151 - dropped + len(told)


def test_a_stop_that_cannot_write_says_how_much_is_lost(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(monkeypatch)
    disk.full = True
    with capture_logs() as logged:
        for _ in range(40):
            log.put(call())
        log.close(0.05)
    (lost,) = [line for line in logged if "lost at the stop" in str(line["event"])]
    assert lost["events"] == 40


def test_an_event_that_cannot_be_described_keeps_no_other_from_the_disk(
    tmp_path: Path, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(at: float, event: Event) -> Iterator[Line]:
        if event == events.GateOpened("binance"):
            raise ValueError("broken")
        return lines_of(at, event)

    monkeypatch.setattr(module, "lines_of", broken)
    with capture_logs() as logged:
        log.put(events.GateOpened("binance"))
        log.put(call())
        log.close(TIMEOUT)
    assert verify(tmp_path).lines == 1
    assert [line["kind"] for line in logged if line["log_level"] == "error"] == ["GateOpened"]
    assert not log.readings().chain_ok


def test_a_second_process_is_refused(tmp_path: Path, log: AuditLog, clock: VirtualClock) -> None:
    with pytest.raises(AuditLockedError, match=rf"process {os.getpid()}"):
        AuditLog(tmp_path, bot="other", retention_days=30, clock=clock).open()
    assert log.readings().chain_ok


def test_a_directory_that_cannot_be_used_is_told_before_the_first_call(tmp_path: Path, clock: VirtualClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AuditUnusableError, match=r"audit\.directory"):
        AuditLog(tmp_path / "file", bot="bot", retention_days=30, clock=clock).open()


def test_readings_tell_the_head(tmp_path: Path, log: AuditLog) -> None:
    log.put(call())
    log.close(TIMEOUT)
    readings, newest = log.readings(), verify(tmp_path).newest
    assert newest is not None
    assert (readings.seq, readings.head, readings.last_write, readings.queued) == (1, newest.hash, NOON, 0)


VICTIM = """
import sys
from pathlib import Path
from tests.telemetry.audit_samples import call
from sidecar.clock import SystemClock
from sidecar.telemetry.audit import AuditLog
from sidecar.telemetry.logs import configure

configure("error", "json")
log = AuditLog(Path(sys.argv[1]), bot="bot", retention_days=30, clock=SystemClock())
log.open()
number = 0
while True:
    if log.readings().queued < 5000:
        log.put(call(id=str(number)))
        number += 1
    if number == 3000:
        print("going", flush=True)
"""


def test_a_killed_writer_leaves_a_log_that_the_next_one_carries_on(tmp_path: Path, clock: VirtualClock) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", VICTIM, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as victim:  # noqa: S603 - our own words
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"going\n"
        eventually(lambda: any(file.stat().st_size > 1_000_000 for file in tmp_path.glob("audit-*.jsonl")))
        victim.send_signal(signal.SIGKILL)
    log = AuditLog(tmp_path, bot="bot", retention_days=30, clock=clock)
    log.open()
    log.put(call(id="after"))
    log.close(TIMEOUT)
    assert verify(tmp_path).ok
    ids = [entry.fields["correlation_id"] for entry in query(tmp_path) if entry.fields["event"] == "order_placed"]
    assert ids == [*(str(number) for number in range(len(ids) - 1)), "after"]


def test_lines_hold_no_secret_even_when_an_event_does(tmp_path: Path, log: AuditLog) -> None:
    log.put(call(request=(("signature", "hunter2"), ("note", "x&apiKey=hunter2")), response=(("msg", "ok"),)))
    log.close(TIMEOUT)
    assert "hunter2" not in "".join(entry.raw for entry in query(tmp_path))
    assert json.loads(next(query(tmp_path)).raw)["response"] == {"msg": "ok"}
