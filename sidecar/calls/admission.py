"""Who may call a broker at all, before breakers and limits are asked. The answer is the health room's."""

from dataclasses import dataclass
from typing import Final, Protocol

from sidecar.telemetry.state import ConditionReading


@dataclass(frozen=True, slots=True)
class Entry:
    """The leave to make an attempt."""

    probe: int = 0
    """Above 0: it looks whether the broker is back, and no other is let in until it has ended."""


CALL: Final = Entry()
"""The leave of every attempt at a broker that is there."""


class Admission(Protocol):
    """The door to one broker."""

    def enter(self, *, reserved: bool) -> Entry | None:
        """Let an attempt in, or not. `reserved` is for cancels and reduce-only orders."""

    def drop(self, entry: Entry) -> None:
        """The attempt that was let in was never made."""

    def opens_in(self) -> float:
        """Seconds until the door may open for one attempt; 0 while it is open."""

    def reading(self) -> ConditionReading:
        """The condition behind the door's answer."""
