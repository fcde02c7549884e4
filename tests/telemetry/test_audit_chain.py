import gzip
import hashlib
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.clock import VirtualClock
from sidecar.telemetry.audit import Fault, verify
from sidecar.telemetry.audit.chain import START, Link, seal, unseal
from tests.telemetry.audit_samples import DAY, NOON, finish, journal, write

COUNT = 12
FILE = "audit-2026-11-22.jsonl"


@pytest.fixture(scope="module")
def whole() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as name:
        log = journal(Path(name))
        write(log, COUNT)
        log.close()
        yield (Path(name) / FILE).read_bytes() + (Path(name) / "audit.head").read_bytes()


def judged(whole: bytes, change: Callable[[list[bytes]], list[bytes]]) -> tuple[bool, Fault | None, int]:
    *lines, head = whole.splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / FILE).write_bytes(b"".join(change(lines)))
        (Path(name) / "audit.head").write_bytes(head)
        report = verify(Path(name))
    if report.problem is None:
        return report.ok, None, 0
    return report.ok, report.problem.fault, report.problem.line


def test_an_untouched_log_is_whole(whole: bytes) -> None:
    assert judged(whole, lambda lines: lines) == (True, None, 0)


@settings(max_examples=300)
@given(data=st.data())
def test_any_altered_byte_is_found(whole: bytes, data: st.DataObject) -> None:
    log = b"".join(whole.splitlines(keepends=True)[:-1])
    at = data.draw(st.integers(0, len(log) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != log[at]))
    altered = log[:at] + bytes([value]) + log[at + 1 :]
    assert not judged(whole, lambda _: [altered])[0]


@given(at=st.integers(0, COUNT - 1))
def test_any_removed_line_is_found(whole: bytes, at: int) -> None:
    ok, fault, _ = judged(whole, lambda lines: lines[:at] + lines[at + 1 :])
    assert not ok
    assert fault is (Fault.TRUNCATED if at == COUNT - 1 else Fault.REMOVED)


@given(pair=st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)).filter(lambda two: two[0] != two[1]))
def test_any_two_swapped_lines_are_found(whole: bytes, pair: tuple[int, int]) -> None:
    def swap(lines: list[bytes]) -> list[bytes]:
        lines[pair[0]], lines[pair[1]] = lines[pair[1]], lines[pair[0]]
        return lines

    ok, fault, line = judged(whole, swap)
    assert not ok
    # With the first line moved away, the new first one has nothing before it that could be found.
    assert fault is Fault.REORDERED
    assert line == (min(pair) + 1 if min(pair) else 2)


@given(at=st.integers(0, COUNT - 1), to=st.integers(0, COUNT))
def test_any_repeated_line_is_found(whole: bytes, at: int, to: int) -> None:
    assert not judged(whole, lambda lines: [*lines[:to], lines[at], *lines[to:]])[0]


@given(cut=st.integers(1, 5000))
def test_a_cut_tail_is_found(whole: bytes, cut: int) -> None:
    log = b"".join(whole.splitlines(keepends=True)[:-1])
    assert not judged(whole, lambda _: [log[: max(0, len(log) - cut)]])[0]


def test_a_chain_that_was_computed_anew_does_not_fit_the_head(whole: bytes) -> None:
    def forge(lines: list[bytes]) -> list[bytes]:
        link, forged = START, []
        for line in lines:
            fields = {
                key: value for key, value in json.loads(line).items() if key not in {"ts", "seq", "event", "prev"}
            }
            del fields["hash"]
            raw, link = seal(NOON, "order_placed", {**fields, "number": 99}, link)
            forged.append(raw)
        return forged

    assert judged(whole, forge) == (False, Fault.ALTERED, COUNT)


def test_the_hash_can_be_computed_with_other_tools(whole: bytes) -> None:
    second = json.loads(whole.splitlines()[1])
    digest = second.pop("hash")
    compact = json.dumps(second, separators=(",", ":"))
    assert hashlib.sha256((second["prev"] + compact).encode()).hexdigest() == digest


