"""Spans in a file are lines of JSON, and do not keep a collector from its own."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from sidecar.clock import VirtualClock
from sidecar.config.model import Telemetry
from sidecar.telemetry.events import Bus
from sidecar.telemetry.traces import Traces
from sidecar.telemetry.traces.file import FileExporter
from tests.telemetry.seen_samples import CALL, SHAPE, TRACE_ID


class Collector(SpanExporter):
    def __init__(self) -> None:
        self.names: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.names += [span.name for span in spans]
        return SpanExportResult.FAILURE


def test_a_calls_spans_are_appended_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    file.write_text("{}\n")
    traces = Traces(Telemetry(file=file), [SHAPE], bot="momentum", version="1", environment={})
    bus = Bus(VirtualClock())
    traces.subscribe(bus)
    bus.emit(CALL)
    traces.shutdown(5)

    before, *spans = map(json.loads, file.read_text().splitlines())
    assert before == {}
    assert f"{CALL.broker} {CALL.endpoint}" in {span["name"] for span in spans}
    assert {span["context"]["trace_id"] for span in spans} == {f"0x{TRACE_ID:032x}"}


def test_a_collector_beside_the_file_gets_the_same_spans_and_has_the_last_word(tmp_path: Path) -> None:
    collector = Collector()
    exporter = FileExporter(tmp_path / "spans.jsonl", collector)
    assert exporter.export([ReadableSpan("one")]) is SpanExportResult.FAILURE
    assert collector.names == ["one"]
    assert json.loads((tmp_path / "spans.jsonl").read_text())["name"] == "one"


def test_a_file_that_cannot_be_written_is_no_loss_for_the_collector(tmp_path: Path) -> None:
    collector = Collector()
    with pytest.raises(IsADirectoryError):
        FileExporter(tmp_path, collector).export([ReadableSpan("one")])
    assert collector.names == ["one"]
