"""What became known of a broker's limits, and what they held up."""

from dataclasses import dataclass

from sidecar.words import Outcome, Priority


@dataclass(frozen=True, slots=True)
class LimitReading:
    """A broker's answer told how much of a limit is used."""

    broker: str
    limit: str
    used: float
    capacity: float
    at: float
    """Unix seconds of the reading."""


@dataclass(frozen=True, slots=True)
class LimitThreshold:
    """A limit's use crossed the warning share, upwards (`above`) or back down."""

    broker: str
    limit: str
    used: float
    capacity: float
    above: bool


@dataclass(frozen=True, slots=True)
class LimitLearnt:
    """A broker announced a limit's capacity, and it differs from what was assumed."""

    broker: str
    limit: str
    before: float
    capacity: float


@dataclass(frozen=True, slots=True)
class LimitReset:
    """A person reset the limits of a broker."""

    broker: str
    reason: str


@dataclass(frozen=True, slots=True)
class LimitWaited:
    """A call was made to wait for a limit or a closed gate, and went on."""

    broker: str
    group: str
    priority: Priority
    seconds: float
    limit: str
    """The limit that was short, or `gate`."""


@dataclass(frozen=True, slots=True)
class LimitRejected:
    """A call was refused because a limit or a closed gate would have kept it past its deadline."""

    broker: str
    group: str
    priority: Priority
    limit: str


@dataclass(frozen=True, slots=True)
class GateShut:
    """The broker said 429 or 418: nothing goes to its address until `until`."""

    broker: str
    outcome: Outcome
    """`rate_limited` or `banned`."""
    seconds: float
    until: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class GateOpened:
    """The address may be called again."""

    broker: str
