"""Why an order is not taken, or cannot be taken back."""


class OrderError(Exception):
    """The root of this room's errors; never raised itself. Its message is a sentence for who sent the order."""

    reason = ""
    """The label of the metric of refusals; empty where nothing was refused."""


class QueueFullError(OrderError):
    """Raised when too many orders wait already; nothing was kept of this one."""

    reason = "full"


class UnrecordedError(OrderError):
    """Raised when the disk did not take the order; nothing was kept of it."""

    reason = "disk"


class DoubtfullyRecordedError(OrderError):
    """Raised when it is not known whether the disk took the order: asking for its client id tells."""

    reason = "disk"


class ConflictError(OrderError):
    """Raised when the client id belongs to another order."""

    reason = "conflict"


class UnsupportedError(OrderError):
    """Raised when this broker cannot take such an order, or when the sidecar may not sign it."""

    reason = "unsupported"


class UnnumberedError(OrderError):
    """Raised when a broker cancels by its own id alone, and what it calls the order is not known yet."""

    reason = "unsupported"


class StoppingError(OrderError):
    """Raised when the sidecar is about to end; nothing was kept of the order."""

    reason = "stopping"


class UnknownOrderError(OrderError):
    """Raised when no such order is known, or none any more."""


class EndedError(OrderError):
    """Raised when an order that is to be cancelled has ended already."""
