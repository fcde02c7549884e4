"""Why an operation is not taken, or not undone."""


class OperationError(Exception):
    """The root of this room's errors; never raised itself. Its message is a sentence for who asked."""


class RefusedError(OperationError):
    """Raised when this broker cannot carry out such an operation, or when it names orders that it may not touch."""


class TooManyError(OperationError):
    """Raised when as many operations are under way as the configuration allows; nothing was kept."""


class TwiceError(OperationError):
    """Raised when the client id belongs to another operation."""


class UnkeptError(OperationError):
    """Raised when the disk does not take the operation, because it is full or busy; nothing was kept."""


class UnwrittenError(OperationError):
    """Raised when the state file did not take the operation for certain; its client id tells whether it did."""


class ClosingError(OperationError):
    """Raised when the sidecar is about to end: nothing new was kept, and what was asked of another one perhaps not."""


class UnknownOperationError(OperationError):
    """Raised when no such operation is known, or none any more."""


class SettledError(OperationError):
    """Raised when an operation that is to be undone has ended, or is of a kind that cannot be undone."""
