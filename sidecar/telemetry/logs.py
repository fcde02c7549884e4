"""The sidecar's own log: one form for its lines and for its libraries', on standard error."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from sidecar.telemetry.audit.clean import clean, clean_fields, clean_text, without_queries
from sidecar.telemetry.news import NewsLog

__all__ = ["NewsLog", "configure"]

LONGEST = 1024
"""Characters of a value that are kept; a traceback may have as many a line."""
_TEXTS = ("exception", "stack")


class _Handler(logging.StreamHandler[Any]):
    """Ours, so that configuring anew replaces it and nobody else's."""


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["auto", "json", "console"]) -> None:
    """Send every log line to standard error, as JSON or for a person; `auto` asks whether it is a terminal.

    `level` is for the sidecar's own lines. Libraries are heard from warning on. May be called again.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        _fence,
    ]
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(console=console)],
        )
    )
    root = logging.getLogger()
    root.handlers = [*(other for other in root.handlers if not isinstance(other, _Handler)), handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("sidecar").setLevel(level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _renderer(*, console: bool) -> structlog.typing.Processor:
    if console:
        return structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
            timestamp_key="ts",
            pad_event_to=0,
        )
    return structlog.processors.JSONRenderer()


def _fence(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor that keeps queries and secrets out of every line, whoever wrote it."""
    meta = {name: value for name, value in line.items() if name.startswith("_")}
    texts = {name: _fenced_lines(line[name]) for name in _TEXTS if isinstance(line.get(name), str)}
    rest = {name: value for name, value in line.items() if name not in meta and name not in texts}
    # The audit log's fence says which names may stay; the values are cut here, where they may be longer than there.
    kept = clean_fields(dict.fromkeys(rest))
    return {**{name: _fenced(value) for name, value in rest.items() if name in kept}, **texts, **meta}


def _fenced(value: Any) -> Any:
    value = clean(value) if isinstance(value, (dict, list, tuple, int, float, bool)) or value is None else str(value)
    if not isinstance(value, str):
        return value
    return _visible(clean_text(without_queries(value), LONGEST))


def _fenced_lines(text: str) -> str:
    return "\n".join(_visible(clean_text(without_queries(line), LONGEST)) for line in text.splitlines())


def _visible(text: str) -> str:
    """Without what could move the cursor or ring the bell of the terminal on which the log is read."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
