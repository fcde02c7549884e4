"""Buckets refill steadily, and keep a share for those who get out of risk."""

from typing import Any

import pytest

from sidecar.calls.limiter import LimitSettingsError
from sidecar.telemetry.events import LimitLearnt
from sidecar.words import Priority
from tests.calls.limiter.bench import OK, Bench, bucket, intent

PRICE = intent()
CANCEL = intent(Priority.CANCEL, "orders")


def granted(bench: Bench, priority: Priority = Priority.MARKET_DATA, group: str = "pricing") -> int:
    count = 0
    while bench.limiter.try_acquire(intent(priority, group)) is not None:
        count += 1
    return count


def test_a_bucket_lets_its_burst_go_but_for_the_reserve() -> None:
    bench = Bench(bucket("global", rate=10, burst=100))
    assert granted(bench) == 90
    assert granted(bench, Priority.CANCEL) == 10


def test_a_bucket_refills_at_its_rate() -> None:
    bench = Bench(bucket("global", rate=10, burst=100))
    granted(bench)
    bench.clock.advance(2)
    assert granted(bench) == 20


def test_a_group_has_its_own_bucket_beside_the_global_one() -> None:
    bench = Bench(bucket("global", rate=1, burst=100), bucket("streaming", rate=1, burst=10, group="streaming"))
    assert granted(bench, group="streaming") == 9
    assert granted(bench) == 81


def test_a_bucket_too_small_for_a_reserve_lets_a_call_go_when_it_is_full() -> None:
    bench = Bench(bucket("global", rate=1, burst=1))
    assert granted(bench) == 1
    bench.clock.advance(0.9)
    assert granted(bench) == 0
    bench.clock.advance(0.2)
    assert granted(bench) == 1


def test_an_answer_gives_no_token_back() -> None:
    bench = Bench(bucket("global", rate=1, burst=1))
    bench.limiter.settle(bench.lease(PRICE), (), OK)
    assert bench.limiter.try_acquire(PRICE) is None


def test_a_bucket_tells_what_is_spent_and_when_it_will_be_empty() -> None:
    bench = Bench(bucket("global", rate=10, burst=100))
    for _ in range(30):
        for _ in range(12):
            bench.lease(PRICE)
        bench.clock.advance(1)
    state = bench.state("global")
    assert state.used == pytest.approx(60, abs=3)
    assert state.exhaustion_seconds == pytest.approx(20, abs=3)
    assert state.read_at is None


def test_a_bucket_that_refills_as_fast_as_it_is_used_has_no_forecast() -> None:
    bench = Bench(bucket("global", rate=10, burst=100))
    for _ in range(30):
        for _ in range(8):
            bench.lease(PRICE)
        bench.clock.advance(1)
    assert bench.state("global").exhaustion_seconds is None


def test_settings_change_a_bucket() -> None:
    bench = Bench(bucket("global", rate=10, burst=100), buckets={"global": {"burst": 20}})
    assert granted(bench) == 18


def test_settings_add_a_bucket() -> None:
    bench = Bench(bucket("global", rate=10, burst=100), buckets={"slow": {"rate": 10, "group": "orders"}})
    assert bench.limiter.names == ("global", "slow")
    assert granted(bench, Priority.ORDER, "orders") == 9


def test_settings_add_a_window_that_counts_calls() -> None:
    bench = Bench(bucket("global", rate=100, burst=100), windows={"calls_5m": {"capacity": 10, "seconds": 300}})
    assert granted(bench) == 9
    assert bench.state("calls_5m").used == 9


@pytest.mark.parametrize(
    "settings",
    [
        {"windows": {"new": {"capacity": 10}}},
        {"windows": {"new": {"seconds": 10}}},
        {"buckets": {"new": {"burst": 10}}},
        {"windows": {"global": {"capacity": 10, "seconds": 10}}},
        {"windows": {"x": {"capacity": 1, "seconds": 1}}, "buckets": {"x": {"rate": 1}}},
    ],
)
def test_a_limit_that_is_not_fully_described_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(LimitSettingsError, match=r"brokers\.binance\.limits"):
        Bench(bucket("global", rate=10, burst=100), **settings)


def test_a_bucket_that_the_broker_announces_is_learnt() -> None:
    bench = Bench(bucket("global", rate=10, burst=100))
    bench.limiter.learn([bucket("global", rate=5, burst=50)])
    assert granted(bench) == 45
    assert [event.capacity for event in bench.events(LimitLearnt)] == [50]


def test_reset_fills_the_bucket() -> None:
    bench = Bench(bucket("global", rate=10, burst=100))
    granted(bench, Priority.CANCEL, "orders")
    bench.limiter.reset("the broker has raised it")
    assert bench.limiter.try_acquire(CANCEL) is not None
    assert bench.state("global").used == 1
