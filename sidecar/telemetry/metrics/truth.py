"""Metrics of what the sidecar asks brokers by itself: orders in doubt, the broker's clock, and logins."""

from collections.abc import Sequence
from itertools import product

from sidecar.telemetry.events import Bus, ClockOffsetLearnt, LoginFinished, OrderLookedUp
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape
from sidecar.words import LoginResult, LookResult


class TruthMetrics:
    """Looks at orders, logins, clock offsets. An offset has no series until it is known: 0 would read as agreement."""

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        self._lookups = counter(
            "sidecar_order_lookups_total",
            "Looks at orders whose outcome was in doubt.",
            ("broker", "result"),
        ).born((shape.name, result) for shape, result in product(shapes, LookResult))
        self._logins = counter(
            "sidecar_logins_total", "Logins at the broker with the sidecar's own keys.", ("broker", "result")
        ).born((shape.name, result) for shape, result in product(shapes, LoginResult))
        self._offset = Family(
            "sidecar_clock_offset_seconds", "Seconds that the broker's clock is ahead of this machine's.", ("broker",)
        )

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return (self._lookups, self._logins, self._offset)

    def subscribe(self, bus: Bus) -> None:
        """Listen to looks, logins and clocks."""
        bus.subscribe(OrderLookedUp, self._on_look)
        bus.subscribe(LoginFinished, self._on_login)
        bus.subscribe(ClockOffsetLearnt, self._on_offset)

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing is read at a scrape."""

    def _on_look(self, event: OrderLookedUp) -> None:
        self._lookups[event.broker, event.result].value += 1

    def _on_login(self, event: LoginFinished) -> None:
        self._logins[event.broker, event.result].value += 1

    def _on_offset(self, event: ClockOffsetLearnt) -> None:
        self._offset[event.broker,].value = event.offset
