"""Windowed limits: the broker's word is the truth, and what is in flight comes on top."""

import math

import pytest

from sidecar.brokers.limits import Reading, Scope, WindowSpec
from sidecar.brokers.profile import Verdict
from sidecar.telemetry.events import LimitLearnt, LimitReading, LimitThreshold
from sidecar.words import Outcome, Priority
from tests.calls.limiter.bench import OK, ORDERS, WEIGHT, Bench, bucket, intent, told, weight


def test_a_reading_that_includes_other_users_counts() -> None:
    bench = Bench()
    bench.spend(1, used=70)
    assert bench.state().used == 70


def test_a_reading_counts_with_what_is_in_flight_on_top() -> None:
    bench = Bench()
    bench.lease(weight(15))
    bench.spend(1, used=40)
    assert bench.state().used == 55


def test_own_calls_and_reading_are_not_added_up() -> None:
    bench = Bench()
    for used in range(1, 31):
        bench.spend(1, used=used)
    assert bench.state().used == 30


def test_a_reading_lower_than_our_own_count_does_not_free_anything() -> None:
    bench = Bench()
    for _ in range(4):
        bench.spend(10)
    bench.spend(10, used=12)
    assert bench.state().used == 50


def test_a_reading_replaces_an_older_one_when_others_are_not_seen_any_more() -> None:
    bench = Bench()
    crowd = [bench.lease() for _ in range(20)]
    for used, lease in zip(range(20, 0, -1), crowd, strict=True):
        bench.limiter.settle(lease, told(used), OK)
    assert bench.state().used > 20
    for used in (21, 22, 23):
        bench.spend(1, used=used)
    assert bench.state().used == 23


def test_an_overtaken_answer_does_not_lower_the_count() -> None:
    bench = Bench()
    slow = bench.lease()
    bench.spend(1, used=60)
    bench.limiter.settle(slow, told(5), OK)
    assert bench.state().used >= 60


def test_a_call_without_cost_still_brings_a_reading() -> None:
    bench = Bench(WEIGHT, ORDERS)
    lease = bench.lease(intent(Priority.ORDER, "orders", orders_10s=1))
    readings = bench.limiter.settle(lease, (*told(33), *told(4, "orders_10s")), OK)
    assert [(reading.limit, reading.used) for reading in readings] == [("weight_1m", 33), ("orders_10s", 4)]
    assert bench.state("weight_1m").used == 33
    assert bench.state("orders_10s").used == 4


def test_every_reading_is_told_with_its_time_and_capacity() -> None:
    bench = Bench()
    bench.spend(1, used=7)
    assert bench.events(LimitReading) == [LimitReading("binance", "weight_1m", 7, 100, bench.clock.now())]
    assert bench.state().read_at == bench.clock.now()


def test_a_reading_of_an_unknown_limit_is_ignored() -> None:
    bench = Bench()
    assert bench.limiter.settle(bench.lease(), told(7, "weight_1d"), OK) == ()


@pytest.mark.parametrize("used", [math.nan, math.inf, -1.0])
def test_a_meaningless_reading_is_ignored(used: float) -> None:
    bench = Bench()
    assert bench.limiter.settle(bench.lease(weight(5)), told(used), OK) == ()
    assert bench.state().used == 5


def test_a_lease_counts_once_however_often_it_is_settled() -> None:
    bench = Bench()
    lease = bench.lease(weight(5))
    bench.limiter.settle(lease, (), OK)
    assert bench.limiter.settle(lease, told(90), OK) == ()
    assert bench.state().used == 5


def test_an_attempt_that_never_reached_the_broker_stays_counted() -> None:
    bench = Bench()
    bench.spend(5, verdict=Verdict(Outcome.TRANSIENT, "connect"))
    assert bench.state().used == 5


def test_market_data_stops_at_the_waiting_share_and_a_cancel_goes_on() -> None:
    bench = Bench()
    bench.spend(90)
    assert bench.limiter.try_acquire(weight(1)) is None
    assert bench.limiter.try_acquire(weight(1, Priority.ORDER)) is None
    assert bench.limiter.try_acquire(weight(5, Priority.REDUCE)) is not None
    assert bench.limiter.try_acquire(weight(5, Priority.CANCEL)) is not None
    assert bench.limiter.try_acquire(weight(1, Priority.CANCEL)) is None


# Boundaries: the bench starts at ten seconds past a full minute.


def test_a_new_window_begins_a_margin_after_the_boundary() -> None:
    bench = Bench()
    bench.spend(90)
    bench.clock.advance(50.9)
    assert bench.limiter.try_acquire(weight()) is None
    bench.clock.advance(0.2)
    assert bench.limiter.try_acquire(weight()) is not None


def test_an_attempt_in_flight_over_the_boundary_counts_in_both_windows() -> None:
    bench = Bench()
    lease = bench.lease(weight(40))
    bench.clock.advance(52)
    assert bench.state().used == 40
    bench.limiter.settle(lease, (), OK)
    assert bench.state().used == 40
    bench.clock.advance(60)
    assert bench.state().used == 0


