"""Metrics of the circuit breakers: the state now, and every change."""

from collections.abc import Iterator, Sequence
from itertools import product

from sidecar.telemetry.events import BreakerTransition, Bus
from sidecar.telemetry.metrics.families import AnyFamily, Family, Labels, counter, set_or_hide
from sidecar.telemetry.state import BreakerReading, BrokerReading, BrokerShape
from sidecar.words import BreakerMode, BreakerState

_BY_ITSELF = (
    (BreakerState.CLOSED, BreakerState.OPEN, "failures"),
    (BreakerState.CLOSED, BreakerState.OPEN, "failure_rate"),
    (BreakerState.CLOSED, BreakerState.OPEN, "slow_calls"),
    (BreakerState.OPEN, BreakerState.HALF_OPEN, "recovery"),
    (BreakerState.OPEN, BreakerState.CLOSED, "probe_ok"),
    (BreakerState.HALF_OPEN, BreakerState.CLOSED, "probe_ok"),
    (BreakerState.HALF_OPEN, BreakerState.OPEN, "probe_failed"),
)


def transitions() -> Iterator[tuple[str, str, str]]:
    """Every change that a breaker makes by itself or that a person can order: from, to, reason.

    A person's order is told even when it changes nothing.
    """
    yield from _BY_ITSELF
    yield from ((before, after, "manual") for before, after in product(BreakerState, BreakerState))


class BreakerMetrics:
    """Breakers by broker and endpoint group.

    The state is read at the scrape, so that it can never be left behind; the counter is there for the openings that
    are shorter than the time between two scrapes.
    """

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        group = ("broker", "group")
        groups = [(shape.name, group) for shape in shapes for group in shape.groups]
        self._state = Family(
            "sidecar_breaker_state", "1 for the state that the breaker is in.", (*group, "state")
        ).born((*key, state) for key, state in product(groups, BreakerState))
        self._mode = Family("sidecar_breaker_mode", "1 for how the breaker is run.", (*group, "mode")).born(
            (*key, mode) for key, mode in product(groups, BreakerMode)
        )
        self._changes = counter(
            "sidecar_breaker_transitions_total",
            "Changes of a breaker's state.",
            (*group, "from_state", "to_state", "reason"),
        ).born((*key, *change) for key, change in product(groups, transitions()))
        self._failing = Family(
            "sidecar_breaker_failure_ratio", "Share of failed calls in the breaker's window.", group
        ).born(groups)
        self._slow = Family("sidecar_breaker_slow_ratio", "Share of slow calls in the breaker's window.", group).born(
            groups
        )
        self._probe = Family(
            "sidecar_breaker_next_probe_timestamp_seconds", "When an open breaker lets the next probe through.", group
        )

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return self._state, self._mode, self._changes, self._failing, self._slow, self._probe

    def subscribe(self, bus: Bus) -> None:
        """Listen to the breakers."""
        bus.subscribe(BreakerTransition, self._on_change)

    def refresh(self, reading: BrokerReading) -> None:
        """Set the gauges of one broker."""
        for breaker in reading.breakers:
            self._show((reading.name, breaker.group), breaker)

    def _show(self, key: Labels, breaker: BreakerReading) -> None:
        for state in BreakerState:
            self._state[(*key, state)].value = breaker.state == state
        for mode in BreakerMode:
            self._mode[(*key, mode)].value = breaker.mode == mode
        self._failing[key].value = breaker.failure_rate
        self._slow[key].value = breaker.slow_rate
        set_or_hide(self._probe, key, breaker.retry_at)

    def _on_change(self, event: BreakerTransition) -> None:
        self._changes[event.broker, event.group, event.from_state, event.to_state, event.reason].value += 1
