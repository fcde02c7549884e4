"""Metrics of the orders that the sidecar itself carries."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

from sidecar.telemetry.events import ORDER_REFUSALS, Bus, OrderRefused, OrderStateChanged
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape, OrdersReading
from sidecar.words import OrderState

LASTING: Final = tuple(state for state in OrderState if not state.final)
RESULTS: Final = tuple(state for state in OrderState if not state.open)
"""What the broker's answer, or the end, can be."""

ReadOrders = Callable[[], Sequence[OrdersReading]]


class OrderMetrics:
    """By broker. Brokers whose orders the sidecar does not carry have series at 0, so that rules need no exceptions."""

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        names = [shape.name for shape in shapes]
        self._orders = Family(
            "sidecar_orders_carried", "Carried orders in each state that can still change.", ("broker", "state")
        ).born(product(names, LASTING))
        self._results = counter(
            "sidecar_orders_total", "Carried orders and cancels that came to a result.", ("broker", "result")
        ).born(product(names, RESULTS))
        self._oldest = Family(
            "sidecar_order_queue_age_seconds", "How long the oldest order that waits has waited.", ("broker",)
        ).born((name,) for name in names)
        self._refused = counter(
            "sidecar_order_refusals_total", "Orders that were not accepted to be carried.", ("broker", "reason")
        ).born(product(names, ORDER_REFUSALS))

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return (self._orders, self._results, self._oldest, self._refused)

    def subscribe(self, bus: Bus) -> None:
        """Listen to what becomes of orders."""
        bus.subscribe(OrderStateChanged, self._on_change)
        bus.subscribe(OrderRefused, self._on_refusal)

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing to read of a broker: the orders are read by themselves."""

    def show(self, readings: Sequence[OrdersReading]) -> None:
        """Set what is read of the queues."""
        for reading in readings:
            for state in LASTING:
                self._orders[reading.broker, state].value = reading.counts.get(state, 0)
            self._oldest[reading.broker,].value = reading.oldest_seconds

    def _on_change(self, event: OrderStateChanged) -> None:
        if not event.to_state.open:
            self._results[event.broker, event.to_state].value += 1

    def _on_refusal(self, event: OrderRefused) -> None:
        self._refused[event.broker, event.reason].value += 1
