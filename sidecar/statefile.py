"""The state file in the life of one run: opened and checked before anything happens, closed after everything has."""

from collections.abc import Sequence
from pathlib import Path

from sidecar.clock import Clock
from sidecar.health.operational import Operational
from sidecar.lastrun import LastRun
from sidecar.store import Store, StoreError
from sidecar.telemetry.events import Bus
from sidecar.telemetry.state import CheckReading
from sidecar.words import StartupCheck


class StateFile:
    """The store, what the start found of it, and what the last run left in it."""

    def __init__(self, path: Path, operational: Operational, *, bus: Bus, clock: Clock) -> None:
        self.store = Store(path)
        self._path = path
        self._operational = operational
        self._last_run = LastRun(self.store, bus, clock)

    async def open(self) -> None:
        """Open it, tell how it was found, and what the last run left. Raises StoreError."""
        known = self._path.exists()
        try:
            await self.store.open()
        except StoreError as failure:
            self._operational.checked(CheckReading(StartupCheck.STATE_FILE, passed=False, detail=str(failure)))
            raise
        detail = f"{self._path} is in order" if known else f"{self._path} was made: there was none"
        self._operational.checked(CheckReading(StartupCheck.STATE_FILE, passed=True, detail=detail))
        await self._last_run.begin()

    async def close(self, left: Sequence[str]) -> None:
        """Note that this run was stopped and what it `left` undone, and close it."""
        await self._last_run.end(left)
        await self.store.close()

    async def come_to_nothing(self) -> None:
        """Close it after a start that was no run: the next one finds what this one has found."""
        await self._last_run.come_to_nothing()
        await self.store.close()
