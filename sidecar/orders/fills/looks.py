"""Looks at orders that something may have happened to: at once, again where nothing is seen yet, and not too often."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from sidecar.clock import Clock

AT_ONCE: Final = 8
"""Looks under way at a time."""
PAUSES: Final = (0.5, 2.0, 5.0)
"""Seconds after which an order is looked at again that was mentioned and shows no change: what a broker's stream tells
may take a moment to be seen by those who ask."""
REPEAT_SECONDS: Final = 1.0
"""The shortest time between two looks at an order that is mentioned again and again."""

_log = logging.getLogger("sidecar.orders")


class Looks:
    """The looks at one broker's orders; `look` asks the broker about one."""

    def __init__(self, look: Callable[[str], Awaitable[object]], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._mentioned: set[str] = set()
        self._changes: Counter[str] = Counter()
        """What became known of orders while they were being looked at."""

    def mention(self, order_id: str) -> None:
        """Something is said to have happened to an order."""
        self._mentioned.add(order_id)
        if order_id not in self._tasks:
            self._begin(order_id, PAUSES)

    def check(self, order_id: str) -> None:
        """Something may have happened to an order though nobody says so: one look from now on will do."""
        if order_id in self._tasks:  # a look whose answer may be on its way already
            self._mentioned.add(order_id)
        else:
            self._begin(order_id, ())

    def changed(self, order_id: str) -> None:
        """Something new became known of an order, from wherever."""
        if order_id in self._tasks:
            self._changes[order_id] += 1

    def forget(self, order_id: str) -> None:
        """An order has ended: nothing is left to be learnt."""
        self._mentioned.discard(order_id)
        if order_id in self._tasks:
            self._tasks[order_id].cancel()

    async def stop(self) -> None:
        """Stop looking."""
        self._mentioned.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, order_id: str, pauses: tuple[float, ...]) -> None:
        task = asyncio.create_task(self._learn(order_id, pauses), name=f"look at order {order_id}")
        self._tasks[order_id] = task
        task.add_done_callback(lambda _: self._ended(order_id))

    def _ended(self, order_id: str) -> None:
        del self._tasks[order_id]
        del self._changes[order_id]
        if order_id in self._mentioned:  # in the very last moment
            self._begin(order_id, PAUSES)

    async def _learn(self, order_id: str, pauses: tuple[float, ...]) -> None:
        left = list(pauses)
        while True:
            self._mentioned.discard(order_id)
            before = self._changes[order_id]
            async with self._turns:
                await self._take(order_id)
            if order_id in self._mentioned:
                left = list(PAUSES)
                await self._clock.sleep(REPEAT_SECONDS)
                continue
            if self._changes[order_id] != before:
                left = left[-1:]  # it may not be the change that was meant
            if not left:
                return
            await self._clock.sleep(left.pop(0))

    async def _take(self, order_id: str) -> None:
        try:
            await self._look(order_id)
        except Exception as failure:  # noqa: BLE001 - whatever broke: who polls will learn it
            _log.error("looking at order %s stumbled: %s", order_id, type(failure).__name__)
