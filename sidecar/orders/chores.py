"""Work that nobody waits for: it is kept until it ends, and the log tells when it fails."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from sidecar.orders.errors import OrderError

T = TypeVar("T")

_log = logging.getLogger("sidecar.orders")


class Chores:
    """The chores of one queue."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Do some work in a task of its own; whoever waits for that as well shields it from being cancelled."""
        chore = asyncio.create_task(work)
        self._tasks.add(chore)
        chore.add_done_callback(self._done)
        return chore

    async def finish(self, seconds: float) -> None:
        """Return when all have ended; after `seconds`, cut short those that have not."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for chore in self._tasks:
            chore.cancel()

    def _done(self, chore: "asyncio.Task[Any]") -> None:
        self._tasks.discard(chore)
        failure = None if chore.cancelled() else chore.exception()
        # An OrderError is the answer to who handed the order in.
        if failure is not None and not isinstance(failure, OrderError):
            _log.error("a chore of the order queue failed: %s", type(failure).__name__)
