"""The permission for one attempt."""

from sidecar.calls.limiter.meter import Need


class Lease:
    """What one attempt has taken; settled exactly once, also when the attempt was never sent or was cancelled.

    `waited`: seconds that the call was made to wait for it.
    """

    __slots__ = ("marks", "needs", "open", "tick", "waited")

    def __init__(self, needs: tuple[Need, ...], tick: int, marks: list[float]) -> None:
        self.needs = needs
        self.tick = tick
        self.marks = marks
        """What had certainly been counted in each window when the attempt left."""
        self.waited = 0.0
        self.open = True
        """Whether it is still to be settled."""
