"""Whoever asks for an operation is told of it in time."""

from pathlib import Path

import pytest

from sidecar.orders.operations.inquiries import Told
from sidecar.words import OperationState
from tests.orders.operations.floor import BRACKET, Floor


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def test_a_wait_ends_though_its_timer_fires_a_little_early(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    later = floor.clock.call_later
    monkeypatch.setattr(floor.clock, "call_later", lambda seconds, then: later(seconds - 1e-9, then))
    began = floor.clock.monotonic()

    async def life() -> Told:
        return await floor.engine.wait((await floor.ask(BRACKET)).id, 1000, final=True)

    assert floor.live(life).operation.state is OperationState.IN_PROGRESS
    assert floor.clock.monotonic() - began == pytest.approx(1000, abs=10)
