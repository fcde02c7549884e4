"""Metrics of calls that carry an idempotency key."""

from collections.abc import Sequence
from itertools import product

from sidecar.telemetry.events import REPLAYS, Bus, CallReplayed
from sidecar.telemetry.metrics.families import AnyFamily, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape


class IdempotencyMetrics:
    """Calls that were answered by their key, by broker and result; what was sent is counted with all other calls."""

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        self._answered = counter(
            "sidecar_idempotent_calls_total",
            "Calls that were answered by their idempotency key and not sent.",
            ("broker", "result"),
        ).born(product((shape.name for shape in shapes), REPLAYS))

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return (self._answered,)

    def subscribe(self, bus: Bus) -> None:
        """Listen to the calls that were not sent."""
        bus.subscribe(CallReplayed, self._on_replayed)

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing to read: the events tell all."""

    def _on_replayed(self, event: CallReplayed) -> None:
        self._answered[event.broker, event.result].value += 1
