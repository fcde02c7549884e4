"""Real OTLP receivers, over HTTP and over gRPC, and the spans that reach them."""

import asyncio
import importlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from tests.e2e.stack import free_port

grpc: Any = importlib.import_module("grpc")  # it carries no types
add_servicer: Callable[[TraceServiceServicer, Any], None] = add_TraceServiceServicer_to_server

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "200"}
"""Environment that lets spans leave after so many milliseconds instead of 5 seconds."""
ARRIVAL_SECONDS = 15.0


@dataclass
class Collected:
    """The spans that have arrived."""

    url: str
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    """Attributes of who sent them; only the gRPC receiver tells."""

    def trace(self, trace_id: str, spans: int) -> list[Span]:
        """The spans of one trace in the order of their start, once there are so many."""
        ends = time.monotonic() + ARRIVAL_SECONDS
        while time.monotonic() < ends:
            found = [span for span in list(self.spans) if span.trace_id.hex() == trace_id]
            if len(found) >= spans:
                return sorted(found, key=lambda span: (span.start_time_unix_nano, -span.end_time_unix_nano))
            time.sleep(0.02)
        raise AssertionError(f"{len(found)} spans of {trace_id} arrived instead of {spans}: {found}")


@contextmanager
def http_collector() -> Iterator[Collected]:
    """A collector that speaks OTLP over HTTP."""
    port = free_port()
    collected = Collected(f"http://127.0.0.1:{port}")
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def collect() -> None:
        async with OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port)) as receiver:
            reading = asyncio.create_task(read(receiver))
            await asyncio.sleep(0)
            ready.set()
            await stop.wait()
        await reading

    async def read(receiver: OtelTapHttpProtobufReceiver) -> None:
        async for span in receiver.stream_traces():
            collected.spans.append(span)

    thread = threading.Thread(target=lambda: loop.run_until_complete(collect()))
    thread.start()
    try:
        assert ready.wait(ARRIVAL_SECONDS)
        yield collected
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@contextmanager
def grpc_collector() -> Iterator[Collected]:
    """A collector that speaks OTLP over gRPC."""
    collected = Collected("")

    class Servicer(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: ARG002, N802 - gRPC's signature
            for sent in request.resource_spans:
                collected.resources.append(attributes(sent.resource))
                collected.spans += [span for scope in sent.scope_spans for span in scope.spans]
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(1))
    add_servicer(Servicer(), server)
    collected.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collected
    finally:
        server.stop(None).wait()


def attributes(holder: Any) -> dict[str, Any]:
    """The attributes of a span, a span's event or a resource, by key."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in holder.attributes}
