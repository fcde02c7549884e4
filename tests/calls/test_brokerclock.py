"""How far the broker's clock is away is learnt from its answers."""

from email.utils import formatdate

import pytest

from sidecar.calls.brokerclock import BrokerClock
from sidecar.clock import VirtualClock
from sidecar.telemetry.events import Bus, ClockOffsetLearnt


class World:
    """A machine whose broker's clock is ahead of its own."""

    def __init__(self, ahead: float) -> None:
        self.clock = VirtualClock(1_800_000_000.3)
        self.ahead = ahead
        self.told: list[ClockOffsetLearnt] = []
        bus = Bus(self.clock)
        bus.subscribe(ClockOffsetLearnt, self.told.append)
        self.broker = BrokerClock("binance", bus, self.clock)

    def answer(self, seconds: float = 0.1) -> None:
        """An answer that was written halfway through."""
        self.clock.advance(seconds)
        date = formatdate(int(self.clock.now() - seconds / 2 + self.ahead), usegmt=True)
        self.broker.hear(((b"Date", date.encode()),), seconds)

    def ask(self, seconds: float = 0.1) -> None:
        self.clock.advance(seconds)
        self.broker.learn(self.clock.now() - seconds / 2 + self.ahead, seconds)


def test_nothing_known_means_no_offset() -> None:
    assert World(5).broker.offset == 0


@pytest.mark.parametrize("ahead", [0.0, 0.4, -3.7, 600.0])
def test_one_date_places_the_clock_within_a_second(ahead: float) -> None:
    world = World(ahead)
    world.answer()
    assert world.broker.offset == pytest.approx(ahead, abs=0.6)


@pytest.mark.parametrize("ahead", [0.0, 0.4, -3.7])
def test_several_dates_place_it_better(ahead: float) -> None:
    world = World(ahead)
    for _ in range(30):
        world.answer()
        world.clock.advance(10.37)
    assert world.broker.offset == pytest.approx(ahead, abs=0.15)


def test_the_endpoint_for_the_time_is_precise_and_no_date_blurs_it() -> None:
    world = World(30.25)
    world.ask(0.04)
    world.clock.advance(20)
    world.answer()
    assert world.broker.offset == pytest.approx(30.25, abs=0.021)


def test_a_clock_that_was_set_is_followed() -> None:
    world = World(0)
    world.ask()
    world.ahead = -7
    world.ask()
    assert world.broker.offset == pytest.approx(-7, abs=0.06)
    assert [round(event.offset) for event in world.told] == [0, -7]


def test_an_answer_without_a_date_teaches_nothing() -> None:
    world = World(3)
    world.broker.hear(((b"Date", b"soon"),), 0.1)
    world.broker.hear((), 0.1)
    assert world.told == []


def test_a_steady_clock_is_told_once() -> None:
    world = World(2)
    for _ in range(5):
        world.ask()
    assert len(world.told) == 1
