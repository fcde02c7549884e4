"""Reading what a broker answered, whatever the bytes: JSON, waiting times, and text that is safe to keep."""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from http import HTTPStatus
from typing import Final

from sidecar.brokers.profile import Verdict
from sidecar.brokers.times import unix_time
from sidecar.wire import Answer, Headers, header
from sidecar.words import Effect, Outcome

OK: Final = Verdict(Outcome.OK)
MESSAGE_LENGTH: Final = 200
"""Longest broker message that is kept, in characters."""
VALUE_LENGTH: Final = 64
"""Longest request or answer value that is kept, in characters."""

_UNDONE = frozenset({b"gzip", b"x-gzip", b"deflate", b"identity"})
_JSON_SPACE = b" \t\r\n"
_ERROR_BYTES = 64 * 1024
_QUERY = re.compile(r"(/[^\s?\"'<>]*)\?[^\s\"'<>]+")
# Keys, HMAC signatures, bearer tokens and listen keys are all longer than any word, number or client id (at most 36)
# that a broker's message quotes.
_SECRET_LENGTH = 40
_SECRET_SIZED = re.compile(rf"[A-Za-z0-9+/=_%-]{{{_SECRET_LENGTH},}}")


class Body(Enum):
    """Why an answer's JSON cannot be looked at."""

    OPAQUE = "encoded in a way that the sidecar does not undo, though the bot may"
    BROKEN = "not valid JSON"


def json_of(answer: Answer, limit: int = 8 * 1024 * 1024) -> object:
    """The answer's JSON value, or the `Body` member that tells why there is none; reads at most `limit` bytes."""
    encoding = header(answer.headers, b"content-encoding")
    encoding = encoding.strip().lower() if encoding else b""
    if encoding and encoding not in _UNDONE:
        return Body.OPAQUE
    content = answer.body if encoding in {b"", b"identity"} else answer.content(limit)
    return parsed(content) if len(content) <= limit else Body.BROKEN


def told_by(answer: Answer) -> object:
    """The JSON value of a successful answer; None for any other."""
    return json_of(answer) if answer.status == HTTPStatus.OK else None


def error_of(answer: Answer) -> object:
    """The JSON value of a failed answer; error pages are looked at up to 64 KiB."""
    return json_of(answer, _ERROR_BYTES)


def parsed(text: bytes | str) -> object:
    """The JSON value of a text, or `Body.BROKEN`."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return Body.BROKEN
    return value


def looks_whole(answer: Answer) -> bool:
    """Whether the body of a read begins and ends as JSON does; a cheap look that parses nothing.

    An encoded body passes: its end is checked by the framing and by whoever decodes it.
    """
    body = answer.body
    if body[:1] in (b"{", b"[") and body[-1:] in (b"}", b"]"):
        return True
    if answer.chunks is not None or header(answer.headers, b"content-encoding"):
        return True
    body = body.strip(_JSON_SPACE)
    return body[:1] in (b"{", b"[") and body[-1:] in (b"}", b"]")


def settled(verdict: Verdict, effect: Effect, headers: Headers) -> Verdict:
    """The verdict as the endpoint's effect allows, with the `Retry-After` that came with it, whatever the status.

    A read changes nothing, so nothing about it can be in doubt.
    """
    if verdict.outcome is Outcome.OK:
        return verdict
    if verdict.retry_after is None and verdict.until is None and header(headers, b"retry-after"):
        retry_after, until = waiting(headers)
        verdict = replace(verdict, retry_after=retry_after, until=until)
    if effect is Effect.READ and verdict.outcome is Outcome.UNKNOWN:
        return replace(verdict, outcome=Outcome.TRANSIENT)
    return verdict


def waiting(headers: Headers) -> tuple[float | None, float | None]:
    """What `Retry-After` asks (RFC 9110, 10.2.3): seconds to wait, or else the Unix time until which to wait.

    A date is turned into seconds by the answer's own `Date`, so that a wrong clock here does not matter.
    """
    value = header(headers, b"retry-after")
    if not value:
        return None, None
    seconds = number(value)
    if seconds is not None:
        return max(0.0, seconds), None
    until = unix_time(value)
    now = unix_time(header(headers, b"date") or b"")
    if until is None or now is None:
        return None, until
    return max(0.0, until - now), None


def number(value: bytes | str) -> float | None:
    """A finite number; None for anything else."""
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def short(value: object) -> str:
    """A request or answer value as the audit log keeps it: one short string, nothing the size of a secret."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, float)):
        return without_secrets(str(value))[:VALUE_LENGTH]
    if isinstance(value, int):
        # Python refuses to print integers of thousands of digits; no broker sends one in earnest.
        return str(value) if value.bit_length() <= VALUE_LENGTH else ""
    return ""


def message(value: object) -> str:
    """A broker's message as the audit log keeps it: trimmed, and without anything the size of a secret."""
    return without_secrets(value)[:MESSAGE_LENGTH] if isinstance(value, str) else ""


def without_secrets(text: str) -> str:
    """The text without queries of URLs and without what is long enough for a key, a token or a signature.

    What UTF-8 cannot carry becomes `?`: JSON may hold half a surrogate pair, and no log can.
    """
    if len(text) < _SECRET_LENGTH and "?" not in text and text.isascii():
        return text  # as most values are: too short to hold one, and nothing to look for
    carried = text[: 8 * MESSAGE_LENGTH].encode("utf-8", "replace").decode()
    return _SECRET_SIZED.sub("[removed]", _QUERY.sub(r"\1?[removed]", carried))


def chosen(fields: object, names: Iterable[str]) -> dict[str, str]:
    """The named fields of a JSON object, those that are present and plain values, each as a short string."""
    if not isinstance(fields, dict):
        return {}
    return {name: text for name in names if (text := short(fields.get(name)))}
