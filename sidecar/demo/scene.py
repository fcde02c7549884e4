"""What a chapter of the story works with."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sidecar.demo.bots.diary import Told
from sidecar.demo.chronicle import Chronicle, Happening, Record
from sidecar.demo.errors import StoryError
from sidecar.demo.promises import Promises
from sidecar.demo.simulators import Simulator

PATIENCE_SECONDS: Final = 30.0
"""How long a chapter waits for what must happen."""
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds."""

    calm: float = 8.0
    """Before the first chapter."""
    pause: float = 5.0
    """Between chapters, to read what the last one said."""
    maintenance: float = 15.0


BRISK: Final = Pace(calm=2.0, pause=0.5, maintenance=6.0)
"""For those who have seen it before."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The brokers, the sidecar's account, and what the bots say."""

    pace: Pace
    brokers: Mapping[str, Simulator]
    chronicle: Chronicle
    promises: Promises
    say: Callable[[str], None]
    looked_up: dict[str, str] = field(default_factory=dict)
    """What a bot found when it looked an order up, by client id."""

    async def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for something to happen.

        Raises:
            StoryError: when it does not happen within `PATIENCE_SECONDS`.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise StoryError(f"the story stopped: {what} did not happen within {PATIENCE_SECONDS:.0f} s")
            await asyncio.sleep(_LOOK_SECONDS)

    async def settled(self, since: Callable[[], float]) -> None:
        """Wait until the moment that `since` tells lies a second back, so that what follows from it can be seen."""
        await self.until("a quiet second", lambda: time.monotonic() > since() + 1.0)

    async def doubtful_order(self, record: Record, broker: str) -> Happening:
        """The first order of the record whose outcome is unknown, once its bot has looked it up."""

        def found() -> list[Happening]:
            return record.of("CallFinished", broker, endpoint="place_order", outcome="unknown")

        await self.until("an order in doubt", lambda: bool(found()))
        call = found()[0]
        await self.until(
            f"a look at order {call.order_id}",
            lambda: self.promises.told.get(call.order_id) in {Told.FOUND, Told.MISSING},
        )
        return call


@dataclass(frozen=True, slots=True)
class Chapter:
    """One fault, and what the sidecar makes of it."""

    title: str
    announcement: str
    """One plain sentence: what the broker is about to do."""
    play: Callable[[Scene], Awaitable[list[str]]]
    """Makes it happen; returns what the sidecar did about it."""
