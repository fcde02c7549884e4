"""Whoever asks for an operation is told of it in time."""

import asyncio
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


def test_who_waits_for_an_operation_is_told_how_it_is_when_the_sidecar_stops(floor: Floor) -> None:
    async def life() -> Told:
        operation = await floor.ask(BRACKET)
        waiting = asyncio.create_task(floor.engine.wait(operation.id, 1000, final=True))
        await floor.clock.sleep(5)
        floor.engine.wind_down()
        return await waiting

    assert floor.live(life).operation.state is OperationState.IN_PROGRESS
    assert floor.clock.monotonic() < 100
