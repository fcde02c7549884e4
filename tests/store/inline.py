"""A store without threads, for tests in virtual time: its works run at once, on the event loop.

A thread's answer takes real time, which a virtual clock would jump over; here nothing is ever under way.
"""

from sidecar.store import Store, StoreClosedError
from sidecar.store.job import Job
from sidecar.store.worker import Hands, Worker
from sidecar.store.writer import Writer


class InlineStore(Store):
    """The real file, the real transactions, one for each work. None waits for the disk: nobody cuts the power."""

    def _worker(self, name: str, hands: Hands, most: int) -> Worker:
        return _InlineWorker(name, hands, most=most)


class _InlineWorker(Worker):
    async def start(self) -> None:
        self._hands.open()
        if isinstance(self._hands, Writer):
            self._hands._connection.execute("PRAGMA synchronous = OFF")

    def submit(self, job: Job[object]) -> None:
        if self._stopping:
            raise StoreClosedError("the state file is closed")
        self._hands.run([job])
        job.settle()

    async def stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._hands.close()
