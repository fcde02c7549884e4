"""Looks at a broker when a look is due: rarely while it is well and idle, patiently while it is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from sidecar.health.condition import Condition

SHORTEST_SECONDS: Final = 0.5
"""Between two looks, whatever the schedule says: a probe that somebody else holds, or that a shut gate kept from being
sent, is due all the time."""


_log = logging.getLogger("sidecar.health")


class Prober:
    """Probes one broker. `look` makes one cheap read and tells nothing: the condition hears of it like of any call."""

    def __init__(self, condition: Condition, look: Callable[[], Awaitable[object]]) -> None:
        self._condition = condition
        self._look = look
        self._changed = asyncio.Event()
        self._failing = False
        condition.on_schedule = self._changed.set

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            await self._wait()
            if (entry := self._condition.take_probe()) is not None:
                try:
                    await self._looked()
                finally:
                    self._condition.drop(entry)  # in case nothing came of it

    async def _looked(self) -> None:
        """Look; a fault in here is told once until a look goes well again, and ends no later look.

        Without looks a broker that is away would stay away for good.
        """
        try:
            await self._look()
        except Exception as failure:  # noqa: BLE001 - whatever broke, the next look may go well
            if not self._failing:
                _log.error(
                    "a look at %s failed inside the sidecar (%s); it is looked at again",
                    self._condition.broker,
                    type(failure).__name__,
                )
            self._failing = True
        else:
            self._failing = False

    async def _wait(self) -> None:
        """Until a probe is due. The schedule may change meanwhile: a broker that goes down is looked at sooner."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(max(SHORTEST_SECONDS, self._condition.probe_in())):
                    await self._changed.wait()
            except TimeoutError:
                return
