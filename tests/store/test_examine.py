"""What a start would find, told without one."""

from pathlib import Path

import pytest

from sidecar.store import StoreCorruptError, StoreNewerError, examine
from tests.store.support import note, opened


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_where_there_is_none_it_says_so_and_makes_none(tmp_path: Path) -> None:
    assert examine(tmp_path / "state.db") == "there is none yet; a start makes it"
    assert contents(tmp_path) == {}


async def test_one_that_is_whole_is_in_order_and_left_as_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.write(note("a"))
    before = contents(tmp_path)
    assert examine(tmp_path / "state.db") == "in order"
    assert contents(tmp_path) == before


async def test_one_that_a_sidecar_runs_on_is_left_alone(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db"):
        assert examine(tmp_path / "state.db").startswith("in use by a running sidecar (process ")


@pytest.mark.parametrize("left", [b"", b"state: none\n" * 1000])
async def test_a_damaged_one_is_refused(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "state.db").write_bytes(left)
    with pytest.raises(StoreCorruptError):
        examine(tmp_path / "state.db")
    assert contents(tmp_path) == {"state.db": left}


async def test_one_of_a_newer_sidecar_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db", ["SELECT 1"] * 99):
        pass
    with pytest.raises(StoreNewerError):
        examine(tmp_path / "state.db")
