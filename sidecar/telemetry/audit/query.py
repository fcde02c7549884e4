"""Finding lines: by time, kind, broker, symbol or any id."""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.telemetry.audit.chain import stamp
from sidecar.telemetry.audit.files import DAMAGE, DayFile, day_files, day_of

_ID_NAMES = ("id", "ids", "idlist", "tag")
"""How the brokers' names for ids end: `orderId`, `clientExtensions.id`, `origClientOrderIdList`, `customTag`."""
_SEPARATORS = re.compile(r"[,;\s\[\]\"]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line as it was found."""

    raw: str
    """The line as it stands in the file, without its newline."""
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is empty or None matches everything."""

    since: float | None = None
    """Unix seconds, included."""
    until: float | None = None
    """Unix seconds, excluded."""
    event: str = ""
    broker: str = ""
    symbol: str = ""
    id: str = ""
    """A correlation id, a trace id, or any id of an order: the bot's own or the broker's."""


def query(directory: Path, wanted: Wanted | None = None, *, limit: int | None = None) -> Iterator[Entry]:
    """The lines that match, oldest first; with `limit`, the newest so many of them.

    A line that cannot be read is left out: finding those is what `verify` is for. Raises OSError when the directory
    cannot be read.
    """
    wanted = wanted or Wanted()
    # A line never stands in an older file than its time says.
    files = [file for file in day_files(directory) if wanted.since is None or file.day >= day_of(wanted.since)]
    if limit is None:
        return (entry for file in files for entry in _matching(file, wanted))
    return iter(_newest(files, wanted, limit))


def _newest(files: list[DayFile], wanted: Wanted, limit: int) -> list[Entry]:
    found: list[Entry] = []
    for file in reversed(files):
        if len(found) >= limit:
            break
        found = [*deque(_matching(file, wanted), maxlen=limit - len(found)), *found]
    return found


def _matching(file: DayFile, wanted: Wanted) -> Iterator[Entry]:
    since = stamp(wanted.since) if wanted.since is not None else ""
    until = stamp(wanted.until) if wanted.until is not None else "~"
    equal = {
        name: value
        for name, value in (("event", wanted.event), ("broker", wanted.broker), ("symbol", wanted.symbol))
        if value
    }
    with suppress(*DAMAGE):
        for raw in file.lines():
            fields = _read(raw)
            if (
                since <= str(fields.get("ts", "")) < until
                and fields
                and all(fields.get(name) == value for name, value in equal.items())
                and (not wanted.id or wanted.id in _ids(fields))
            ):
                yield Entry(raw.decode("ascii", "replace").rstrip("\n"), fields)


def _read(raw: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _ids(fields: Mapping[str, Any]) -> set[str]:
    ids = {str(fields.get("correlation_id", "")), str(fields.get("trace_id", ""))}
    for part in (fields.get("order"), fields.get("response")):
        if isinstance(part, dict):
            for name, value in part.items():
                if name.lower().endswith(_ID_NAMES):
                    # A batch tells its ids in one value.
                    ids.update(_SEPARATORS.split(str(value)))
    return ids
