"""What is kept of an error, from its first sight to its end."""

import asyncio
from pathlib import Path

import pytest

from sidecar.alerting.ledger import Ledger
from sidecar.alerting.registry import MOST_RESOLVED, MOST_SUBJECTS, OTHERS, Registry
from sidecar.alerting.types import ErrorType
from sidecar.clock import VirtualClock
from sidecar.store import Store
from sidecar.telemetry.events import Bus, ErrorRaised, ErrorResolved
from tests.alerting.support import kept

BROKER = "binance"
LOST = ErrorType.STREAM_LOST


class Bench:
    def __init__(self, store: Store | None = None, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        bus = Bus(self.clock)
        self.raised: list[ErrorRaised] = []
        self.resolved: list[ErrorResolved] = []
        bus.subscribe(ErrorRaised, self.raised.append)
        bus.subscribe(ErrorResolved, self.resolved.append)
        self.ledger = Ledger(store, self.clock)
        self.registry = Registry(bus, self.clock, self.ledger)


def test_an_error_that_happens_again_is_counted_and_not_doubled() -> None:
    bench = Bench()
    for _ in range(3):
        bench.registry.happened(LOST, BROKER, "prices")
        bench.clock.advance(10)

    (record,) = bench.registry.all()

    assert (record.count, record.last - record.first) == (3, 20)
    assert [event.count for event in bench.raised] == [1, 2, 3]
    assert {event.id for event in bench.raised} == {record.id}


def test_an_error_that_comes_back_after_its_end_is_another_one() -> None:
    bench = Bench()
    bench.registry.happened(LOST, BROKER, "prices")
    bench.clock.advance(10)
    bench.registry.ended(LOST, BROKER, "prices")
    bench.registry.happened(LOST, BROKER, "prices")

    newest, oldest = sorted(bench.registry.all(), key=lambda record: record.resolved is not None)

    assert newest.resolved is None
    assert (oldest.resolved, oldest.resolution) == (oldest.first + 10, "over")
    (event,) = bench.resolved
    assert (event.seconds, event.count, event.reason) == (10, 1, "over")


def test_only_the_subject_that_ended_is_over() -> None:
    bench = Bench()
    bench.registry.happened(LOST, BROKER, "prices")
    bench.registry.happened(LOST, BROKER, "account")
    bench.registry.happened(LOST, "oanda", "prices")

    bench.registry.ended(LOST, BROKER, "prices")

    assert {(record.broker, record.subject) for record in bench.registry.lasting()} == {
        (BROKER, "account"),
        ("oanda", "prices"),
    }


def test_a_person_can_say_that_it_is_over_once() -> None:
    bench = Bench()
    bench.registry.happened(ErrorType.ORDER_DEAD, BROKER, "order-1")
    (record,) = bench.registry.all()

    for _ in range(2):
        bench.registry.resolve(record.id, "looked it up")

    assert (record.resolution, record.note) == ("manual", "looked it up")
    assert len(bench.resolved) == 1
    assert bench.registry.resolve("nothing-like-it", "why") is None


def test_what_has_no_other_end_is_over_when_it_was_quiet_for_an_hour() -> None:
    bench = Bench()
    bench.registry.happened(ErrorType.ORDER_EXPIRED, BROKER, "order-1")
    bench.registry.happened(LOST, BROKER, "prices")

    bench.clock.advance(3599)
    bench.registry.sweep()
    assert bench.resolved == []

    bench.clock.advance(1)
    bench.registry.sweep()
    assert [(event.error_type, event.reason) for event in bench.resolved] == [("order_expired", "quiet")]


def test_what_is_over_is_forgotten_in_time() -> None:
    bench = Bench()
    for number in range(MOST_RESOLVED + 5):
        bench.registry.happened(LOST, BROKER, str(number))
        bench.registry.ended(LOST, BROKER, str(number))

    assert len(bench.registry.all()) == MOST_RESOLVED
    assert "4" not in {record.subject for record in bench.registry.all()}


def test_a_flood_of_subjects_is_counted_as_others() -> None:
    bench = Bench()
    for number in range(MOST_SUBJECTS + 50):
        bench.registry.happened(ErrorType.ORDER_EXPIRED, BROKER, f"order-{number}")

    others = [record for record in bench.registry.all() if record.subject == OTHERS]

    assert [record.count for record in others] == [50]
    assert len(bench.registry.all()) == MOST_SUBJECTS + 1


def test_what_a_broker_wrote_into_the_context_is_cleaned() -> None:
    bench = Bench()
    bench.registry.happened(
        ErrorType.AUTH_FAILED, BROKER, context={"reason": "signature=abcdef is wrong", "api_key": "k", "code": "-2015"}
    )

    (record,) = bench.registry.all()

    assert record.context == {"reason": "signature=[redacted]", "code": "-2015"}


def test_the_reading_counts_what_lasts() -> None:
    bench = Bench()
    bench.registry.happened(LOST, BROKER, "prices")
    bench.registry.happened(LOST, BROKER, "account")
    bench.registry.happened(ErrorType.DATABASE)
    bench.registry.ended(ErrorType.DATABASE)

    assert set(bench.registry.reading().unresolved) == {
        (BROKER, "stream_lost", "error", 2),
        ("", "database", "error", 0),
    }


@pytest.mark.parametrize("resolved", [True, False])
def test_a_restart_forgets_nothing(tmp_path: Path, resolved: bool) -> None:
    clock = VirtualClock()

    async def main() -> None:
        async with kept(tmp_path / "state.db") as store:
            first = Bench(store, clock)
            for _ in range(3):
                first.registry.happened(LOST, BROKER, "prices", {"reason": "lost"})
            first.registry.noted((LOST, BROKER))
            if resolved:
                first.registry.resolve(first.raised[0].id, "it is fine")
            first.ledger.flush()
            second = Bench(store, clock)
            await second.registry.load()
            (before,), (after,) = first.registry.all(), second.registry.all()
            assert after.inherited is not resolved
            after.inherited = False
            assert after == before
            assert (after.count, after.notified, after.context) == (3, 1, {"reason": "lost"})

    clock.run(main())


def test_a_storm_is_written_twice_a_second(tmp_path: Path) -> None:
    clock = VirtualClock()

    async def main() -> None:
        async with kept(tmp_path / "state.db") as store:
            bench = Bench(store, clock)
            for _ in range(1000):
                bench.registry.happened(LOST, BROKER, "prices")
                await clock.sleep(0.001)
            assert 2 <= store.readings().writes <= 4
            await clock.sleep(1)
            again = Bench(store, clock)
            await again.registry.load()
            assert [record.count for record in again.registry.all()] == [1000]

    clock.run(main())


def test_only_what_was_inherited_ends_by_evidence_that_is_weak(tmp_path: Path) -> None:
    clock = VirtualClock()

    async def main() -> None:
        async with kept(tmp_path / "state.db") as store:
            Bench(store, clock).registry.happened(LOST, BROKER, "prices")
            bench = Bench(store, clock)
            await bench.registry.load()
            bench.registry.happened(LOST, BROKER, "account")
            bench.registry.ended(LOST, BROKER, inherited=True)
            assert [record.subject for record in bench.registry.lasting()] == ["account"]

    clock.run(main())


async def test_a_real_store_keeps_it_too(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    await store.open()
    Bench(store).registry.happened(LOST, BROKER, "prices")
    await store.close()
    store = Store(tmp_path / "state.db")
    await store.open()
    bench = Bench(store)
    await bench.registry.load()
    assert [record.subject for record in bench.registry.all()] == ["prices"]
    await asyncio.wait_for(store.close(), 5)
    bench.registry.happened(LOST, BROKER, "account")  # the file is closed: harmless