@given(
    st.dictionaries(
        st.text(max_size=5).filter(lambda name: name not in {"ts", "seq", "event", "prev", "hash"}),
        st.text(max_size=20) | st.integers() | st.none(),
    )
)
def test_what_is_sealed_can_be_read_back(fields: dict[str, object]) -> None:
    raw, link = seal(NOON, "order_placed", fields, Link(41, "ab" * 32))
    sealed = unseal(raw)
    assert sealed is not None
    assert sealed.link == link
    assert {name: sealed.fields[name] for name in fields} == fields


def several_days(directory: Path, days: int = 4) -> list[Path]:
    clock = VirtualClock(NOON)
    log = journal(directory, clock)
    for _ in range(days):
        write(log, 5, clock.now())
        clock.advance(DAY)
    finish(log)
    log.close()
    return sorted(directory.glob("audit-*"))


def test_a_log_of_several_days_is_whole_over_compressed_files(tmp_path: Path) -> None:
    files = several_days(tmp_path)
    assert [file.suffix for file in files] == [".gz", ".gz", ".gz", ".jsonl"]
    report = verify(tmp_path)
    assert (report.ok, report.lines, report.files) == (True, 20, 4)


def test_a_removed_day_is_found(tmp_path: Path) -> None:
    several_days(tmp_path)[1].unlink()
    problem = verify(tmp_path).problem
    assert problem is not None
    assert (problem.fault, problem.file, problem.line) == (Fault.REMOVED, "audit-2026-11-24.jsonl.gz", 1)


def test_a_removed_first_day_is_found(tmp_path: Path) -> None:
    several_days(tmp_path)[0].unlink()
    problem = verify(tmp_path).problem
    assert problem is not None
    assert problem.fault is Fault.REMOVED
    assert "lines 1 to 5 are missing" in problem.message


def test_a_removed_newest_day_is_found(tmp_path: Path) -> None:
    several_days(tmp_path)[-1].unlink()
    problem = verify(tmp_path).problem
    assert problem is not None
    assert problem.fault is Fault.TRUNCATED


def test_a_damaged_compressed_file_is_found(tmp_path: Path) -> None:
    damaged = several_days(tmp_path)[1]
    content = bytearray(damaged.read_bytes())
    content[random.Random(1).randrange(20, len(content) - 8)] ^= 0xFF
    damaged.write_bytes(content)
    problem = verify(tmp_path).problem
    assert problem is not None
    assert problem.file == damaged.name


def test_a_line_altered_inside_a_compressed_file_is_found(tmp_path: Path) -> None:
    file = several_days(tmp_path)[2]
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).replace(b'"number":3', b'"number":4')))
    problem = verify(tmp_path).problem
    assert problem is not None
    assert (problem.fault, problem.file, problem.line) == (Fault.ALTERED, file.name, 4)


def test_without_its_head_a_log_cannot_be_vouched_for(tmp_path: Path) -> None:
    several_days(tmp_path)
    (tmp_path / "audit.head").unlink()
    problem = verify(tmp_path).problem
    assert problem is not None
    assert "audit.head is missing" in problem.message


def test_an_empty_directory_is_whole(tmp_path: Path) -> None:
    assert verify(tmp_path).ok


def test_a_day_that_exists_in_both_forms_is_read_once(tmp_path: Path) -> None:
    first = several_days(tmp_path)[0]
    (tmp_path / first.stem).write_bytes(gzip.decompress(first.read_bytes()))
    assert verify(tmp_path).ok


def test_the_file_of_a_running_writer_may_end_in_the_middle_of_a_line(tmp_path: Path) -> None:
    log = journal(tmp_path)
    write(log, 3)
    log.sync()
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"ts":"2026')
    beside = verify(tmp_path)
    log.close()
    after = verify(tmp_path).problem
    assert beside.ok
    assert after is not None
    assert after.fault is Fault.TORN


def test_a_copy_of_the_directory_is_as_whole_as_the_original(tmp_path: Path) -> None:
    several_days(tmp_path / "log")
    shutil.copytree(tmp_path / "log", tmp_path / "copy")
    assert verify(tmp_path / "copy").ok
