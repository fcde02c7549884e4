"""What a broker counts: its limits as data, and what its answers tell about them."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """Whom a limit counts: everybody behind one network address, or one account."""

    ADDRESS = "address"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """A limit that counts in windows aligned on the broker's clock: so much from full minute to full minute."""

    name: str
    """The metric label, such as `weight_1m`."""
    capacity: float
    """How much fits into one window, in the limit's own unit; above 0."""
    seconds: float
    """The window's length; windows start at multiples of it since the Unix epoch."""
    scope: Scope
    header: bytes = b""
    """The answer header, in lower case, that tells how much is used; empty when the broker tells nothing."""


@dataclass(frozen=True, slots=True)
class BucketSpec:
    """A limit that refills steadily: `rate` a second, at most `burst` at once."""

    name: str
    rate: float
    burst: float
    scope: Scope = Scope.ACCOUNT
    group: str = ""
    """The endpoint group whose calls it counts; empty counts every call."""


LimitSpec = WindowSpec | BucketSpec


@dataclass(frozen=True, slots=True)
class Reading:
    """One limit as a broker's answer told it."""

    limit: str
    used: float | None = None
    capacity: float | None = None
    resets_at: float | None = None
    """Unix seconds at which the window starts anew, where the broker tells."""
