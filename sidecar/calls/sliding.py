"""Counting over a sliding window, without keeping a list of what was counted."""

from typing import Final

SLICES: Final = 10
"""A window is cut into this many slices; it forgets one slice at a time."""


class SlidingCounts:
    """Several sums over the last `seconds`, exact to a tenth of the window.

    What is older than the window is never in the sums; of the window's oldest tenth, some may already be missing.
    """

    __slots__ = ("_slice", "_slices", "_sums", "_width")

    def __init__(self, kinds: int, seconds: float) -> None:
        self._width = seconds / SLICES
        self._sums = [0.0] * kinds
        self._slices: list[list[float]] = [[0.0] * kinds for _ in range(SLICES)]
        self._slice = 0

    def add(self, now: float, kind: int, amount: float = 1.0) -> None:
        """Count `amount` of a kind (its index) at monotonic time `now`."""
        self._roll(now)
        self._slices[self._slice % SLICES][kind] += amount
        self._sums[kind] += amount

    def sum(self, now: float, kind: int) -> float:
        """What was counted of a kind in the window that ends at `now`."""
        self._roll(now)
        return self._sums[kind]

    def clear(self) -> None:
        """Forget everything."""
        for counts in (self._sums, *self._slices):
            counts[:] = [0.0] * len(counts)

    def _roll(self, now: float) -> None:
        current = int(now / self._width)
        if current <= self._slice:
            return
        for number in range(max(self._slice + 1, current - SLICES + 1), current + 1):
            expired = self._slices[number % SLICES]
            for kind, amount in enumerate(expired):
                self._sums[kind] -= amount
                expired[kind] = 0.0
        self._slice = current
