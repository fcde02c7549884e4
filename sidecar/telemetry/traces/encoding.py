"""Spans in the bytes of OTLP: protobuf, written straight away.

OpenTelemetry's own encoder makes a message of every attribute and copies each of them four times over: two thirds of
what tracing a call costs. A test holds these bytes against its. The numbers of the fields are those of OTLP's
`trace.proto`, `common.proto` and `resource.proto`.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Link, SpanContext, Status

_FIXED64, _BYTES, _FIXED32 = 1, 2, 5
"""How protobuf writes a field: eight bytes, a length and so many bytes, or four bytes. 0 is a varint."""
_KNOWS_WHETHER_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_UINT64: Final = (1 << 64) - 1


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """One export request with all of these spans; they are of one resource and one scope."""
    first = spans[0]
    scope = first.instrumentation_scope
    named = _text(1, scope.name) + _text(2, scope.version or "") if scope is not None else b""
    resource = b"".join(_attributes(1, first.resource.attributes))
    of_the_scope = _field(1, named) + b"".join(_field(2, _span(span)) for span in spans)
    return _field(1, _field(1, resource) + _field(2, of_the_scope) + _text(3, first.resource.schema_url))


def _span(span: ReadableSpan) -> bytes:
    context = span.get_span_context() or INVALID_SPAN_CONTEXT
    state = ",".join(f"{key}={value}" for key, value in context.trace_state.items())
    return b"".join(
        (
            _field(1, context.trace_id.to_bytes(16)),
            _field(2, context.span_id.to_bytes(8)),
            _text(3, state),
            b"" if span.parent is None else _field(4, span.parent.span_id.to_bytes(8)),
            _text(5, span.name),
            _tag(6, 0) + _varint(span.kind.value + 1),
            _tag(7, _FIXED64) + (span.start_time or 0).to_bytes(8, "little"),
            _tag(8, _FIXED64) + (span.end_time or 0).to_bytes(8, "little"),
            *_attributes(9, span.attributes or {}),
            *(_field(11, _event(event)) for event in span.events),
            *(_field(13, _link(link)) for link in span.links),
            _field(15, _status(span.status)),
            _tag(16, _FIXED32) + _flags(span.parent),
        )
    )


def _event(event: Event) -> bytes:
    time = _tag(1, _FIXED64) + event.timestamp.to_bytes(8, "little")
    return time + _text(2, event.name) + b"".join(_attributes(3, event.attributes or {}))


def _link(link: Link) -> bytes:
    context = link.context
    ids = _field(1, context.trace_id.to_bytes(16)) + _field(2, context.span_id.to_bytes(8))
    return ids + b"".join(_attributes(4, link.attributes or {})) + _tag(6, _FIXED32) + _flags(context)


def _status(status: Status) -> bytes:
    code = status.status_code.value
    return _text(2, status.description or "") + (_tag(3, 0) + _varint(code) if code else b"")


def _flags(of: SpanContext | None) -> bytes:
    flags = _KNOWS_WHETHER_REMOTE | (_IS_REMOTE if of is not None and of.is_remote else 0)
    return flags.to_bytes(4, "little")


def _attributes(number: int, attributes: Mapping[str, Any]) -> list[bytes]:
    return [
        _label(number, name, value) if type(value) is str else _field(number, _name(name) + _field(2, _any(value)))
        for name, value in attributes.items()
    ]


@lru_cache(maxsize=512)
def _label(number: int, name: str, value: str) -> bytes:
    """A text attribute. Nearly all of them are labels, of which there are few."""
    return _field(number, _text(1, name) + _field(2, _field(1, _utf8(value))))


@lru_cache(maxsize=256)
def _name(name: str) -> bytes:
    return _text(1, name)


def _any(value: str | bool | float) -> bytes:
    if isinstance(value, bool):
        return _tag(2, 0) + _varint(value)
    if isinstance(value, int):
        return _tag(3, 0) + _varint(value & _UINT64)
    if isinstance(value, float):
        return _tag(4, _FIXED64) + struct.pack("<d", value)
    return _field(1, _utf8(str(value)))


def _text(number: int, text: str) -> bytes:
    """A field that is left out where it is empty, as protobuf has it."""
    return _field(number, _utf8(text)) if text else b""


def _utf8(text: str) -> bytes:
    """One broken character of a broker's must not cost a whole batch."""
    return text.encode("utf-8", "replace")


def _field(number: int, content: bytes) -> bytes:
    return _head(number, len(content)) + content


@lru_cache(maxsize=1024)
def _head(number: int, length: int) -> bytes:
    return _tag(number, _BYTES) + _varint(length)


@lru_cache
def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    if value < 0x80:  # noqa: PLR2004 - seven bits a byte; the eighth says that more follow
        return bytes((value,))
    written = bytearray()
    while value >= 0x80:  # noqa: PLR2004 - see above
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
