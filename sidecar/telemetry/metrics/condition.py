"""Metrics of the brokers' condition: the state now, and every change."""

from collections.abc import Sequence
from itertools import permutations, product

from sidecar.telemetry.events import BrokerStateChanged, Bus
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape
from sidecar.words import BrokerState


class ConditionMetrics:
    """Conditions by broker. The state is read at the scrape; the counter shows what is shorter than a scrape."""

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        brokers = [(shape.name,) for shape in shapes]
        self._state = Family("sidecar_broker_state", "1 for the condition that the broker is in.", ("broker", "state"))
        self._state.born((*broker, state) for broker, state in product(brokers, BrokerState))
        self._changes = counter(
            "sidecar_broker_state_transitions_total",
            "Changes of a broker's condition.",
            ("broker", "from_state", "to_state"),
        ).born((*broker, *change) for broker, change in product(brokers, permutations(BrokerState, 2)))
        self._unavailable = Family(
            "sidecar_broker_consecutive_unavailable",
            "Answers in a row by which the broker said that it is away.",
            ("broker",),
        ).born(brokers)
        self._probe = Family(
            "sidecar_broker_next_probe_timestamp_seconds", "When the broker is looked at next.", ("broker",)
        )
        self._held = Family(
            "sidecar_new_risk_held", "1 while no new risk is sent because start-up checks have not passed.", ("broker",)
        ).born(brokers)

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return self._state, self._changes, self._unavailable, self._probe, self._held

    def subscribe(self, bus: Bus) -> None:
        """Listen to the conditions."""
        bus.subscribe(BrokerStateChanged, self._on_change)

    def refresh(self, reading: BrokerReading) -> None:
        """Set the gauges of one broker."""
        condition = reading.condition
        for state in BrokerState:
            self._state[reading.name, state].value = condition.state == state
        self._unavailable[reading.name,].value = condition.consecutive_503
        self._probe[reading.name,].value = condition.next_probe
        self._held[reading.name,].value = bool(reading.held)

    def _on_change(self, event: BrokerStateChanged) -> None:
        self._changes[event.broker, event.from_state, event.to_state].value += 1
