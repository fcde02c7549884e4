"""The configuration decides where traces go; OpenTelemetry's variables fill in what it leaves open."""

import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.config.model import Otlp, Telemetry
from sidecar.telemetry.traces import SpanReadings, Traces
from sidecar.telemetry.traces.settings import TraceSettings, trace_settings
from tests.telemetry.seen_samples import CALL

UNSAID = Telemetry()
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def settings(telemetry: Telemetry = UNSAID, /, **variables: str) -> TraceSettings:
    found = trace_settings(telemetry, variables)
    assert found is not None
    return found


def said(**otlp: object) -> Telemetry:
    return Telemetry(otlp=Otlp.model_validate(otlp))


def test_tracing_is_off_when_nobody_names_a_collector() -> None:
    assert trace_settings(UNSAID, {}) is None
    assert trace_settings(said(protocol="grpc"), {"OTEL_SERVICE_NAME": "x"}) is None


@pytest.mark.parametrize(
    "variables", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_SDK_DISABLED": "TRUE"}, {"OTEL_TRACES_EXPORTER": "none"}]
)
def test_tracing_is_off_when_the_environment_says_so(variables: dict[str, str]) -> None:
    assert trace_settings(said(endpoint="http://collector:4318"), {**ENDPOINT, **variables}) is None


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_a_collector_in_the_environment_turns_tracing_on_and_is_left_to_the_exporter(name: str) -> None:
    assert settings(**{name: "http://collector:4318"}).endpoint is None


@pytest.mark.parametrize(
    ("configured", "protocol", "used"),
    [
        ("http://collector:4318", "http/protobuf", "http://collector:4318/v1/traces"),
        ("http://collector:4318/v1/traces", "http/protobuf", "http://collector:4318/v1/traces"),
        ("https://gateway/otlp", "http/protobuf", "https://gateway/otlp/v1/traces"),
        ("http://collector:4317", "grpc", "http://collector:4317"),
    ],
)
def test_a_configured_collector_is_a_base_url(configured: str, protocol: str, used: str) -> None:
    assert settings(said(endpoint=configured, protocol=protocol), **ENDPOINT).endpoint == used


def test_the_environment_chooses_the_protocol_when_the_configuration_does_not() -> None:
    grpc = {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert settings(**grpc).protocol == "grpc"
    assert settings(said(protocol="http/protobuf"), **grpc).protocol == "http/protobuf"
    assert settings(**grpc, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf").protocol == "http/protobuf"
    assert settings(**ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL="http/json").protocol == "http/protobuf"


@pytest.mark.parametrize(
    ("sampler", "argument", "ratio"),
    [
        ("traceidratio", "0.25", 0.25),
        ("parentbased_traceidratio", "0", 0.0),
        ("parentbased_traceidratio", "much", 1.0),
        ("traceidratio", "7", 1.0),
        ("always_off", "", 0.0),
        ("parentbased_always_on", "0.5", 1.0),
        ("", "0.5", 1.0),
    ],
)
def test_the_environments_sampler_sets_the_share_of_plain_reads(sampler: str, argument: str, ratio: float) -> None:
    variables = {**ENDPOINT, "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert settings(**variables).ratio == ratio


def test_a_configured_share_wins() -> None:
    variables = {**ENDPOINT, "OTEL_TRACES_SAMPLER": "always_off"}
    assert settings(Telemetry(sample_ratio=0.5), **variables).ratio == 0.5


@pytest.mark.parametrize(("text", "size"), [("64", 64), ("", 2048), ("0", 2048), ("many", 2048)])
def test_the_environment_sizes_the_queue(text: str, size: int) -> None:
    assert settings(**ENDPOINT, OTEL_BSP_MAX_QUEUE_SIZE=text).queue_spans == size


def test_without_a_collector_nothing_is_traced() -> None:
    traces = Traces(UNSAID, [], bot="b", version="1", environment={})
    assert not traces.on
    assert not traces.traced(CALL)
    assert traces.readings() == SpanReadings()
    traces.shutdown(0)


def loaded_by(telemetry: str) -> list[str]:
    """The libraries that a fresh process has loaded when its traces are set up."""
    code = f"""
import sys
from pathlib import Path
from sidecar.config.model import Otlp, Telemetry
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.traces import Traces
Traces({telemetry}, [], bot="b", version="1", environment={{}})
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - our own words


def test_whoever_traces_nothing_loads_no_tracing_library() -> None:
    loaded = loaded_by("Telemetry()")
    assert "sidecar" in loaded
    assert "opentelemetry" not in loaded


def test_whoever_exports_over_http_does_not_load_grpc() -> None:
    loaded = loaded_by('Telemetry(otlp=Otlp(endpoint="http://127.0.0.1:9"))')
    assert "opentelemetry" in loaded
    assert "grpc" not in loaded


def test_a_file_alone_turns_tracing_on_without_a_collector(tmp_path: Path) -> None:
    found = settings(Telemetry(file=tmp_path / "spans.jsonl"))
    assert (found.file, found.otlp) == (tmp_path / "spans.jsonl", False)


def test_a_collector_can_be_switched_off_while_the_file_goes_on(tmp_path: Path) -> None:
    telemetry = Telemetry(file=tmp_path / "spans.jsonl", otlp=Otlp(endpoint="http://collector:4318"))
    assert settings(telemetry).otlp
    assert not settings(telemetry, OTEL_TRACES_EXPORTER="none").otlp
