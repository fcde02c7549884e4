"""A simulator whose accounts have secrets of their own: `python -m tests.e2e.strangers binance|oanda|openalgo`.

The secrets come by the environment, so that no command line shows them.
"""

import asyncio
import os
import sys

from sidecar.simulator.binance import BinanceBroker, Credentials
from sidecar.simulator.control import PREFIX
from sidecar.simulator.oanda.exchange import AccountSpec
from sidecar.simulator.oanda.simulated import OandaBroker
from sidecar.simulator.openalgo import Account, OpenAlgoBroker
from sidecar.simulator.server import Broker, Simulator


def broker(name: str) -> Broker:
    if name == "oanda":
        return OandaBroker(accounts=[AccountSpec(token=os.environ["STRANGER_TOKEN"])])
    if name == "openalgo":
        return OpenAlgoBroker(accounts=[Account(os.environ["STRANGER_OPENALGO_KEY"])])
    return BinanceBroker(accounts=[Credentials(os.environ["STRANGER_KEY"], os.environ["STRANGER_SECRET"])])


async def main(name: str) -> None:
    async with Simulator(broker(name), seed=7).serving() as url:
        print(f"{name} simulator: {url}  control: {url}{PREFIX}executed", flush=True)  # noqa: T201 - its output
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
