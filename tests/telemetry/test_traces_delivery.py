"""Spans reach a collector over both protocols; one that is away is counted, told once and never waited for."""

import asyncio
import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from socket import socket
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings
from structlog.testing import capture_logs

from sidecar.clock import VirtualClock
from sidecar.config.model import Otlp, Telemetry
from sidecar.telemetry.events import Bus
from sidecar.telemetry.traces import SpanReadings, Traces
from tests.telemetry.seen_samples import CALL, SHAPE, TRACE_ID

grpc: Any = importlib.import_module("grpc")  # it carries no types
add_servicer: Callable[[TraceServiceServicer, Any], None] = add_TraceServiceServicer_to_server


def traces_to(
    endpoint: str, protocol: str = "http/protobuf", exporter: SpanExporter | None = None, **variables: str
) -> tuple[Traces, Bus]:
    telemetry = Telemetry(otlp=Otlp.model_validate({"endpoint": endpoint, "protocol": protocol}))
    traces = Traces(telemetry, [SHAPE], bot="momentum", version="1", environment=variables, exporter=exporter)
    bus = Bus(VirtualClock())
    traces.subscribe(bus)
    return traces, bus


class Scripted(SpanExporter):
    """An exporter that does with each batch what it is told, the last instruction for ever."""

    def __init__(self, *results: SpanExportResult | Exception | Callable[[], object]) -> None:
        self.results = list(results)
        self.exported = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, Exception):
            raise result
        if not isinstance(result, SpanExportResult):
            result()
            result = SpanExportResult.SUCCESS
        self.exported += len(spans) if result is SpanExportResult.SUCCESS else 0
        return result


def deliver_one_by_one(exporter: SpanExporter, calls: int) -> SpanReadings:
    """Let calls finish, each in a batch of its own."""
    traces, bus = traces_to("http://unused", exporter=exporter)
    assert traces._delivery is not None
    for _ in range(calls):
        bus.emit(CALL)
        traces._delivery._processor.force_flush()
    traces.shutdown(10)
    return traces.readings()


async def test_spans_reach_a_collector_over_http() -> None:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port)) as receiver:
        call, attempt = (
            asyncio.ensure_future(receiver.await_trace(named, timeout=20))
            for named in (lambda span: span.name == "binance get_account", lambda span: span.name == "GET get_account")
        )
        await asyncio.sleep(0)
        traces, bus = traces_to(f"http://127.0.0.1:{port}")
        bus.emit(CALL)
        await asyncio.to_thread(traces.shutdown, 10)
        server, client = await call, await attempt
    assert server.trace_id == TRACE_ID.to_bytes(16, "big")
    assert client.trace_id == server.trace_id
    assert client.parent_span_id == server.span_id
    assert traces.readings() == SpanReadings(exported=2)


@contextmanager
def grpc_collector() -> Iterator[tuple[int, "SimpleQueue[ExportTraceServiceRequest]"]]:
    """A collector that speaks gRPC: its port, and what it receives."""
    received: SimpleQueue[ExportTraceServiceRequest] = SimpleQueue()

    class Servicer(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: ARG002, N802 - gRPC's signature
            received.put(request)
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(1))
    add_servicer(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port, received
    finally:
        server.stop(None).wait()


def test_spans_reach_a_collector_over_grpc() -> None:
    with grpc_collector() as (port, received):
        traces, bus = traces_to(f"http://127.0.0.1:{port}", "grpc")
        bus.emit(CALL)
        traces.shutdown(10)
        (resource,) = received.get(timeout=10).resource_spans
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    assert [span.name for span in spans] == ["GET get_account", "binance get_account"]
    assert {span.trace_id for span in spans} == {TRACE_ID.to_bytes(16, "big")}
    told = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert (told["service.name"], told["sidecar.bot"]) == ("broker-sidecar", "momentum")


def test_spans_that_a_collector_takes_are_counted() -> None:
    assert deliver_one_by_one(Scripted(SpanExportResult.SUCCESS), calls=3) == SpanReadings(exported=6)


@pytest.mark.parametrize("failure", [SpanExportResult.FAILURE, OSError("http://collector/?key=5up3r-s3cr3t")])
def test_spans_that_a_collector_does_not_take_are_counted(failure: SpanExportResult | Exception) -> None:
    with capture_logs():
        assert deliver_one_by_one(Scripted(failure), calls=3) == SpanReadings(failed=6)


def test_a_collector_that_is_away_is_told_once_when_it_goes_and_once_when_it_is_back() -> None:
    down = OSError("http://collector/?key=5up3r-s3cr3t")
    with capture_logs() as lines:
        deliver_one_by_one(Scripted(down, down, SpanExportResult.FAILURE, SpanExportResult.SUCCESS), calls=5)
    assert [line["log_level"] for line in lines] == ["warning", "info"]
    assert lines[0]["failure"] == "OSError"
    assert lines[1]["lost_since_start"] == 6
    assert "5up3r-s3cr3t" not in str(lines)


def test_a_real_collector_that_is_away_costs_no_words_of_the_librarys(caplog: pytest.LogCaptureFixture) -> None:
    with socket() as closed:
        closed.bind(("127.0.0.1", 0))
        traces, bus = traces_to(f"http://127.0.0.1:{closed.getsockname()[1]}")
        bus.emit(CALL)
        with capture_logs() as lines:
            assert traces._delivery is not None
            # Ends the exporter's own repetitions, so that the test need not wait for them.
            threading.Timer(0.2, traces._delivery._exporter.shutdown).start()
            traces.shutdown(10)
    assert [line["log_level"] for line in lines] == ["warning"]
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


def test_what_does_not_fit_into_the_queue_is_dropped_by_whole_calls_and_counted() -> None:
    release = threading.Event()
    exporter = Scripted(release.wait)
    traces, bus = traces_to("http://unused", exporter=exporter, OTEL_BSP_MAX_QUEUE_SIZE="5")
    for _ in range(4):
        bus.emit(CALL)
    assert traces.readings() == SpanReadings(dropped=4)
    release.set()
    traces.shutdown(10)
    assert traces.readings() == SpanReadings(exported=4, dropped=4)


def test_a_collector_that_hangs_does_not_hold_up_the_exit() -> None:
    release = threading.Event()
    traces, bus = traces_to("http://unused", exporter=Scripted(release.wait))
    bus.emit(CALL)
    traces.shutdown(0.05)
    assert not release.is_set()
    assert traces.readings().exported == 0
    release.set()
