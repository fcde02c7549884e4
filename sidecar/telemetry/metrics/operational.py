"""Metrics of what the sidecar as a whole is doing, and of what its checks have found."""

from collections.abc import Sequence
from itertools import permutations, product

from sidecar.telemetry.events import RELOADS, BrokerChecked, Bus, OperationalStateChanged, Reloaded
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape
from sidecar.words import OperationalState, Readiness


class OperationalMetrics:
    """The operational state, and each broker's readiness."""

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        self._state = Family(
            "sidecar_operational_state", "1 for what the sidecar as a whole is doing.", ("state",)
        ).born((state,) for state in OperationalState)
        self._state[OperationalState.STARTING,].value = 1
        self._changes = counter(
            "sidecar_operational_state_transitions_total",
            "Changes of what the sidecar as a whole is doing.",
            ("from_state", "to_state"),
        ).born(permutations(OperationalState, 2))
        names = [shape.name for shape in shapes]
        self._readiness = Family(
            "sidecar_broker_readiness", "1 for what the start-up checks of the broker have found.", ("broker", "state")
        ).born(product(names, Readiness))
        for name in names:
            self._readiness[name, Readiness.CHECKING].value = 1
        self._reloads = counter("sidecar_reloads_total", "Times the configuration was read anew.", ("result",)).born(
            (result,) for result in RELOADS
        )

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return self._state, self._changes, self._readiness, self._reloads

    def subscribe(self, bus: Bus) -> None:
        """Listen to the states."""
        bus.subscribe(OperationalStateChanged, self._on_change)
        bus.subscribe(BrokerChecked, self._on_check)
        bus.subscribe(Reloaded, self._on_reload)

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing to read of a broker."""

    def _on_change(self, event: OperationalStateChanged) -> None:
        for state in OperationalState:
            self._state[state,].value = state is event.to_state
        self._changes[event.from_state, event.to_state].value += 1

    def _on_check(self, event: BrokerChecked) -> None:
        for state in Readiness:
            self._readiness[event.broker, state].value = state is event.to_state

    def _on_reload(self, event: Reloaded) -> None:
        self._reloads[event.result,].value += 1
