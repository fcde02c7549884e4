"""Where traces go and how many: the configuration, completed by OpenTelemetry's environment variables.

What the configuration says wins; the variables fill in what it leaves open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from sidecar.config.model import Telemetry

Protocol = Literal["http/protobuf", "grpc"]

TRACES_PATH = "/v1/traces"
"""What OTLP over HTTP appends to a collector's base URL."""
QUEUE_SPANS = 2048
"""How many spans may wait for export; OpenTelemetry's default."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_RATIO_SAMPLERS = {"traceidratio", "parentbased_traceidratio"}
_OFF_SAMPLERS = {"always_off", "parentbased_always_off"}


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Tracing, when it is on."""

    file: Path | None
    """The file that spans are appended to; None for none."""
    otlp: bool
    """Whether spans go to a collector."""
    endpoint: str | None
    """The collector's URL; None lets the exporter read the environment itself."""
    protocol: Protocol
    ratio: float
    """Share of plain reads that are traced."""
    queue_spans: int


def trace_settings(telemetry: Telemetry, environment: Mapping[str, str]) -> TraceSettings | None:
    """What tracing needs to know; None when it is off, because nobody said where traces go or somebody said no."""
    named = telemetry.otlp.endpoint or next(filter(None, map(environment.get, _ENDPOINTS)), None)
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    otlp = bool(named) and environment.get("OTEL_TRACES_EXPORTER", "").strip() != "none"
    if disabled or not (otlp or telemetry.file):
        return None
    protocol = _protocol(telemetry, environment)
    return TraceSettings(
        file=telemetry.file,
        otlp=otlp,
        endpoint=_endpoint(telemetry.otlp.endpoint, protocol),
        protocol=protocol,
        ratio=_ratio(telemetry, environment),
        queue_spans=_queue(environment),
    )


def _endpoint(configured: str | None, protocol: Protocol) -> str | None:
    if configured is None or protocol == "grpc" or configured.endswith(TRACES_PATH):
        return configured
    return configured + TRACES_PATH


def _protocol(telemetry: Telemetry, environment: Mapping[str, str]) -> Protocol:
    if "protocol" not in telemetry.otlp.model_fields_set:
        named = next(filter(None, map(environment.get, _PROTOCOLS)), None)
        if named in {"grpc", "http/protobuf"}:
            return cast("Protocol", named)
    return telemetry.otlp.protocol


def _ratio(telemetry: Telemetry, environment: Mapping[str, str]) -> float:
    if "sample_ratio" in telemetry.model_fields_set:
        return telemetry.sample_ratio
    sampler = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    if sampler in _OFF_SAMPLERS:
        return 0.0
    if sampler in _RATIO_SAMPLERS:
        return _share(environment.get("OTEL_TRACES_SAMPLER_ARG", ""), telemetry.sample_ratio)
    return telemetry.sample_ratio


def _share(text: str, otherwise: float) -> float:
    try:
        share = float(text)
    except ValueError:
        return otherwise
    return share if 0 <= share <= 1 else otherwise


def _queue(environment: Mapping[str, str]) -> int:
    text = environment.get("OTEL_BSP_MAX_QUEUE_SIZE", "")
    return int(text) if text.isdecimal() and int(text) > 0 else QUEUE_SPANS
