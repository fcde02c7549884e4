import gzip
import json
import os
from datetime import date
from pathlib import Path

import pytest

from sidecar.clock import VirtualClock
from sidecar.telemetry.audit import AuditLockedError, Fault, Report, verify
from sidecar.telemetry.audit.files import plain_path, read_head, zipped_path
from sidecar.telemetry.audit.journal import Journal
from tests.telemetry.audit_samples import DAY, NOON, finish, journal, write

TODAY = "audit-2026-11-22.jsonl"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("audit-*"))


def events(directory: Path, file: str) -> list[str]:
    return [json.loads(line)["event"] for line in (directory / file).read_bytes().splitlines()]


def last_line(directory: Path, file: str = TODAY) -> dict[str, object]:
    line: dict[str, object] = json.loads((directory / file).read_bytes().splitlines()[-1])
    return line


def fault(report: Report) -> Fault | None:
    return report.problem.fault if report.problem else None


# Days


def test_each_utc_day_has_its_file_and_finished_ones_are_compressed(tmp_path: Path) -> None:
    clock = VirtualClock(NOON)
    log = journal(tmp_path, clock)
    for _ in range(3):
        write(log, 4, clock.now())
        clock.advance(DAY)
    finish(log)
    assert names(tmp_path) == ["audit-2026-11-22.jsonl.gz", "audit-2026-11-23.jsonl.gz", "audit-2026-11-24.jsonl"]
    log.close()
    assert verify(tmp_path).lines == 12


def test_the_day_ends_at_midnight_utc(tmp_path: Path) -> None:
    log = journal(tmp_path)
    write(log, 1, NOON + DAY / 2 - 1)
    write(log, 1, NOON + DAY / 2)
    assert names(tmp_path) == ["audit-2026-11-22.jsonl", "audit-2026-11-23.jsonl"]
    log.close()


def test_a_clock_that_was_set_back_does_not_reopen_a_finished_day(tmp_path: Path) -> None:
    log = journal(tmp_path)
    write(log, 1, NOON + DAY)
    write(log, 1, NOON)
    finish(log)
    log.close()
    again = journal(tmp_path, VirtualClock(NOON - 5 * DAY))
    write(again, 1, NOON - 5 * DAY)
    again.close()
    assert names(tmp_path) == ["audit-2026-11-23.jsonl"]
    assert verify(tmp_path).lines == 3


def test_old_files_are_removed_and_the_chain_still_closes(tmp_path: Path) -> None:
    clock = VirtualClock(NOON)
    log = journal(tmp_path, clock, retention_days=3)
    for _ in range(10):
        write(log, 2, clock.now())
        finish(log)
        clock.advance(DAY)
    log.close()
    assert names(tmp_path) == [
        "audit-2026-11-28.jsonl.gz",
        "audit-2026-11-29.jsonl.gz",
        "audit-2026-11-30.jsonl.gz",
        "audit-2026-12-01.jsonl",
    ]
    assert verify(tmp_path).ok


def test_a_removal_names_the_file_and_its_last_line(tmp_path: Path) -> None:
    first = journal(tmp_path)
    write(first, 3)
    end = first.link
    first.close()
    later = journal(tmp_path, VirtualClock(NOON + 40 * DAY))
    finish(later)
    later.close()
    line = last_line(tmp_path, "audit-2027-01-01.jsonl")
    assert (line["event"], line["file"], line["last_seq"], line["last_hash"]) == (
        "audit_file_removed",
        TODAY,
        3,
        end.hash,
    )
    assert verify(tmp_path).ok


def test_a_crash_between_the_removal_line_and_the_removal_is_made_good(tmp_path: Path) -> None:
    clock = VirtualClock(NOON)
    log = journal(tmp_path, clock, retention_days=1)
    for _ in range(4):
        write(log, 2, clock.now())
        clock.advance(DAY)
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("audit-*")}
    finish(log)
    log.close()
    for name, content in kept.items():
        if not (tmp_path / name).exists() and not (tmp_path / f"{name}.gz").exists():
            (tmp_path / name).write_bytes(content)
    assert verify(tmp_path).ok
    again = journal(tmp_path, clock, retention_days=1)
    write(again, 1, clock.now())
    finish(again)
    again.close()
    assert len(names(tmp_path)) == 2
    assert verify(tmp_path).ok


def test_a_file_that_is_removed_by_hand_is_not_covered_by_retention(tmp_path: Path) -> None:
    clock = VirtualClock(NOON)
    log = journal(tmp_path, clock, retention_days=3)
    for _ in range(6):
        write(log, 2, clock.now())
        finish(log)
        clock.advance(DAY)
    log.close()
    (tmp_path / names(tmp_path)[0]).unlink()
    assert fault(verify(tmp_path)) is Fault.REMOVED


def two_days(directory: Path) -> Journal:
    log = journal(directory)
    write(log, 3, NOON)
    write(log, 3, NOON + DAY)
    return log


