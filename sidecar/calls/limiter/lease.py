"""The permission for one attempt."""

from sidecar.calls.limiter.meter import Need


class Lease:
    """What one attempt has taken; settled exactly once, also when the attempt was never sent or was cancelled.

    `waited`: seconds that the call was made to wait for it.
    """

    __slots__ = ("_open", "marks", "needs", "tick", "waited")

    def __init__(self, needs: tuple[Need, ...], tick: int, marks: tuple[float, ...]) -> None:
        self.needs = needs
        self.tick = tick
        self.marks = marks
        """What had certainly been counted in each window with a header when the attempt left."""
        self.waited = 0.0
        self._open = True

    def close(self) -> bool:
        """Whether this is the first time that it is handed back."""
        first, self._open = self._open, False
        return first
