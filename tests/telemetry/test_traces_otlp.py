"""A batch of spans goes to the collector as OTLP and its variables say, and again where that may help."""

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from sidecar.telemetry.traces.encoding import encoded
from sidecar.telemetry.traces.otlp import OtlpExporter
from tests.telemetry.seen_samples import CALL
from tests.telemetry.test_traces import spans_of

SPANS = spans_of(CALL)
WRITTEN = encoded(SPANS)
DONE, LOST = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


@dataclass
class Collector:
    """What it answers, the last for ever, and what it received."""

    answers: list[tuple[int, Mapping[str, str]]]
    url: str = ""
    received: list[tuple[str, Message, bytes]] = field(default_factory=list)


@contextmanager
def collector(*answers: int | tuple[int, Mapping[str, str]]) -> Iterator[Collector]:
    it = Collector([answer if isinstance(answer, tuple) else (answer, {}) for answer in answers])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            it.received.append((self.path, self.headers, body))
            status, headers = it.answers.pop(0) if len(it.answers) > 1 else it.answers[0]
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        it.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield it
        finally:
            server.shutdown()
            serving.join()


def test_a_batch_is_posted_as_protobuf() -> None:
    with collector(200) as there:
        assert OtlpExporter(f"{there.url}/v1/traces", {}).export(SPANS) is DONE
    ((path, headers, body),) = there.received
    assert (path, headers["Content-Type"], body) == ("/v1/traces", "application/x-protobuf", WRITTEN)
    assert headers["Content-Encoding"] is None


@pytest.mark.parametrize(("name", "undo"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)])
def test_a_batch_is_compressed_where_the_environment_says_so(name: str, undo: Callable[[bytes], bytes]) -> None:
    with collector(200) as there:
        OtlpExporter(there.url, {"OTEL_EXPORTER_OTLP_COMPRESSION": name}).export(SPANS)
    ((_, headers, body),) = there.received
    assert (headers["Content-Encoding"], undo(body)) == (name, WRITTEN)


def test_the_environments_headers_are_sent_and_those_for_traces_win() -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=all",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=traces,tenant=a%20b",
    }
    with collector(200) as there:
        OtlpExporter(there.url, variables).export(SPANS)
    ((_, headers, _),) = there.received
    assert (headers["api-key"], headers["tenant"]) == ("traces", "a b")


@pytest.mark.parametrize(
    ("name", "path"),
    [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/mine"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "/mine/v1/traces")],
)
def test_the_environment_names_the_collector_where_the_configuration_does_not(name: str, path: str) -> None:
    with collector(200) as there:
        assert OtlpExporter(None, {name: f"{there.url}/mine"}).export(SPANS) is DONE
    assert [received[0] for received in there.received] == [path]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_collector_that_is_busy_is_asked_again_when_it_says(status: int) -> None:
    with collector((status, {"Retry-After": "0.01"}), 200) as there:
        assert OtlpExporter(there.url, {}).export(SPANS) is DONE
    assert [body for _, _, body in there.received] == [WRITTEN, WRITTEN]


@pytest.mark.parametrize("status", [302, 400, 401, 404, 413, 500])
def test_what_a_collector_refuses_is_not_sent_again(status: int) -> None:
    with collector((status, {"Location": "http://127.0.0.1:9/"})) as there:
        assert OtlpExporter(there.url, {}).export(SPANS) is LOST
    assert len(there.received) == 1


def test_a_batch_is_given_up_when_its_time_would_run_out() -> None:
    began = time.monotonic()
    with collector((503, {"Retry-After": "60"})) as there:
        assert OtlpExporter(there.url, {"OTEL_EXPORTER_OTLP_TIMEOUT": "5"}).export(SPANS) is LOST
    assert len(there.received) == 1
    assert time.monotonic() - began < 5


def test_the_end_of_the_sidecar_ends_the_repetitions() -> None:
    with collector((503, {"Retry-After": "5"})) as there:
        exporter = OtlpExporter(there.url, {})
        exporter.shutdown()
        assert exporter.export(SPANS) is LOST
    assert len(there.received) == 1


def test_a_collector_that_is_away_loses_the_batch() -> None:
    exporter = OtlpExporter("http://127.0.0.1:1", {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"})
    assert exporter.export(SPANS) is LOST