def test_an_abandoned_compression_leaves_the_plain_file_and_is_done_at_the_next_start(tmp_path: Path) -> None:
    log = two_days(tmp_path)
    log.tidy()
    log.close()
    assert TODAY in names(tmp_path)
    assert TODAY + ".gz" not in names(tmp_path)
    again = journal(tmp_path, VirtualClock(NOON + DAY))
    finish(again)
    again.close()
    assert names(tmp_path) == [TODAY + ".gz", "audit-2026-11-23.jsonl"]
    assert verify(tmp_path).ok


def test_a_crash_between_the_two_forms_of_a_day_is_mended(tmp_path: Path) -> None:
    log = two_days(tmp_path)
    plain = (tmp_path / TODAY).read_bytes()
    finish(log)
    log.close()
    (tmp_path / TODAY).write_bytes(plain)
    again = journal(tmp_path, VirtualClock(NOON + DAY))
    finish(again)
    again.close()
    assert names(tmp_path) == [TODAY + ".gz", "audit-2026-11-23.jsonl"]
    assert gzip.decompress((tmp_path / (TODAY + ".gz")).read_bytes()) == plain


# Starting after whatever happened


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    for _ in range(3):
        log = journal(tmp_path)
        write(log, 2)
        log.close()
    assert events(tmp_path, TODAY) == ["order_placed"] * 6
    assert verify(tmp_path).lines == 6


@pytest.mark.parametrize("cut", [1, 2, 40, 80, 150])
def test_a_torn_last_line_is_cut_and_told(tmp_path: Path, cut: int) -> None:
    log = journal(tmp_path)
    write(log, 3)
    log.sync()
    synced = read_head(tmp_path)
    write(log, 1)
    log.close()
    content = (tmp_path / TODAY).read_bytes()
    torn = len(content.splitlines(keepends=True)[-1]) - cut
    (tmp_path / TODAY).write_bytes(content[:-cut])
    assert synced is not None
    # The head lags the log, as it does when a process is killed.
    (tmp_path / "audit.head").write_text(json.dumps({"seq": synced.seq, "hash": synced.hash}))
    assert fault(verify(tmp_path)) is Fault.TORN
    journal(tmp_path).close()
    assert (last_line(tmp_path)["event"], last_line(tmp_path)["bytes_cut"]) == ("audit_recovered", torn)
    assert verify(tmp_path).ok


def test_a_tail_that_was_cut_off_stays_visible_after_the_next_start(tmp_path: Path) -> None:
    log = journal(tmp_path)
    write(log, 5)
    log.close()
    lines = (tmp_path / TODAY).read_bytes().splitlines(keepends=True)
    (tmp_path / TODAY).write_bytes(b"".join(lines[:3]))
    again = journal(tmp_path)
    again.close()
    assert not again.whole
    problem = verify(tmp_path).problem
    assert problem is not None
    assert (problem.fault, problem.line) == (Fault.REMOVED, 4)
    assert "lines 4 to 5 are missing" in problem.message


def test_a_log_that_was_removed_wholly_stays_visible_after_the_next_start(tmp_path: Path) -> None:
    log = journal(tmp_path)
    write(log, 5)
    log.close()
    (tmp_path / TODAY).unlink()
    journal(tmp_path).close()
    assert fault(verify(tmp_path)) is Fault.REMOVED


def test_an_altered_last_line_stays_visible_after_the_next_start(tmp_path: Path) -> None:
    log = journal(tmp_path)
    write(log, 5)
    log.close()
    file = tmp_path / TODAY
    file.write_bytes(file.read_bytes().replace(b'"number":4', b'"number":5'))
    journal(tmp_path).close()
    problem = verify(tmp_path).problem
    assert problem is not None
    assert (problem.fault, problem.line) == (Fault.ALTERED, 5)


def test_a_missing_head_is_told_and_made_anew(tmp_path: Path) -> None:
    log = journal(tmp_path)
    write(log, 2)
    log.close()
    (tmp_path / "audit.head").unlink()
    journal(tmp_path).close()
    assert "audit.head is missing" in str(last_line(tmp_path)["problem"])
    assert verify(tmp_path).ok


def test_the_head_never_leads_the_log(tmp_path: Path) -> None:
    log = journal(tmp_path)
    write(log, 2)
    before = read_head(tmp_path)
    log.sync()
    after = read_head(tmp_path)
    log.close()
    assert before is not None
    assert (before.seq, after) == (0, log.link)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    log = journal(tmp_path)
    with pytest.raises(AuditLockedError, match="another sidecar"):
        journal(tmp_path)
    log.close()
    journal(tmp_path).close()


# A disk that fails


def test_a_write_that_fails_halfway_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = journal(tmp_path)
    write(log, 2)

    def half(descriptor: int, data: memoryview) -> int:
        if len(data) < 300:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: len(data) // 2])

    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space"):
            write(log, 5)
    assert log.link.seq == 2
    write(log, 1)
    log.close()
    assert verify(tmp_path).lines == 3


def test_names_of_days_are_iso_dates(tmp_path: Path) -> None:
    assert plain_path(tmp_path, date(2026, 1, 2)).name == "audit-2026-01-02.jsonl"
    assert zipped_path(tmp_path, date(2026, 1, 2)).name == "audit-2026-01-02.jsonl.gz"
