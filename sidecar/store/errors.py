"""What can go wrong with the state file."""


class StoreError(Exception):
    """The root of this room's errors; never raised itself."""


class StoreUnusableError(StoreError):
    """Raised when the state file cannot be created, opened or read as things are: a folder, a right, a wrong file."""


class StoreLockedError(StoreError):
    """Raised when another process already runs on the state file: two would send the same order twice."""


class StoreCorruptError(StoreError):
    """Raised when the state file is damaged or no database at all; it is left as it was found."""


class StoreNewerError(StoreError):
    """Raised when a newer sidecar has written the state file, in a form that this one does not know."""


class StoreMigrationError(StoreError):
    """Raised when migrations are misnumbered, or when one fails; the file is then as it was before that one."""


class StoreFullError(StoreError):
    """Raised when the disk does not take a write, because it is full or because it fails: nothing was written."""


class StoreBusyError(StoreError):
    """Raised when another program holds the state file's own lock for too long: nothing was written."""


class StoreGoneError(StoreError):
    """Raised when the state file was removed or replaced while in use: a restart would not find what is written."""


class StoreClosedError(StoreError):
    """Raised when the store is used before it is open or after it was closed."""
