"""What can go wrong when a call asks to be let through."""

from sidecar.words import Outcome


class LimiterError(Exception):
    """Root of this room's errors."""


class LimitRefused(LimiterError):
    """Raised when a limit or the closed gate would keep a call past its deadline, or when it can never fit."""

    def __init__(self, limit: str, outcome: Outcome, retry_after: float | None, message: str) -> None:
        super().__init__(message)
        self.limit = limit
        """The limit that is short, or `gate`."""
        self.outcome = outcome
        """`banned` while a ban holds the gate, else `rate_limited`."""
        self.retry_after = retry_after
        """Seconds after which asking again makes sense; None when it never does."""


class LimitSettingsError(LimiterError):
    """Raised when the configuration names a limit that the profile does not know, and does not describe it fully."""
