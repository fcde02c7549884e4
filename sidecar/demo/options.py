"""What the command line asks of the demo."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """How the demo is shown."""

    directory: Path
    once: bool = False
    """End after the story."""
    seconds: float | None = None
    """End after so many seconds, wherever the story is."""
    brisk: bool = False
    """Shorter pauses."""
    plain: bool = False
    """Lines instead of a screen, also on a terminal."""
