"""How the export of spans fares."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpanReadings:
    """Spans counted from the start; those that are in none of the figures wait for export."""

    exported: int = 0
    failed: int = 0
    """The collector did not take them."""
    dropped: int = 0
    """There was no room for them to wait."""
