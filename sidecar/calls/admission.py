"""Who may call a broker at all, before breakers and limits are asked. The answers are the health room's."""

from dataclasses import dataclass
from typing import Final, Protocol

from sidecar.brokers.profile import Intent
from sidecar.telemetry.state import ConditionReading, DegradationReading
from sidecar.words import DegradationLevel


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


class Restraint(Protocol):
    """How much of one broker may be used: its degradation level."""

    level: DegradationLevel
    """The level in force; nothing has to be asked while it is `none`."""

    def refuses(self, intent: Intent) -> bool:
        """Whether the level forbids this call."""

    def serves_stale(self, intent: Intent) -> bool:
        """Whether a read that failed may be answered with what is remembered."""

    @property
    def market_data_share(self) -> float:
        """The share of each limit that market data may use, 0 to 1."""

    def reading(self) -> DegradationReading:
        """The level, since when, and why."""

    def degrade(self, level: DegradationLevel, reason: str, seconds: float) -> None:
        """Let the level be at least this for `seconds`: a person says so, and says why."""

    def recover(self, reason: str) -> None:
        """Back to `none` at once: a person says so, and says why."""
