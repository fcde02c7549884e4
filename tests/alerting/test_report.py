"""What the registry tells of all errors together."""

from sidecar.alerting.ledger import Ledger
from sidecar.alerting.registry import Registry
from sidecar.alerting.report import Correlation, Rate, Wanted, listed, patterns
from sidecar.alerting.types import ErrorType
from sidecar.clock import VirtualClock
from sidecar.telemetry.events import Bus

B = "binance"
DOWN, LOST, NEAR = ErrorType.BROKER_DOWN, ErrorType.STREAM_LOST, ErrorType.LIMIT_NEAR


def registry(clock: VirtualClock) -> Registry:
    return Registry(Bus(clock), clock, Ledger(None, clock))


def test_the_summary_counts_all_and_the_list_is_the_newest() -> None:
    clock = VirtualClock()
    kept = registry(clock)
    for number in range(5):
        kept.happened(LOST, B, f"stream-{number}")
        clock.advance(1)
    kept.happened(NEAR, "oanda")
    kept.ended(LOST, B, "stream-0")

    told = listed(kept, Wanted(), limit=2)

    assert (told.summary.total, told.summary.unresolved) == (6, 5)
    assert told.summary.unresolved_by_severity == {"critical": 0, "error": 4, "warning": 1, "info": 0}
    assert told.summary.by_type == {"stream_lost": 5, "limit_near": 1}
    assert told.summary.by_broker == {B: 5, "oanda": 1}
    assert [error.subject for error in told.errors] == ["", "stream-4"]


def test_every_filter_filters() -> None:
    clock = VirtualClock(now=1000)
    kept = registry(clock)
    kept.happened(LOST, B, "prices")
    clock.advance(10)
    kept.happened(NEAR, "oanda", "weight")
    kept.ended(NEAR, "oanda", "weight")

    def found(wanted: Wanted) -> list[str]:
        return [error.type for error in listed(kept, wanted, limit=9).errors]

    assert found(Wanted(types=["stream_lost"])) == ["stream_lost"]
    assert found(Wanted(brokers=["oanda"])) == ["limit_near"]
    assert found(Wanted(severities=["error"])) == ["stream_lost"]
    assert found(Wanted(resolved=True)) == ["limit_near"]
    assert found(Wanted(resolved=False)) == ["stream_lost"]
    assert found(Wanted(since=1005)) == ["limit_near"]
    assert found(Wanted(types=["stream_lost"], brokers=["oanda"])) == []


def test_rates_are_occurrences_an_hour() -> None:
    clock = VirtualClock()
    kept = registry(clock)
    for _ in range(8):
        kept.happened(LOST, B, "prices")
        clock.advance(1800)

    told = patterns(kept, clock.now(), within_seconds=30)

    assert told.rates == [Rate("stream_lost", B, last_hour=2, per_hour=2.0)]
    assert told.most_frequent == [("stream_lost", 8)]


def test_what_follows_what_is_counted_by_errors() -> None:
    clock = VirtualClock()
    kept = registry(clock)
    for number in range(4):
        kept.happened(DOWN, B)
        clock.advance(5)
        if number < 3:
            for _ in range(100):
                kept.happened(LOST, B, "prices")
        clock.advance(1000)
        kept.ended(DOWN, B)
        kept.ended(LOST, B)

    told = patterns(kept, clock.now(), within_seconds=30)

    assert told.correlated == [Correlation("broker_down", "stream_lost", times=3, share=0.75)]


def test_nothing_is_correlated_with_what_came_too_late() -> None:
    clock = VirtualClock()
    kept = registry(clock)
    kept.happened(DOWN, B)
    clock.advance(31)
    kept.happened(LOST, B)

    assert patterns(kept, clock.now(), within_seconds=30).correlated == []
