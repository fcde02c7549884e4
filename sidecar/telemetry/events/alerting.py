"""What people are told of."""

from dataclasses import dataclass

from sidecar.words import Severity


@dataclass(frozen=True, slots=True)
class ErrorRaised:
    """Something went wrong that the error registry keeps; once more, when it was there already."""

    id: str
    broker: str
    """Empty when it is the sidecar's own."""
    error_type: str
    """Closed set: `sidecar.alerting.types.ErrorType`."""
    severity: Severity
    count: int
    """How often it has happened since it began."""


@dataclass(frozen=True, slots=True)
class ErrorResolved:
    """An error is over."""

    id: str
    broker: str
    error_type: str
    severity: Severity
    count: int
    seconds: float
    """How long it lasted."""
    reason: str
    """Closed set: `over`, `quiet`, `manual`."""
    note: str = ""
    """What a person gave as the reason."""


@dataclass(frozen=True, slots=True)
class NotificationSent:
    """A channel was told of errors, or was not."""

    channel: str
    severity: Severity
    """The worst of them."""
    result: str
    """One of `NOTIFICATION_RESULTS`."""
    detail: str = ""
    """Why it failed, without what is secret."""


NOTIFICATION_RESULTS = ("sent", "throttled", "aggregated", "failed")
"""`throttled`: held back, because the channel was told of the same a short while ago. `aggregated`: an error that was
told in one message with others. `failed`: it is tried again."""
