"""What the sidecar as a whole is doing follows from its brokers."""

from itertools import product

import pytest

from sidecar.clock import VirtualClock
from sidecar.health.operational import Operational
from sidecar.telemetry.events import Bus, OperationalStateChanged
from sidecar.telemetry.state import ReadinessReading
from sidecar.words import OperationalState, Readiness


class House:
    """An operational state, and what it told."""

    def __init__(self, *brokers: str) -> None:
        self.clock = VirtualClock()
        bus = Bus(self.clock)
        self.told: list[OperationalStateChanged] = []
        bus.subscribe(OperationalStateChanged, self.told.append)
        self.operational = Operational(brokers, bus=bus, clock=self.clock)

    def found(self, broker: str, state: Readiness) -> None:
        self.operational.stands(ReadinessReading(broker, state, "why", self.clock.now(), None))


def test_it_starts_until_the_sockets_are_open_whatever_the_brokers_say() -> None:
    house = House("binance")
    house.found("binance", Readiness.READY)
    assert house.operational.reading().state is OperationalState.STARTING
    assert (house.operational.started, house.operational.ready[0]) == (False, False)
    house.operational.open()
    assert (house.operational.started, house.operational.ready[0]) == (True, True)


@pytest.mark.parametrize("others", list(product(Readiness, repeat=2)))
def test_one_broker_that_can_be_traded_with_is_enough_to_be_active(others: tuple[Readiness, Readiness]) -> None:
    house = House("a", "b", "c")
    house.operational.open()
    for broker, state in zip("abc", (*others, Readiness.READY), strict=True):
        house.found(broker, state)
    assert house.operational.reading().state is OperationalState.ACTIVE


def test_it_is_an_error_only_when_no_broker_may_come_by_itself() -> None:
    house = House("a", "b")
    house.operational.open()
    house.found("a", Readiness.ERROR)
    house.found("b", Readiness.WAITING)
    assert house.operational.reading().state is OperationalState.WAITING
    house.found("b", Readiness.ERROR)
    assert house.operational.reading().state is OperationalState.ERROR


def test_being_up_does_not_depend_on_a_broker_and_being_ready_does() -> None:
    house = House("a")
    house.operational.open()
    house.found("a", Readiness.WAITING)
    assert house.operational.started is True
    assert house.operational.ready == (False, "waiting: a: why")


def test_each_change_is_told_once_with_how_long_it_lasted() -> None:
    house = House("a")
    house.clock.advance(2)
    house.operational.open()
    house.found("a", Readiness.WAITING)
    house.clock.advance(300)
    house.found("a", Readiness.WAITING)
    house.found("a", Readiness.READY)
    assert [(event.from_state, event.to_state, event.seconds) for event in house.told] == [
        (OperationalState.STARTING, OperationalState.WAITING, 2),
        (OperationalState.WAITING, OperationalState.ACTIVE, 300),
    ]


def test_nothing_changes_after_the_order_to_stop() -> None:
    house = House("a")
    house.operational.open()
    house.operational.shut_down("SIGTERM")
    house.found("a", Readiness.READY)
    assert house.operational.reading().state is OperationalState.SHUTDOWN
    assert house.operational.ready == (False, "stopping")
