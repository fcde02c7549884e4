"""What happened to the sidecar itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The configuration was read anew."""

    changed: tuple[str, ...]
    """The keys whose new values are in force now."""
    kept: tuple[str, ...]
    """Keys that have changed in the file and take effect at the next start only."""
    problems: tuple[str, ...] = ()
    """Why the new configuration cannot be used; everything is as it was then."""

    @property
    def result(self) -> str:
        """One of `RELOADS`."""
        return RELOADS[1] if self.problems else RELOADS[0]


RELOADS = ("ok", "refused")
"""`ok`: what can be changed was. `refused`: the new configuration is wrong, and the old one stays."""


@dataclass(frozen=True, slots=True)
class LastRunTold:
    """The state file told something of the run before that a person should know."""

    clean: bool
    """Whether it was stopped, rather than killed."""
    left: tuple[str, ...]
    """What it could not do before it ended."""


@dataclass(frozen=True, slots=True)
class PositionsClosed:
    """A stop has closed what a broker held, as it was configured to, or tried."""

    broker: str
    closed: tuple[str, ...]
    """The positions that are gone, for people: `long 0.5 BTCUSDT`."""
    open: tuple[str, ...] = ()
    """What is still held, or may be."""


@dataclass(frozen=True, slots=True)
class Started:
    """The sidecar's sockets are open, and what the last run left is taken care of."""

    version: str
    bot: str
    seconds: float
    """From the start of the process's work to here."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The sidecar has let its last call go."""

    reason: str
    unfinished: int
    """Calls that were still in flight when time ran out."""
    left: tuple[str, ...] = ()
    """What else could not be done in time, for people."""
