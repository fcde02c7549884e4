"""The forms that single values take: patterns, each with its words for people, and the checks behind them.

The patterns hold in three dialects alike: pydantic's, Python's and that of the editors which read the JSON Schema.
The checks raise `ValueError` with a phrase that completes "this value …" and never repeats the value, which may be a
secret in the wrong place.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import available_timezones

from sidecar.words import Priority

ADDRESS: Final = r"^(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):[0-9]{1,5}$"
BOT: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
BROKER: Final = r"^[a-z][a-z0-9-]{0,40}$"
FILE_MODE: Final = r"^0[0-7]{3}$"
HEADER: Final = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
HTTP_URL: Final = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#@]+(/[^\s?#]*)?$"
LABEL: Final = r"^[a-z][a-z0-9_]{0,40}$"
LABEL_VALUE: Final = r"^[^\x00-\x1f\x7f]{1,128}$"
OPTIONAL_HEADER: Final = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]*$"
ROUTE: Final = r"^/\S*$"

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        ADDRESS: "host:port, such as 127.0.0.1:8787 or [::1]:8787",
        BOT: "1 to 63 letters, digits, dots, dashes or underscores, the first one a letter or digit",
        BROKER: "1 to 41 lower-case letters, digits or dashes, the first one a letter",
        FILE_MODE: 'four octal digits in quotes, such as "0660"',
        HEADER: "a header name, such as X-RateLimit-Remaining",
        HTTP_URL: "an http:// or https:// URL without credentials or query, such as https://fapi.binance.com",
        LABEL: "1 to 41 lower-case letters, digits or underscores, the first one a letter",
        LABEL_VALUE: "1 to 128 characters on one line",
        OPTIONAL_HEADER: 'a header name, such as X-RateLimit-Remaining, or "" for none',
        ROUTE: "a path that starts with /, such as /v1/orders/* or /v1/**",
    }
)
"""What a pattern asks for, in words."""

_HIGHEST_PORT: Final = 65535


def split_address(value: str) -> tuple[str, int]:
    """Host (without brackets) and port of an `Address`."""
    host, _, port = value.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def address(value: str) -> str:
    """Check `host:port`; an IPv6 host stands in brackets."""
    host, colon, port = value.rpartition(":")
    if not colon or not host:
        raise ValueError("is not host:port")
    if not port.isascii() or not port.isdecimal():
        raise ValueError("has a port that is not a number")
    if int(port[:6]) > _HIGHEST_PORT:
        raise ValueError(f"has a port above {_HIGHEST_PORT}")
    bracketed = host.startswith("[") and host.endswith("]")
    if ":" in host and not bracketed:
        raise ValueError("has an IPv6 host without brackets")
    inner = host[1:-1] if bracketed else host
    if not inner.isascii() or not inner or any(character in "[]/@" or character.isspace() for character in inner):
        raise ValueError("has a host that cannot be one")
    return value


def http_url(value: str) -> str:
    """Check a base URL; write its scheme in lower case and take the slash from its end."""
    if not value.isascii() or any(character.isspace() for character in value):
        raise ValueError("holds spaces or characters outside ASCII")
    url = _split(value)
    if url.scheme not in {"http", "https"}:
        raise ValueError("does not begin with http:// or https://")
    if "@" in url.netloc:
        raise ValueError("holds credentials")
    if not url.hostname:
        raise ValueError("has no host")
    if "?" in value or "#" in value:
        raise ValueError("holds a query or a fragment")
    return (url.scheme + value[len(url.scheme) :]).rstrip("/")


def _split(value: str) -> SplitResult:
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        # The library's own words repeat parts of the URL.
        raise ValueError("has a host or port that cannot be one") from None
    if port == 0:
        raise ValueError("has port 0, which nothing can listen on")
    return url


def cron(value: str) -> str:
    """Check a cron expression of five fields."""
    # Loaded only by who plans a window: reading a configuration should stay quick.
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - see above

    fields = 5
    if len(value.split()) != fields:
        raise ValueError("is not five fields: minute, hour, day, month, weekday")
    try:
        CronSim(value, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"is no cron expression ({str(error).lower()})") from None
    return value


def time_zone(value: str) -> str:
    """Check the name of a time zone."""
    if value not in available_timezones():
        raise ValueError("is not the name of a time zone")
    return value


def route(value: str) -> str:
    """Check a path pattern: what follows `**` could never be looked at."""
    if "**" in value.removesuffix("/**"):
        raise ValueError("has ** before its end")
    return value


def path(value: Any) -> Any:
    """Check a file or folder name before it becomes a `Path`, which would read an empty one as the current folder."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        raise ValueError("is empty")
    if value.startswith("~"):
        raise ValueError("begins with ~, which is not expanded")
    return value


def priority(value: Any) -> Any:
    """Let a priority be given by its label, such as `market_data`."""
    if not isinstance(value, str):
        return value
    names = {member.label: member for member in Priority}
    if value not in names:
        raise ValueError("is not a priority")
    return names[value]


def one_or_more(value: Any) -> Any:
    """Let a list with one item be given as the item alone."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value
