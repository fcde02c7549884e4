"""What goes on beside the calls ends when it is told to, and never silently."""

import asyncio

import pytest
import structlog

from sidecar.background import Background
from sidecar.clock import VirtualClock


def test_all_of_it_ends_when_it_is_told_to() -> None:
    clock, ended = VirtualClock(), []

    async def watch(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async def life() -> None:
        background = Background()
        background.begin({"probe": watch("probe")})
        background.begin({"pulse": watch("pulse")})
        await clock.sleep(1)
        assert ended == []
        background.cancel()
        await background.ended()

    clock.run(life())
    assert ended == ["probe", "pulse"]


@pytest.mark.parametrize("told", [True, False])
def test_what_breaks_off_is_told_by_name_and_what_was_told_to_end_is_not(*, told: bool) -> None:
    clock = VirtualClock()

    async def watch() -> None:
        if told:
            raise KeyError("a secret")
        await asyncio.Event().wait()

    async def life() -> None:
        background = Background()
        background.begin({"fills of binance": watch()})
        await clock.sleep(1)
        background.cancel()
        await background.ended()

    with structlog.testing.capture_logs() as logs:
        clock.run(life())
    assert [(line["what"], line["kind"]) for line in logs] == ([("fills of binance", "KeyError")] if told else [])
    assert "a secret" not in str(logs)
