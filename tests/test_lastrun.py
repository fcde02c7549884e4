"""What a start tells of how the run before it ended."""

import asyncio
import shutil
from pathlib import Path

import pytest

from sidecar.api import Api
from sidecar.api.errors import ApiError
from tests.lives import config, last_runs, lived, opened


def test_a_kill_right_after_the_sockets_are_open_is_told_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"

    async def killed(_: Api) -> None:
        shutil.copy(tmp_path / "state.db", copy)
        shutil.copy(tmp_path / "state.db-wal", f"{copy}-wal")

    monkeypatch.setattr(Api, "start", killed)
    lived(config(tmp_path))
    monkeypatch.undo()
    assert [event.clean for event in last_runs(config(tmp_path, state={"path": copy}))] == [False]


def test_a_start_that_comes_to_nothing_is_no_run_and_what_was_left_before_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(_: Api) -> None:
        raise ApiError("the port is in use")

    last_runs(config(tmp_path, stop={"close_positions": ["binance"], "budget_seconds": 3}))
    monkeypatch.setattr(Api, "start", refuses)
    with pytest.raises(ApiError):
        asyncio.run(opened(config(tmp_path), []))
    monkeypatch.undo()
    (told,) = last_runs(config(tmp_path))
    assert (told.clean, len(told.left) > 0) == (True, True)
    assert last_runs(config(tmp_path)) == []


def test_a_position_that_a_stop_could_not_close_is_told_at_the_next_start(tmp_path: Path) -> None:
    settings = config(tmp_path, stop={"close_positions": ["binance"], "budget_seconds": 3})
    assert last_runs(settings) == []
    (told,) = last_runs(settings)
    assert "position not closed: what is held at binance: it does not say" in told.left
