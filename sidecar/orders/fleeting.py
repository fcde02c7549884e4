"""Orders at the market whose answer did not tell of their fill: the broker is asked until it has one to tell."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from sidecar.clock import Clock

_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 60.0
"""One that is still not filled waits for its market to open: asked for once a minute, it costs next to nothing."""

_log = logging.getLogger("sidecar.orders")


class Fleeting:
    """Follows orders of one broker; `look` asks for one, and tells whether it may still change."""

    def __init__(self, look: Callable[[str], Awaitable[bool]], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def take(self, order_id: str) -> None:
        """Follow an order to its end."""
        if order_id not in self._tasks:
            task = asyncio.create_task(self._follow(order_id), name=f"order at the market {order_id}")
            self._tasks[order_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(order_id, None))

    async def stop(self) -> None:
        """Ask no more; the next start goes on with it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, order_id: str) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            await self._clock.sleep(pause)
            try:
                if not await self._look(order_id):
                    return
            except Exception as failure:  # noqa: BLE001 - whatever broke: it is asked for again
                _log.error("looking at order %s stumbled: %s", order_id, type(failure).__name__)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
