"""Traces as the rest of the sidecar sees them: on or off, fed by the bus, shut down at the end."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sidecar.config.model import Telemetry
from sidecar.telemetry.events import Bus, CallFinished, OperationTraced
from sidecar.telemetry.state import BrokerShape
from sidecar.telemetry.traces.readings import SpanReadings
from sidecar.telemetry.traces.sampling import Sampling
from sidecar.telemetry.traces.settings import trace_settings

if TYPE_CHECKING:  # the SDK costs some 10 MB and 100 ms: only who traces pays
    from opentelemetry.sdk.trace.export import SpanExporter

    from sidecar.telemetry.traces.delivery import Delivery


class Traces:
    """Turns finished calls into spans and has them exported.

    Off, with no cost at all, unless the configuration or the `OTEL_EXPORTER_OTLP_…` variables say where spans go.
    `exporter` takes the place of OTLP, for tests.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        shapes: Sequence[BrokerShape],
        *,
        bot: str,
        version: str,
        environment: Mapping[str, str] = os.environ,
        exporter: "SpanExporter | None" = None,
    ) -> None:
        self._delivery: Delivery | None = None
        self._sampling = Sampling(0.0)
        settings = trace_settings(telemetry, environment)
        if settings is None:
            return
        from sidecar.telemetry.traces.delivery import start_delivery  # noqa: PLC0415 - see TYPE_CHECKING above

        self._sampling = Sampling(settings.ratio)
        self._delivery = start_delivery(settings, shapes, bot=bot, version=version, exporter=exporter)

    @property
    def on(self) -> bool:
        """Whether calls are traced at all."""
        return self._delivery is not None

    def traced(self, call: CallFinished) -> bool:
        """Whether this call has spans: for exemplars and log lines that want to name its trace."""
        return self._delivery is not None and self._sampling.traced(call)

    def subscribe(self, bus: Bus) -> None:
        """Listen to calls and operations; to nothing when tracing is off."""
        if self._delivery is not None:
            bus.subscribe(CallFinished, self._on_call)
            bus.subscribe(OperationTraced, self._delivery.deliver_operation)

    def readings(self) -> SpanReadings:
        """How the export fares."""
        return SpanReadings() if self._delivery is None else self._delivery.readings()

    def shutdown(self, timeout: float) -> None:
        """Export what waits and stop. Blocks, for at most `timeout` seconds; what is left then is lost."""
        if self._delivery is not None:
            self._delivery.shutdown(timeout)

    def _on_call(self, call: CallFinished) -> None:
        if self._delivery is not None and self._sampling.traced(call):
            self._delivery.deliver(call)
