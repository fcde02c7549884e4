"""Looks at a broker when a look is due: rarely while it is well and idle, patiently while it is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sidecar.health.condition import Condition

SHORTEST_SECONDS: Final = 0.5
"""Between two looks, whatever the schedule says: a probe that somebody else holds, or that a shut gate kept from being
sent, is due all the time."""


class Prober:
    """Probes one broker. `look` makes one cheap read and tells nothing: the condition hears of it like of any call."""

    def __init__(self, condition: Condition, look: Callable[[], Awaitable[object]]) -> None:
        self._condition = condition
        self._look = look
        self._changed = asyncio.Event()
        condition.on_schedule = self._changed.set

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            await self._wait()
            if (entry := self._condition.take_probe()) is not None:
                try:
                    await self._look()
                finally:
                    self._condition.drop(entry)  # in case nothing came of it

    async def _wait(self) -> None:
        """Until a probe is due. The schedule may change meanwhile: a broker that goes down is looked at sooner."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(max(SHORTEST_SECONDS, self._condition.probe_in())):
                    await self._changed.wait()
            except TimeoutError:
                return
