"""Where a call's spans belong: the bot's `traceparent` understood, or a trace begun.

Follows W3C Trace Context. What cannot be understood begins a new trace; it never fails a call.
"""

import re
from dataclasses import replace
from random import getrandbits

from sidecar.telemetry.events import TraceContext

STATE_LIMIT = 512
"""Longest `tracestate` that is passed on, in characters; what is longer is left out whole, as the standard allows."""

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_STATE = re.compile(r"[\x20-\x7e]*")
_SAMPLED = 0x01


def parse_traceparent(value: str | bytes | None, state: str | bytes | None = None) -> TraceContext:
    """The context that `traceparent` and `tracestate` describe; a new trace when the former says nothing valid."""
    if value:
        match = _PARENT.fullmatch(_text(value).strip())
        if match is not None and _known(match):
            return TraceContext(
                trace_id=int(match[2], 16),
                parent_id=int(match[3], 16),
                sampled=bool(int(match[4], 16) & _SAMPLED),
                state=_state(state),
            )
    return new_trace()


def linked_to(trace: TraceContext, traceparent: bytes | None) -> TraceContext:
    """The context, with a link to the span that `traceparent` names; the same where it names none."""
    other = parse_traceparent(traceparent)
    return replace(trace, links=((other.trace_id, other.parent_id),)) if other.parent_id else trace


def traceparent_of(trace: TraceContext, span_id: int) -> str:
    """The `traceparent` by which others hang their spans from this one."""
    return f"00-{trace.trace_id:032x}-{span_id:016x}-{int(trace.sampled):02x}"


def new_span_id() -> int:
    """An id for a span that others are to hang from."""
    return getrandbits(64) or 1


def new_trace() -> TraceContext:
    """A trace that the call starts by itself."""
    return TraceContext(trace_id=getrandbits(128) or 1, parent_id=0, sampled=False)


def _known(match: re.Match[str]) -> bool:
    """Version ff is forbidden, version 00 ends after the flags, and all-zero ids mean nothing."""
    version_allows = match[1] != "ff" and (match[1] != "00" or match[5] is None)
    return version_allows and match[2].strip("0") != "" and match[3].strip("0") != ""


def _state(value: str | bytes | None) -> str:
    text = _text(value or "").strip()
    return text if len(text) <= STATE_LIMIT and _STATE.fullmatch(text) else ""


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
