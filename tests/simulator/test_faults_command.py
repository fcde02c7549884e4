"""What `sidecar simulate` runs."""

import asyncio
import re

import aiohttp
import pytest

from sidecar.simulator import Fault, FaultKind, simulate


async def test_a_simulator_tells_its_url_and_serves_until_cancelled(capsys: pytest.CaptureFixture[str]) -> None:
    faults = [Fault(FaultKind.HTML)]
    serving = asyncio.create_task(simulate("binance", host="127.0.0.1", port=0, seed=1, faults=faults))
    printed = ""
    while not (found := re.search(r"binance simulator: (\S+)", printed)):
        await asyncio.sleep(0)
        printed += capsys.readouterr().out
    async with aiohttp.ClientSession() as session:
        statuses = []
        for _ in range(2):
            async with session.get(f"{found[1]}/fapi/v1/ping") as response:
                statuses.append(response.status)
    assert statuses == [502, 200]
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_a_broker_that_nobody_simulates_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ValueError, match="oanda, projectx, openalgo"):
        await simulate("kraken", host="127.0.0.1", port=0, seed=1)
