"""Traces: one span a call and one an attempt, sent to an OpenTelemetry collector."""

from sidecar.telemetry.traces.readings import SpanReadings
from sidecar.telemetry.traces.sampling import Sampling
from sidecar.telemetry.traces.tracing import Traces

__all__ = ["Sampling", "SpanReadings", "Traces"]
