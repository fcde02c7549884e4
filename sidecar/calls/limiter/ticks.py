"""What happened before what, without asking a clock: clocks tie, and step back."""


class Ticks:
    """A counter that moves at each boundary that matters; a lease remembers where it stood when it was given."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0

    def advance(self) -> int:
        """Start a new tick: leases given from here on carry at least the value returned."""
        self.now += 1
        return self.now
