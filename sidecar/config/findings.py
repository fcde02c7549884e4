"""What a check finds, before it is known where in the file it stands."""

from dataclasses import dataclass

from sidecar.config.report import KeyPath


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, or doubtful, with a value."""

    path: KeyPath
    wrong: str
    right: str
    rests_on: tuple[KeyPath, ...] = ()
    """Other values that the finding would not hold without."""