def test_an_attempt_that_ends_at_the_boundary_counts_in_both_windows() -> None:
    bench = Bench()
    bench.clock.advance(49.5)
    bench.spend(40)
    bench.clock.advance(2)
    assert bench.state().used == 40


def test_a_reading_of_the_new_window_settles_what_was_doubtful_at_the_boundary() -> None:
    bench = Bench()
    bench.clock.advance(49.5)
    bench.spend(40)
    bench.clock.advance(2)
    bench.spend(1, used=1)
    bench.spend(1, used=2)
    assert bench.state().used == 2


def test_a_lower_reading_at_the_boundary_shows_that_the_broker_has_begun_anew() -> None:
    bench = Bench()
    bench.spend(1, used=95)
    bench.spend(1, used=96)
    bench.clock.advance(50.2)
    assert bench.limiter.try_acquire(weight()) is None
    bench.spend(1, used=1)
    assert bench.state().used < 10
    assert bench.limiter.try_acquire(weight()) is not None


def test_a_reading_that_shows_a_new_window_counts_in_it() -> None:
    bench = Bench()
    bench.spend(1, used=95)
    bench.spend(1, used=96)
    bench.clock.advance(50.2)
    bench.spend(1, used=40)
    assert bench.state().used == 40


def test_an_overtaken_answer_at_the_boundary_shows_no_new_window() -> None:
    bench = Bench()
    slow = bench.lease()
    bench.spend(1, used=95)
    bench.spend(1, used=96)
    bench.clock.advance(50.2)
    bench.limiter.settle(slow, told(50), OK)
    assert bench.limiter.try_acquire(weight()) is None


def test_answers_in_the_wrong_order_at_the_boundary_show_no_new_window() -> None:
    bench = Bench()
    bench.spend(1, used=95)
    slow = bench.lease(weight(1, Priority.CANCEL))
    bench.spend(1, used=97)
    fast = bench.lease(weight(1, Priority.CANCEL))
    bench.clock.advance(50.2)
    bench.limiter.settle(slow, told(99), OK)
    bench.limiter.settle(fast, told(98), OK)
    assert bench.limiter.try_acquire(weight()) is None
    bench.clock.advance(0.9)
    assert bench.limiter.try_acquire(weight()) is not None


def test_readings_of_the_new_window_settle_what_was_in_flight_at_the_boundary() -> None:
    bench = Bench()
    lease = bench.lease(weight(40))
    bench.clock.advance(52)
    bench.limiter.settle(lease, (), OK)
    for used in (1, 2, 3):
        bench.spend(1, used=used)
    assert bench.state().used == 3


def test_a_lower_reading_in_the_middle_of_a_window_starts_nothing() -> None:
    bench = Bench()
    bench.spend(30, used=30)
    bench.spend(1, used=31)
    bench.clock.advance(20)
    bench.spend(1, used=1)
    assert bench.state().used == 32


def test_a_late_answer_from_an_older_window_does_not_fill_the_new_one() -> None:
    bench = Bench()
    late = bench.lease()
    bench.clock.advance(52)
    bench.spend(1, used=1)
    bench.limiter.settle(late, told(99), OK)
    assert bench.state().used == 2


def test_after_idle_windows_nothing_is_counted() -> None:
    bench = Bench()
    bench.spend(90)
    bench.clock.advance(600)
    assert bench.state().used == 0


def test_a_reset_time_that_the_broker_tells_ends_the_window() -> None:
    bench = Bench()
    lease = bench.lease(weight(95, Priority.CANCEL))
    bench.limiter.settle(lease, (Reading("weight_1m", 95, resets_at=bench.clock.now() + 5),), OK)
    bench.clock.advance(5.9)
    assert bench.limiter.try_acquire(weight()) is None
    bench.clock.advance(0.2)
    assert bench.limiter.try_acquire(weight()) is not None


def test_a_clock_that_is_set_back_does_not_lengthen_the_wait() -> None:
    bench = Bench()
    bench.spend(90)
    bench.clock._epoch -= 3600
    window = bench.address.limit(WEIGHT, pinned=False)
    assert window.wait(1, 0.9) <= 61


def test_a_call_larger_than_the_waiting_share_goes_when_the_window_is_empty() -> None:
    bench = Bench()
    assert bench.limiter.try_acquire(weight(95)) is not None
    assert bench.limiter.try_acquire(weight(95)) is None


# The warning


def test_crossing_the_warning_share_is_told_once() -> None:
    bench = Bench()
    for used in (79, 80, 85, 99):
        bench.spend(1, used=used)
    (warning,) = bench.events(LimitThreshold)
    assert warning == LimitThreshold("binance", "weight_1m", 80, 100, above=True)


def test_falling_below_the_warning_share_is_told_once() -> None:
    bench = Bench()
    bench.spend(1, used=85)
    bench.clock.advance(60)
    bench.spend(1, used=1)
    bench.spend(1, used=2)
    assert [event.above for event in bench.events(LimitThreshold)] == [True, False]


def test_the_warning_is_taken_back_without_traffic_when_somebody_looks() -> None:
    bench = Bench()
    bench.spend(1, used=85)
    bench.clock.advance(60)
    bench.limiter.states()
    assert [event.above for event in bench.events(LimitThreshold)] == [True, False]


