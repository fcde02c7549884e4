"""What one run leaves in the state file for the next one to tell: how it ended, and what it could not do."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from sidecar.clock import Clock
from sidecar.store import Store, StoreError
from sidecar.store.facts import reading, writing
from sidecar.telemetry.events import Bus, LastRunTold, OperationalStateChanged
from sidecar.words import OperationalState

LAST_STATE: Final = "operational_state"
"""The fact in the state file."""


class LastRun:
    """The memory of how runs end. A full disk loses it, and keeps nothing from going on: the log has the same."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._found: dict[str, Any] | None = None

    async def begin(self) -> None:
        """Tell what the last run left, and note that another has begun. Raises StoreError when it cannot be read.

        That is on the disk before anybody can call, so that a kill at any moment from here on is told.
        """
        self._found = dict(await self._store.read(reading(LAST_STATE)))
        left = tuple(self._found.get("left", ()))
        clean = self._found.get("state", OperationalState.SHUTDOWN) == OperationalState.SHUTDOWN
        if left or not clean:
            self._bus.emit(LastRunTold(clean, left))
        await self._write({"state": OperationalState.STARTING})
        self._bus.subscribe(OperationalStateChanged, self._keep)

    async def end(self, left: Sequence[str]) -> None:
        """This run was stopped, and left so much undone."""
        await self._write({"state": OperationalState.SHUTDOWN, "left": list(left)})

    async def come_to_nothing(self) -> None:
        """The start was no run after all: the next one finds what this one has found."""
        if self._found is not None:
            await self._write(self._found or {"state": OperationalState.SHUTDOWN})

    async def _write(self, value: dict[str, Any]) -> None:
        with suppress(StoreError):
            await self._store.write(writing(LAST_STATE, value, self._clock.now()))

    def _keep(self, event: OperationalStateChanged) -> None:
        value = {"state": event.to_state, "reason": event.reason}
        self._store.write_nowait(writing(LAST_STATE, value, self._clock.now()))
