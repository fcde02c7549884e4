"""Times as OANDA writes them, and JSON that holds them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
"""A JSON object that is still being built; times in it are `Stamp`s until it is sent."""

_NANO = 1_000_000_000
_FAR_FUTURE = 253_402_300_800 * _NANO


class DatetimeFormat(StrEnum):
    """The two values of `Accept-Datetime-Format`."""

    RFC3339 = "RFC3339"
    UNIX = "UNIX"


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """A moment, in nanoseconds since 1970 (UTC)."""

    nanoseconds: int

    @classmethod
    def at(cls, seconds: float) -> "Stamp":
        """The moment so many seconds since 1970, to the microsecond: a float holds no more."""
        return cls(round(seconds * 1_000_000) * 1000)

    @classmethod
    def parse(cls, text: str) -> "Stamp":
        """The moment that an RFC 3339 or a Unix time names; `ValueError` when it names none."""
        try:
            nanoseconds = int(Decimal(text) * _NANO)
        except (InvalidOperation, OverflowError):
            moment = datetime.fromisoformat(_micro(text))
            return cls.at((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        if not 0 <= nanoseconds < _FAR_FUTURE:
            raise ValueError("no calendar reaches so far")
        return cls(nanoseconds)

    @property
    def seconds(self) -> float:
        """Seconds since 1970."""
        return self.nanoseconds / _NANO

    def write(self, style: DatetimeFormat) -> str:
        """The moment in one of OANDA's two formats, always with nine decimals."""
        seconds, rest = divmod(self.nanoseconds, _NANO)
        if style is DatetimeFormat.UNIX:
            return f"{seconds}.{rest:09d}"
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


Now = Callable[[], Stamp]
"""The broker's own clock."""


def dumps(body: Any, style: DatetimeFormat) -> bytes:
    """JSON with its times in the format that the client asked for."""

    def write(value: Any) -> str:
        if isinstance(value, Stamp):
            return value.write(style)
        raise TypeError(f"{type(value).__name__} has no form in an answer")

    return json.dumps(body, default=write, separators=(",", ":")).encode()


def _micro(text: str) -> str:
    # Python reads at most six decimals; OANDA writes nine.
    head, dot, tail = text.partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    return f"{head}{dot}{digits[:6]}{tail[len(digits) :]}"
