"""Time behind one small protocol, so that tests can wait a day in a millisecond.

Code that waits takes a `Clock`; production hands it `SystemClock`, tests hand it `VirtualClock`, whose time passes only
when nobody has anything left to do.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Cancellable(Protocol):
    """What `call_later` returns: a promise that can be taken back."""

    def cancel(self) -> None:
        """Take the promise back; harmless when it has already been kept."""


class Clock(Protocol):
    """The three readings and two waits that the sidecar needs of time. All figures are seconds."""

    def now(self) -> float:
        """Unix time (UTC): for stamps, and for what a broker dates."""

    def monotonic(self) -> float:
        """A reading that never steps back: for durations and deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once for zero or less."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Call `callback` on the running event loop after `seconds`."""


class SystemClock:
    """The machine's time."""

    def __init__(self) -> None:
        self.now = time.time
        self.monotonic = time.monotonic

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once for zero or less."""
        await asyncio.sleep(max(0.0, seconds))

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Call `callback` on the running event loop after `seconds`."""
        return asyncio.get_running_loop().call_later(max(0.0, seconds), callback)


class VirtualClock:
    """Time that a test owns: it jumps to the next wait as soon as every task is waiting.

    `run` drives a coroutine on an event loop of its own, on which `asyncio.sleep`, time-outs and `call_later` are
    virtual as well. Real sockets make no sense there: the loop would jump over their answers.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._epoch = now
        self._elapsed = 0.0

    def now(self) -> float:
        """Unix time (UTC): the start given to the constructor plus what has passed."""
        return self._epoch + self._elapsed

    def monotonic(self) -> float:
        """Seconds passed since the clock was made."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of virtual time; at once for zero or less."""
        await asyncio.sleep(max(0.0, seconds))

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Call `callback` on the running event loop after `seconds` of virtual time."""
        return asyncio.get_running_loop().call_later(max(0.0, seconds), callback)

    def advance(self, seconds: float) -> None:
        """Let time pass by hand, for code that only reads the clock. `seconds` must not be negative."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._elapsed += seconds

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` to its end in virtual time and return its result."""
        with asyncio.Runner(loop_factory=lambda: _VirtualLoop(self)) as runner:
            return runner.run(main)


class _VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a `VirtualClock`'s."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._clock.monotonic()


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that advances the clock where the real one would have waited."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self._clock.advance(timeout)
        if not ready and timeout is None:
            # Only another thread could wake the loop: wait for it in real time.
            return super().select(None)
        return ready
