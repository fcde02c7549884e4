"""The audit log as the sidecar uses it: events in, lines on the disk, off the event loop.

The handler only puts the event into a queue, which costs well under a microsecond. A thread does the rest: it gathers
for a moment, describes, seals and writes, syncs at most once a second, and uses quiet moments for old files.
"""

import queue
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from pathlib import Path

import structlog

from sidecar.clock import Clock
from sidecar.telemetry.audit.errors import AuditUnusableError
from sidecar.telemetry.audit.files import day_of
from sidecar.telemetry.audit.journal import Journal
from sidecar.telemetry.audit.lines import DROPPED, EVENT_TYPES, Line, lines_of, wanted
from sidecar.telemetry.events import Bus, CallFinished, Event

QUEUE_LIMIT = 100_000
"""Events that wait in memory while the disk does not take them."""
BATCH = 32
"""Events in one write: small enough that the event loop never waits long for the interpreter."""
GATHER_SECONDS = 0.02
YIELD_SECONDS = 0.0002
SYNC_SECONDS = 1.0
IDLE_SECONDS = 30.0
RETRY_SECONDS = 1.0

_log = structlog.get_logger("sidecar.audit")


@dataclass(frozen=True, slots=True)
class AuditReadings:
    """The audit log now."""

    written: int
    """Lines written since the start."""
    dropped: int
    """Events lost because the queue was full."""
    failures: int
    """Failed attempts to write; their lines stay in the queue."""
    queued: int
    """Events that wait to be written."""
    last_write: float | None
    """Unix seconds; None before the first."""
    chain_ok: bool
    """Whether the log was found whole when it was opened, and every event could be written down since."""
    seq: int
    """Number of the newest line."""
    head: str
    """Its hash: kept elsewhere, it proves later that the files were not written anew."""


