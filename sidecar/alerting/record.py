"""One error as it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecar.alerting.types import TYPES, ErrorType, Kind

Key = tuple[ErrorType, str]
"""What people are told about as one thing: a type at a broker; the broker is empty for the sidecar itself."""


@dataclass(slots=True)
class ErrorRecord:
    """An error from its first sight to its end. All times are Unix seconds."""

    id: str
    type: ErrorType
    broker: str
    subject: str
    """What it is about within the broker: an endpoint group, a stream, an order's client id."""
    first: float
    last: float
    count: int = 1
    notified: int = 0
    """Notifications that were sent about it."""
    resolved: float | None = None
    resolution: str = ""
    """One of `RESOLUTIONS`; empty while it lasts."""
    note: str = ""
    """What a person gave as the reason."""
    context: Mapping[str, Any] = field(default_factory=dict)
    inherited: bool = False
    """Whether it was open when this process started: what has raised it may be gone without a word."""

    @property
    def key(self) -> Key:
        """What it is told as."""
        return self.type, self.broker

    @property
    def kind(self) -> Kind:
        """What is known of its type."""
        return TYPES[self.type]


RESOLUTIONS = ("over", "quiet", "manual")
"""`over`: an event told the end. `quiet`: it was not seen for long. `manual`: a person said so."""
