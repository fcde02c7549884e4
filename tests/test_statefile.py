"""The state file, whose check is the one that ends a start."""

import asyncio
import errno
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.config.model import Config
from sidecar.store import StoreError, writer
from sidecar.telemetry.events import SelfChecked
from tests.lives import config, lived, opened


def other_form(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


def spoilt(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "damaged": (spoilt, "damaged"),
    "written by a newer sidecar": (other_form, "a newer sidecar has written the state file (version 999"),
    "no file": (a_folder, "no regular file"),
}


async def refused(settings: Config) -> tuple[SelfChecked, str]:
    told: list[SelfChecked] = []
    with pytest.raises(StoreError) as failure:
        await opened(settings, told)
    (check,) = told
    return check, str(failure.value)


def test_a_start_tells_how_it_found_the_state_file(tmp_path: Path) -> None:
    first, second = lived(config(tmp_path)), lived(config(tmp_path))
    assert (first.check, first.passed, "was made: there was none" in first.detail) == ("state_file", True, True)
    assert (second.passed, second.detail) == (True, f"{tmp_path / 'state.db'} is in order")


@pytest.mark.parametrize("how", BAD)
def test_a_bad_state_file_fails_its_check_ends_the_start_and_is_left_as_it_is(tmp_path: Path, how: str) -> None:
    damage, words = BAD[how]
    lived(config(tmp_path))
    damage(tmp_path / "state.db")
    before = (tmp_path / "state.db").read_bytes() if (tmp_path / "state.db").is_file() else None
    check, why = asyncio.run(refused(config(tmp_path)))
    assert (check.check, check.passed, words in check.detail) == ("state_file", False, True)
    assert check.detail == why
    assert before is None or (tmp_path / "state.db").read_bytes() == before
    audited = "".join(file.read_text() for file in (tmp_path / "audit").glob("audit-*.jsonl"))
    assert '"self_checked"' in audited


def test_a_second_sidecar_on_the_same_state_file_fails_its_check(tmp_path: Path) -> None:
    async def both() -> SelfChecked:
        app = await opened(config(tmp_path), [])
        other = config(tmp_path, audit={"directory": tmp_path / "other"}, listen={"tcp": "127.0.0.1:0"})
        check, _ = await refused(other)
        await app.stop("told")
        return check

    check = asyncio.run(both())
    assert (check.passed, "another sidecar" in check.detail) == (False, True)


def test_a_folder_that_takes_no_file_fails_the_check(tmp_path: Path) -> None:
    check, _ = asyncio.run(refused(config(tmp_path, state={"path": Path("/proc/state.db")})))
    assert (check.passed, "check the folder's rights and space" in check.detail) == (False, True)


def test_a_full_disk_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(writer, "ensure", full)
    check, _ = asyncio.run(refused(config(tmp_path)))
    assert (check.passed, "No space left on device" in check.detail) == (False, True)