class AuditLog:
    """Writes down what must be provable later.

    Real time paces the thread; the injected clock tells the time of each line and the day of each file.
    """

    def __init__(self, directory: Path, *, bot: str, retention_days: int, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._journal = Journal(directory, bot=bot, retention_days=retention_days, clock=clock)
        self._queue: queue.SimpleQueue[tuple[float, Event] | None] = queue.SimpleQueue()
        self._pending: deque[tuple[float, Event]] = deque()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._give_up_at = float("inf")
        self._written = self._dropped = self._dropped_told = self._failures = self._undescribed = 0
        self._last_write: float | None = None
        self._next_sync = 0.0
        self._failing = self._overflowing = self._unsynced = self._chores_left = False

    def open(self) -> None:
        """Find the end of the chain and start to write.

        Raises AuditLockedError when another process writes there, AuditUnusableError when the directory is not usable.
        """
        try:
            self._journal.open()
        except OSError as failure:
            raise AuditUnusableError(
                f"{self._directory}: the audit log cannot be written there: {failure.strerror}; "
                "check that the directory is writable and has space, or change audit.directory"
            ) from failure
        self._chores_left = True
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def subscribe(self, bus: Bus) -> None:
        """Write down what the bus tells from now on."""
        bus.subscribe(CallFinished, self._call)
        for kind in EVENT_TYPES:
            bus.subscribe(kind, self.put)

    def put(self, event: Event) -> None:
        """Take an event; never blocks. Counts it as dropped when the queue is full."""
        if self._queue.qsize() >= QUEUE_LIMIT:
            self._overflow()
            return
        self._queue.put((self._clock.now(), event))

    def close(self, timeout: float) -> None:
        """Write what is queued and stop; waits at most `timeout` seconds and tells loudly what was lost then."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._give_up_at = time.monotonic() + timeout
        self._stopping.set()
        self._queue.put(None)
        thread.join(timeout + RETRY_SECONDS)
        while not self._queue.empty():
            self._take(block=False)
        if self._pending:
            lost = len(self._pending)
            _log.error("Audit lines lost at the stop: the disk did not take them", events=lost, seconds=timeout)

    def readings(self) -> AuditReadings:
        """The state now; cheap enough for every scrape."""
        link = self._journal.link
        return AuditReadings(
            written=self._written,
            dropped=self._dropped,
            failures=self._failures,
            queued=self._queue.qsize() + len(self._pending),
            last_write=self._last_write,
            chain_ok=self._journal.whole and not self._undescribed,
            seq=link.seq,
            head=link.hash,
        )

    def _call(self, call: CallFinished) -> None:
        if wanted(call):
            self.put(call)

    def _overflow(self) -> None:
        self._dropped += 1
        if not self._overflowing:
            self._overflowing = True
            _log.error("Audit queue full: events are being lost", limit=QUEUE_LIMIT, directory=str(self._directory))

    def _run(self) -> None:
        while not self._finished():
            try:
                self._gather()
                self._write()
                self._tell_dropped()
                self._sync()
                self._tidy()
                self._worked()
            except OSError as failure:
                self._failed(failure)
        self._release()

    def _finished(self) -> bool:
        if not self._stopping.is_set():
            return False
        return time.monotonic() >= self._give_up_at or (not self._pending and self._queue.empty())

    def _gather(self) -> None:
        """Wait for something to do, and take at most one batch of it."""
        if not self._pending:
            self._take(block=True)
            if self._pending and self._queue.qsize() < BATCH:
                self._stopping.wait(GATHER_SECONDS)
            elif not self._stopping.is_set():
                # A backlog: give the event loop the interpreter between batches.
                time.sleep(YIELD_SECONDS)
        while len(self._pending) < BATCH and not self._queue.empty():
            self._take(block=False)

    def _take(self, *, block: bool) -> None:
        with suppress(queue.Empty):
            item = self._queue.get(block, self._patience() if block else None)
            if item is not None:
                self._pending.append(item)

    def _patience(self) -> float:
        if self._chores_left:
            return 0.0
        return max(0.0, self._next_sync - time.monotonic()) if self._unsynced else IDLE_SECONDS

    def _write(self) -> None:
        while self._pending:
            day = day_of(self._pending[0][0])
            taken = list(takewhile(lambda item: day_of(item[0]) == day, self._pending))  # noqa: B023 - used at once
            self._append(day, [line for at, event in taken for line in self._describe(at, event)])
            for _ in taken:
                self._pending.popleft()
        self._overflowing = self._overflowing and self._queue.qsize() >= QUEUE_LIMIT // 2

    def _append(self, day: date, lines: list[Line]) -> None:
        if lines:
            self._journal.append(day, lines)
            self._written += len(lines)
            self._last_write = self._clock.now()
            self._unsynced = True

    def _describe(self, at: float, event: Event) -> list[Line]:
        try:
            return list(lines_of(at, event))
        except Exception:  # noqa: BLE001 - one event that cannot be described must not keep the others from the disk
            self._undescribed += 1
            _log.exception("An event could not be written to the audit log", kind=type(event).__name__)
            return []

    def _tell_dropped(self) -> None:
        dropped = self._dropped
        if dropped > self._dropped_told:
            now = self._clock.now()
            self._append(day_of(now), [Line(now, DROPPED, {"events": dropped - self._dropped_told})])
            self._dropped_told = dropped

    def _sync(self) -> None:
        if self._unsynced and time.monotonic() >= self._next_sync:
            self._journal.sync()
            self._unsynced = False
            self._next_sync = time.monotonic() + SYNC_SECONDS

    def _tidy(self) -> None:
        if self._queue.empty() and not self._stopping.is_set():
            self._journal.turn_to(day_of(self._clock.now()))
            self._chores_left = self._journal.tidy()

    def _worked(self) -> None:
        if self._failing:
            self._failing = False
            _log.warning("Audit log is written again", failures=self._failures, queued=self._queue.qsize())

    def _failed(self, failure: OSError) -> None:
        self._failures += 1
        if not self._failing:
            self._failing = True
            _log.error(
                "Audit log cannot be written: lines are kept in memory and tried again",
                directory=str(self._directory),
                error=failure.strerror,
                limit=QUEUE_LIMIT,
            )
        # At a stop the event is set and would not pause anybody.
        time.sleep(YIELD_SECONDS) if self._stopping.is_set() else self._stopping.wait(RETRY_SECONDS)

    def _release(self) -> None:
        try:
            self._journal.close()
        except OSError as failure:
            _log.error("Audit log could not be synced at the stop", error=failure.strerror)
