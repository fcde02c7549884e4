"""Metrics: what happened, as numbers that Prometheus reads."""

from sidecar.telemetry.metrics.registry import Metrics

__all__ = ["Metrics"]
