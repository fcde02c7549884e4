"""A thread that owns a connection, and the queue of works that wait for it."""

import asyncio
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from sidecar.store.errors import StoreClosedError
from sidecar.store.job import Job


class Hands(Protocol):
    """What a worker does with its jobs; every method runs on the worker's thread."""

    def open(self) -> None:
        """Get ready; may raise, and then leaves nothing open."""

    def run(self, jobs: Sequence[Job[Any]]) -> None:
        """Do the jobs; each then holds its result or its error."""

    def close(self) -> None:
        """Let go of everything; must not raise."""


class Worker:
    """Runs jobs in the order they come; all that wait when it becomes free, `most` at a time, are run together."""

    def __init__(self, name: str, hands: Hands, *, most: int) -> None:
        self._hands = hands
        self._most = most
        self._queue: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopping = False
        self._last = False

    async def start(self) -> None:
        """Start the thread and wait until its hands are ready; raises what kept them from it."""
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread.start()
        try:
            await self._opened
        except asyncio.CancelledError:
            # The thread cannot be interrupted: it finishes opening, and closes at once.
            self._stopping = True
            self._queue.put(None)
            raise

    def submit(self, job: Job[Any]) -> None:
        """Queue a job; never blocks. On the event loop only."""
        if self._stopping:
            raise StoreClosedError("the state file is closed; nothing can be written to it or read from it any more")
        self._queue.put(job)

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return self._queue.qsize()

    async def stop(self) -> None:
        """Finish what waits, and wait until the hands are closed."""
        if not self._stopping:
            self._stopping = True
            self._queue.put(None)
        await asyncio.shield(self._ended)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._hands.open()
        except BaseException as failure:  # noqa: BLE001 - it is raised where `start` is awaited
            self._tell(self._opened, failure)
        else:
            self._tell(self._opened)
            self._work()
            self._hands.close()
        self._tell(self._ended)

    def _work(self) -> None:
        while jobs := self._gather():
            try:
                self._hands.run(jobs)
            except BaseException as failure:  # noqa: BLE001 - whoever waits must hear of it, and the thread must go on
                for job in jobs:
                    job.error = failure
            self._on_loop(_settle, jobs)

    def _gather(self) -> list[Job[Any]]:
        jobs: list[Job[Any]] = []
        with suppress(queue.Empty):
            while not self._last and len(jobs) < self._most:
                job = self._queue.get(block=not jobs)
                if job is None:
                    self._last = True
                else:
                    jobs.append(job)
        return jobs

    def _tell(self, future: asyncio.Future[None], failure: BaseException | None = None) -> None:
        self._on_loop(_resolve, future, failure)

    def _on_loop(self, *call: Any) -> None:
        # The loop may be gone when nobody closed the store: the thread still finishes its work.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(*call)


def _settle(jobs: Sequence[Job[Any]]) -> None:
    for job in jobs:
        job.settle()


def _resolve(future: asyncio.Future[None], failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)
