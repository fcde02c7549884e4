"""A sidecar with a fault: it says that an order is written down, and does so a little later."""

import asyncio
import sys
from typing import Final

from sidecar.cli import main
from sidecar.orders.ledger import Ledger
from sidecar.orders.order import Order
from tests.torture.powercut import run_watched

LATER_SECONDS: Final = 2.0

sound_accept, sound_change = Ledger.accept, Ledger.change
_unwritten: Final = set[asyncio.Task[object]]()


async def accept(ledger: Ledger, order: Order) -> Order | None:
    async def write() -> None:
        await asyncio.sleep(LATER_SECONDS)
        await sound_accept(ledger, order)

    _later(asyncio.create_task(write()))
    return None


async def change(ledger: Ledger, order: Order) -> None:
    async def write() -> None:
        await asyncio.sleep(LATER_SECONDS)
        await sound_change(ledger, order)

    _later(asyncio.create_task(write()))


def _later(task: "asyncio.Task[None]") -> None:
    _unwritten.add(task)
    task.add_done_callback(_unwritten.discard)


if __name__ == "__main__":
    setattr(Ledger, "accept", accept)  # noqa: B010 - a method may not be assigned to in any other way
    setattr(Ledger, "change", change)  # noqa: B010
    sys.exit(run_watched(main))
