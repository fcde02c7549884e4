"""Spans on their way to the collector: written, queued, exported by a thread of their own, and counted.

A collector that is away must not matter: spans wait in a bounded queue, what does not fit is dropped and counted, and
the log says so once when it begins and once when it is over.
"""

import logging
import threading
from collections.abc import Sequence

import structlog
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from sidecar.telemetry.events import CallFinished, OperationTraced
from sidecar.telemetry.state import BrokerShape
from sidecar.telemetry.traces.file import FileExporter
from sidecar.telemetry.traces.readings import SpanReadings
from sidecar.telemetry.traces.settings import TraceSettings
from sidecar.telemetry.traces.spans import SpanWriter, addresses

BATCH_SPANS = 512
"""Most spans in one request to the collector; OpenTelemetry's default."""

_log = structlog.get_logger("sidecar.traces")


def start_delivery(
    settings: TraceSettings,
    shapes: Sequence[BrokerShape],
    *,
    bot: str,
    version: str,
    exporter: SpanExporter | None = None,
) -> "Delivery":
    """Make everything ready and start the exporting thread."""
    # The SDK logs each failed export with the collector's words; here failures are counted and told once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    writer = SpanWriter(_resource(bot, version), version, addresses(shapes))
    return Delivery(writer, exporter or _exporter(settings), settings.queue_spans)


class CountingExporter(SpanExporter):
    """Counts what another exporter achieves, and keeps its failures to itself."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failing = False
        self.exported = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export and count; an exception counts as a failure."""
        try:
            result = self._exporter.export(spans)
        except Exception as failure:  # noqa: BLE001 - whatever an exporter raises, the thread has to go on
            self._fail(len(spans), type(failure).__name__)
            return SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._succeed(len(spans))
        else:
            self._fail(len(spans), "refused or unreachable")
        return result

    def shutdown(self) -> None:
        """End a running export."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        return self._exporter.force_flush(timeout_millis)

    def _succeed(self, count: int) -> None:
        self.exported += count
        if self._failing:
            self._failing = False
            _log.info("the trace collector takes spans again", lost_since_start=self.failed)

    def _fail(self, count: int, what: str) -> None:
        self.failed += count
        if not self._failing:
            self._failing = True
            _log.warning(
                "the trace collector takes no spans: until it does they are lost, and counted in sidecar_spans_total; "
                "check telemetry.otlp.endpoint and that the collector runs, or telemetry.file",
                failure=what,
            )


class Delivery:
    """The way from a finished call to the collector."""

    def __init__(self, writer: SpanWriter, exporter: SpanExporter, queue_spans: int) -> None:
        self._writer = writer
        self._exporter = CountingExporter(exporter)
        self._queue_spans = queue_spans
        self._accepted = 0
        self._dropped = 0
        self._processor = BatchSpanProcessor(
            self._exporter, max_queue_size=queue_spans, max_export_batch_size=min(BATCH_SPANS, queue_spans)
        )

    def deliver(self, call: CallFinished) -> None:
        """Queue the spans of a call: all of them or, when there is no room, none."""
        self._queue(self._writer.write(call))

    def deliver_operation(self, event: OperationTraced) -> None:
        """Queue the span of a part of an operation, unless there is no room."""
        self._queue([self._writer.write_operation(event)])

    def _queue(self, spans: list[ReadableSpan]) -> None:
        waiting = self._accepted - self._exporter.exported - self._exporter.failed
        if waiting + len(spans) > self._queue_spans:
            self._dropped += len(spans)
            return
        self._accepted += len(spans)
        for span in spans:
            self._processor.on_end(span)

    def readings(self) -> SpanReadings:
        """What became of the spans so far."""
        return SpanReadings(self._exporter.exported, self._exporter.failed, self._dropped)

    def shutdown(self, timeout: float) -> None:
        """Export what waits and stop; blocks for at most `timeout` seconds."""
        # The processor knows no time limit of its own, and a collector that hangs must not hold up the exit.
        stopping = threading.Thread(target=self._processor.shutdown, name="traces-shutdown", daemon=True)
        stopping.start()
        stopping.join(timeout)


def _resource(bot: str, version: str) -> Resource:
    """Who sends: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over the sidecar's own words."""
    own = {"service.name": "broker-sidecar", "service.version": version, "sidecar.bot": bot}
    made = Resource.create({**own, **OTELResourceDetector().detect().attributes})
    return _TheResource(made.attributes, made.schema_url)


class _TheResource(Resource):
    """The one resource of all spans, known by its identity.

    The exporters sort a batch by resource, and OpenTelemetry's own hash writes all attributes as JSON for each span.
    """

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def _exporter(settings: TraceSettings) -> SpanExporter:
    if settings.file is None:
        return _otlp(settings)
    return FileExporter(settings.file, _otlp(settings) if settings.otlp else None)


def _otlp(settings: TraceSettings) -> SpanExporter:
    # Each protocol brings its own libraries, and gRPC's are heavy: only the one in use is loaded.
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter as GrpcExporter,
        )

        return GrpcExporter(endpoint=settings.endpoint)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter as HttpExporter,
    )

    return HttpExporter(endpoint=settings.endpoint)
