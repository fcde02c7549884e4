"""Spans in a file, for a look without a collector."""

from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class FileExporter(SpanExporter):
    """Appends each span to a file as one line of JSON, then hands the spans on to `then`, where there is one.

    The file is opened anew for each batch, so that it can be moved away by whoever rotates logs.
    """

    def __init__(self, path: Path, then: SpanExporter | None = None) -> None:
        self._path = path
        self._then = then

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write and hand on. An `OSError` of the file is raised after the spans have been handed on."""
        try:
            lines = "".join(span.to_json(indent=None) + "\n" for span in spans)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(lines)
        finally:
            result = SpanExportResult.SUCCESS if self._then is None else self._then.export(spans)
        return result

    def shutdown(self) -> None:
        """End a running export of `then`."""
        if self._then is not None:
            self._then.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        return self._then is None or self._then.force_flush(timeout_millis)
