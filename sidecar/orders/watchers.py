"""Waiting for something to change that is known by an id: an order, or an operation."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sidecar.clock import Clock

_SHORTEST_SECONDS: Final = 0.001
"""A timer may fire a little early: who then asks for the rest does not ask a thousand times."""


class Watch:
    """Hears of the changes of one thing, those that came while nobody waited as well."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = asyncio.Event()

    def tell(self) -> None:
        """It has changed."""
        self._changed.set()

    def clear(self) -> None:
        """Forget the changes until now: whoever looks after this sees them."""
        self._changed.clear()

    async def heard(self, seconds: float | None = None) -> None:
        """Return after a change since `clear`, or after `seconds`, if they are given."""
        timer = None
        if seconds is not None:
            timer = self._clock.call_later(max(_SHORTEST_SECONDS, seconds), self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()


class Watchers:
    """All who wait, by the id of what they wait for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watches: dict[str, set[Watch]] = {}

    def __len__(self) -> int:
        return len(self._watches)

    @contextmanager
    def watch(self, name: str) -> Iterator[Watch]:
        """Hear of the changes of one thing while this is entered."""
        watch = Watch(self._clock)
        self._watches.setdefault(name, set()).add(watch)
        try:
            yield watch
        finally:
            self._watches[name].discard(watch)
            if not self._watches[name]:
                del self._watches[name]

    def tell(self, name: str) -> None:
        """One thing has changed."""
        for watch in self._watches.get(name, ()):
            watch.tell()

    def tell_all(self) -> None:
        """Something has changed for everybody."""
        for name in self._watches:
            self.tell(name)
