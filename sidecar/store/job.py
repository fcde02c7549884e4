"""One piece of work on its way through a worker's thread and back."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Job(Generic[T]):
    """A work, who waits for it, and what became of it."""

    __slots__ = ("_result", "error", "future", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], T], future: asyncio.Future[T] | None) -> None:
        self.work = work
        self.future = future
        """None when nobody waits."""
        self.error: BaseException | None = None
        self._result: T

    def run(self, connection: sqlite3.Connection) -> None:
        """Do the work; its exception is the caller's of this method. A second run forgets the first."""
        self.error = None
        self._result = self.work(connection)

    def settle(self) -> None:
        """Tell who waits; on the event loop. A waiter who was cancelled meanwhile is told nothing."""
        if self.future is None or self.future.done():
            return
        if self.error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(_raisable(self.error))


def _raisable(error: BaseException) -> BaseException:
    if not isinstance(error, StopIteration):
        return error
    # A future cannot carry it; `next()` on an empty cursor raises it.
    wrapped = RuntimeError("the work raised StopIteration")
    wrapped.__cause__ = error
    return wrapped
