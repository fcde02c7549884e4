"""Who may call a broker at all, before breakers and limits are asked. The answer is the health room's."""

from enum import Enum
from typing import Protocol

from sidecar.telemetry.state import ConditionReading


class Entry(Enum):
    """How an attempt is let in."""

    CALL = "call"
    PROBE = "probe"
    """It looks whether the broker is back; no other is let in until it has ended."""


class Admission(Protocol):
    """The door to one broker."""

    def enter(self, *, reserved: bool) -> Entry | None:
        """Let an attempt in, or not. `reserved` is for cancels and reduce-only orders."""

    def drop_probe(self) -> None:
        """The attempt that was let in as the probe was never made."""

    def opens_in(self) -> float:
        """Seconds until the door may open for one attempt; 0 while it is open."""

    def reading(self) -> ConditionReading:
        """The condition behind the door's answer."""
