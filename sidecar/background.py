"""What goes on beside the calls, from the start to the stop."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import structlog

_log = structlog.get_logger("sidecar")


class Background:
    """Tasks that end only when they are told to."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, watches: Mapping[str, Coroutine[Any, Any, None]]) -> None:
        """Begin what is to go on, each by its name."""
        for name, watch in watches.items():
            task = asyncio.create_task(watch, name=name)
            task.add_done_callback(_tell_its_end)
            self._tasks.append(task)

    def cancel(self) -> None:
        """Tell all of them to end."""
        for task in self._tasks:
            task.cancel()

    async def ended(self) -> None:
        """Return when all have ended; only after `cancel`."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _tell_its_end(task: "asyncio.Task[None]") -> None:
    """None of them has an end of its own: one that ends so must not do it silently."""
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        _log.critical(
            "Ended inside the sidecar, and is missing until a restart",
            what=task.get_name(),
            kind=type(failure).__name__,
        )