def test_use_that_swings_around_the_warning_share_makes_no_storm() -> None:
    bench = Bench(bucket("global", rate=40, burst=100))
    swings = 0
    for _ in range(120):
        while bench.state("global").used <= 81:
            bench.limiter.settle(bench.lease(intent()), (), OK)
        swings += 1
        bench.clock.advance(0.5)
    assert swings == 120
    assert 2 <= len(bench.events(LimitThreshold)) <= 2 * 60 / 10 + 1


# Capacities


def test_a_capacity_that_the_broker_announces_is_learnt_and_told() -> None:
    bench = Bench()
    bench.limiter.learn([WindowSpec("weight_1m", 50, 60, Scope.ADDRESS)])
    assert bench.state().capacity == 50
    assert bench.events(LimitLearnt) == [LimitLearnt("binance", "weight_1m", before=100, capacity=50)]


def test_a_capacity_that_is_already_known_is_no_news() -> None:
    bench = Bench()
    bench.limiter.learn([WEIGHT])
    assert bench.events(LimitLearnt) == []


def test_a_capacity_in_a_header_is_learnt() -> None:
    bench = Bench()
    bench.limiter.settle(bench.lease(), (Reading("weight_1m", 3, capacity=40),), OK)
    assert bench.state().capacity == 40


def test_a_configured_capacity_beats_the_profile_and_the_broker() -> None:
    bench = Bench(windows={"weight_1m": {"capacity": 30}})
    assert bench.state().capacity == 30
    bench.limiter.learn([WindowSpec("weight_1m", 50, 60, Scope.ADDRESS)])
    assert bench.state().capacity == 30


def test_learning_can_be_switched_off() -> None:
    bench = Bench(learn=False)
    bench.limiter.learn([WindowSpec("weight_1m", 50, 60, Scope.ADDRESS)])
    assert bench.state().capacity == 100


def test_a_meaningless_capacity_is_not_learnt() -> None:
    bench = Bench()
    for capacity in (0.0, -1.0, float("nan"), float("inf")):
        bench.limiter.learn([WindowSpec("weight_1m", capacity, 60, Scope.ADDRESS)])
    assert bench.state().capacity == 100


def test_a_window_of_another_length_is_not_learnt() -> None:
    bench = Bench()
    bench.limiter.learn([WindowSpec("weight_1m", 50, 300, Scope.ADDRESS)])
    assert bench.state().capacity == 100


# Addresses


def test_brokers_at_one_address_share_its_windows() -> None:
    bench = Bench()
    second = bench.another("binance-b", (WEIGHT,))
    bench.spend(90)
    assert second.try_acquire(weight()) is None


def test_brokers_at_one_address_have_their_own_account_limits() -> None:
    bench = Bench(ORDERS)
    second = bench.another("binance-b", (ORDERS,))
    order = intent(Priority.ORDER, "orders", orders_10s=18)
    assert bench.limiter.try_acquire(order) is not None
    assert bench.limiter.try_acquire(order) is None
    assert second.try_acquire(order) is not None


# Forecast


def test_the_forecast_tells_when_the_window_will_be_full() -> None:
    bench = Bench(WindowSpec("weight_1m", 1000, 60, Scope.ADDRESS))
    for _ in range(30):
        bench.spend(30)
        bench.clock.advance(1)
    forecast = bench.state().exhaustion_seconds
    assert forecast is not None
    assert 2.5 < forecast < 4.5


def test_there_is_no_forecast_for_a_rate_that_can_go_on_for_ever() -> None:
    bench = Bench(WindowSpec("weight_1m", 1000, 60, Scope.ADDRESS))
    for _ in range(30):
        bench.spend(5)
        bench.clock.advance(1)
    assert bench.state().exhaustion_seconds is None


def test_a_rate_that_will_fill_the_next_window_is_told_too() -> None:
    bench = Bench(WindowSpec("weight_1m", 1000, 60, Scope.ADDRESS), now=1_800_000_020.0)
    for _ in range(30):
        bench.spend(20)
        bench.clock.advance(1)
    forecast = bench.state().exhaustion_seconds
    assert forecast is not None
    assert 55 < forecast < 65


def test_other_users_count_in_the_forecast() -> None:
    bench = Bench(WindowSpec("weight_1m", 1000, 60, Scope.ADDRESS))
    for second in range(30):
        bench.spend(1, used=(second + 1) * 30)
        bench.clock.advance(1)
    forecast = bench.state().exhaustion_seconds
    assert forecast is not None
    assert 2.5 < forecast < 4.5


def test_a_full_window_is_exhausted_now() -> None:
    bench = Bench()
    bench.spend(1, used=100)
    assert bench.state().exhaustion_seconds == 0


def test_the_forecast_ends_half_a_minute_after_the_traffic() -> None:
    bench = Bench(WindowSpec("weight_1m", 1000, 60, Scope.ADDRESS))
    bench.spend(900)
    assert bench.state().exhaustion_seconds is not None
    bench.clock.advance(31)
    assert bench.state().exhaustion_seconds is None
