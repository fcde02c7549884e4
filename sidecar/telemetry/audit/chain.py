r"""The hash chain: how a line is sealed, and how a seal is checked.

A line is one compact ASCII JSON object whose last two members are `prev` and `hash`. The hash is SHA-256, in hex, over
the hash of the line before followed by this line's own bytes without the `hash` member, so that a line can be checked
with nothing but standard tools:

    printf '%s%s' "$prev" "$(jq -ca 'del(.hash)' <<< "$line")" | sha256sum

The chain needs no key: it proves that nothing in the middle was altered or removed, and the head file that nothing is
missing at the end. Somebody who may write every file could compute a new chain; the head's hash, which the sidecar also
logs at each start, stop and change of day, kept elsewhere, proves that too.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64
"""What stands in place of a hash before the first line."""

_TAIL = re.compile(rb'^(\{.*),"hash":"([0-9a-f]{64})"\}\n$', re.DOTALL)
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain stands: the newest line's number and hash."""

    seq: int
    """From 1; 0 before the first line."""
    hash: str


START = Link(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A line as it was read back."""

    fields: Mapping[str, Any]
    prev: str
    link: Link


def stamp(at: float) -> str:
    """Unix seconds as ISO 8601 in UTC with microseconds; such stamps sort as text."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seal(at: float, event: str, fields: Mapping[str, Any], after: Link) -> tuple[bytes, Link]:
    """One line, and the link that it makes. `fields` must be clean."""
    seq = after.seq + 1
    body = _encode({"ts": stamp(at), "seq": seq, "event": event, **fields, "prev": after.hash}).encode("ascii")
    digest = _digest(after.hash, body)
    return body[:-1] + b',"hash":"' + digest.encode("ascii") + b'"}\n', Link(seq, digest)


def unseal(raw: bytes) -> Sealed | None:
    """The line, when it is whole and its own hash is right; None otherwise. Whether it follows is another question."""
    match = _TAIL.match(raw)
    if match is None:
        return None
    body, digest = match[1] + b"}", match[2].decode("ascii")
    try:
        fields = json.loads(body)
        seq, prev = fields["seq"], fields["prev"]
    except (ValueError, KeyError, RecursionError):
        return None
    if type(seq) is not int or not isinstance(prev, str) or _digest(prev, body) != digest:
        return None
    return Sealed(fields, prev, Link(seq, digest))


def _digest(prev: str, body: bytes) -> str:
    return hashlib.sha256(prev.encode() + body).hexdigest()
