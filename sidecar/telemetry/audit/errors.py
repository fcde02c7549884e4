"""What can go wrong with the audit log before the first line is written."""


class AuditError(Exception):
    """The root of this room's errors."""


class AuditLockedError(AuditError):
    """Raised when another process already writes to the directory: two writers would break the chain."""


class AuditUnusableError(AuditError):
    """Raised when the directory or its files cannot be read or written at the start."""
