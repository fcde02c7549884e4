"""The time that a stop may take, and how its phases share it."""

import asyncio
from collections.abc import Awaitable
from typing import Final

from sidecar.clock import Clock

USUAL_SECONDS: Final = 9.0
"""A pod has ten seconds by common habit, and thirty by default. What is kept for later phases is reckoned for this."""
HURRIED_SECONDS: Final = 2.0
"""What calls in flight still get after a second signal: enough for most answers, since a call that is cut short leaves
an order in doubt."""
SHORTEST_SECONDS: Final = 0.05


class Budget:
    """How long each phase of a stop may take, so that the last one still has its time.

    `left` gathers, for people and for the next start, what could not be done.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        """`seconds`: for everything, above 0."""
        self._clock = clock
        self._ends = clock.monotonic() + seconds
        self._scale = min(1.0, seconds / USUAL_SECONDS)
        self._phase: tuple[asyncio.Timeout, float] | None = None
        self.left: list[str] = []

    def seconds(self, kept: float) -> float:
        """What a phase may take when later ones need `kept` of the usual budget; never 0, so that each gets to run."""
        return max(SHORTEST_SECONDS, self._ends - kept * self._scale - self._clock.monotonic())

    def hurry(self, kept: float) -> None:
        """Bring the end forward: the phase that goes on gets `HURRIED_SECONDS` at most, later ones what is `kept`."""
        sooner = self._clock.monotonic() + (HURRIED_SECONDS + kept) * self._scale
        self._ends = min(self._ends, sooner)
        if self._phase is not None and not self._phase[0].expired():
            phase, kept = self._phase
            phase.reschedule(asyncio.get_running_loop().time() + self.seconds(kept))

    async def phase(self, what: str, work: Awaitable[object], *, kept: float) -> None:
        """Do a phase's work, as far as its time goes; `what` is told of it if that is not far enough."""
        try:
            async with asyncio.timeout(self.seconds(kept)) as phase:
                self._phase = phase, kept
                await work
        except TimeoutError:
            self.left.append(what)
        finally:
            self._phase = None
