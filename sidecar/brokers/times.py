"""How brokers and HTTP write times."""

from datetime import datetime
from email.utils import parsedate_to_datetime


def unix_time(value: bytes) -> float | None:
    """The Unix seconds of an HTTP date; None when it is none."""
    try:
        return parsedate_to_datetime(value.decode("latin-1")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def rfc3339_time(value: str) -> float | None:
    """The Unix seconds of an RFC 3339 time in UTC, fractions of any length; None when it is none."""
    whole, _, fraction = value.removesuffix("Z").partition(".")
    try:
        seconds = datetime.fromisoformat(f"{whole}+00:00").timestamp()
        return seconds + (float(f"0.{fraction}") if fraction else 0.0)
    except (ValueError, OverflowError):
        return None
