"""Remembered answers: only where configured, never across credentials, never behind a bot's own back, always marked."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.calls.model import Result
from sidecar.telemetry.events import CacheAsked
from sidecar.telemetry.state import CacheReading
from sidecar.wire import Answer, Headers, Request, header
from sidecar.words import CacheResult, DegradationLevel, Outcome, RefusalKind
from tests.calls.scripted import CANCEL, DEFINITE, FILLED, READ, Bench, Step, answer, order

HIT, SHARED, MISS, STALE = CacheResult.HIT, CacheResult.SHARED, CacheResult.MISS, CacheResult.STALE
TICKER: dict[str, Any] = {"get_ticker": {"seconds": 10, "stale_seconds": 100}}
POSITIONS: dict[str, Any] = {"get_positions": {"seconds": 10, "stale_seconds": 100}}
NO_RETRY = {"attempts": 1}


def caching(endpoints: dict[str, Any], script: Iterable[Step] = (), **settings: Any) -> Bench:
    cache = {"endpoints": endpoints} | settings.pop("cache", {})
    steps = list(script) or [answer(200, {"price": str(number)}) for number in range(1, 50)]
    return Bench(steps, cache=cache, retry=NO_RETRY, **settings)


def price(result: Result) -> str:
    return str(json.loads(result.answer.body)["price"])


def asked(bench: Bench) -> list[CacheResult]:
    return [event.result for event in bench.events(CacheAsked)]


def positions(*, key: str = "mine", stamp: int = 1, **headers: str) -> Request:
    """A signed read, as a bot of this key would send it at this moment."""
    pairs = (("X-MBX-APIKEY", key), *((name.replace("_", "-"), value) for name, value in headers.items()))
    target = f"/fapi/v2/positionRisk?symbol=BTCUSDT&timestamp={stamp}000&signature={stamp:064x}"
    return Request("GET", target, tuple((name.encode(), value.encode()) for name, value in pairs))


def together(bench: Bench, *requests: Request, deadline: float = 60.0) -> list[Result]:
    async def main() -> list[Result]:
        return await asyncio.gather(*(bench.gateway.run(one, deadline_seconds=deadline) for one in requests))

    return bench.clock.run(main())


# Only where configured


def test_by_default_every_read_is_sent() -> None:
    bench = Bench([FILLED])
    together(bench, READ, READ, READ)
    assert (bench.attempts, bench.events(CacheAsked)) == (3, [])


def test_an_endpoint_that_is_not_named_is_not_remembered() -> None:
    bench = caching(TICKER)
    for _ in range(2):
        bench.call(Request("GET", "/fapi/v1/time", ()))
    assert (bench.attempts, asked(bench)) == (2, [])


# Again, and together


def test_an_answer_is_served_again_while_it_is_fresh() -> None:
    bench = caching(TICKER)
    assert [price(bench.call(READ)) for _ in range(3)] == ["1", "1", "1"]
    assert (bench.attempts, asked(bench)) == (1, [MISS, HIT, HIT])


def test_it_is_marked_with_its_age_which_counts_from_when_it_was_asked_for() -> None:
    bench = caching(TICKER)
    first = bench.call(READ)
    bench.clock.advance(7)
    again = bench.call(READ)
    assert header(first.answer.headers, b"age") is None
    assert header(again.answer.headers, b"age") == b"7"
    assert again.fate.header() == b"ok; attempts=0; from=cache; age=7"


def test_an_answer_that_is_too_old_is_asked_for_anew() -> None:
    bench = caching(TICKER)
    bench.call(READ)
    bench.clock.advance(10)
    assert price(bench.call(READ)) == "2"


def test_reads_at_the_same_moment_are_one_call() -> None:
    bench = caching({"get_ticker": {}})
    results = together(bench, *[READ] * 10)
    assert [price(result) for result in results] == ["1"] * 10
    assert bench.attempts == 1
    assert sorted(asked(bench)) == sorted([MISS, *[SHARED] * 9])
    assert {result.fate.source for result in results} == {"broker", "cache"}


def test_without_a_time_to_live_only_those_at_the_same_moment_share() -> None:
    bench = caching({"get_ticker": {}})
    together(bench, READ, READ)
    bench.call(READ)
    assert bench.attempts == 2


def test_whoever_waited_for_a_caller_that_left_asks_himself() -> None:
    bench = caching(TICKER)

    async def main() -> tuple[Result, Result]:
        leader = asyncio.create_task(bench.gateway.run(READ, deadline_seconds=60))
        await bench.clock.sleep(0.01)
        waiting = [asyncio.create_task(bench.gateway.run(READ, deadline_seconds=60)) for _ in range(2)]
        await bench.clock.sleep(0.01)
        leader.cancel()
        first, second = await asyncio.gather(*waiting)
        return first, second

    first, second = bench.clock.run(main())
    assert (price(first), price(second)) == ("2", "2")
    assert bench.attempts == 2


def test_whoever_leaves_while_waiting_disturbs_nobody() -> None:
    bench = caching(TICKER)

    async def main() -> list[Result | BaseException]:
        tasks = [asyncio.create_task(bench.gateway.run(READ, deadline_seconds=60)) for _ in range(3)]
        await bench.clock.sleep(0.05)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = bench.clock.run(main())
    assert isinstance(first, Result)
    assert isinstance(third, Result)
    assert isinstance(second, asyncio.CancelledError)
    assert bench.attempts == 1


def test_a_failure_is_not_shared_because_each_caller_has_his_own_time() -> None:
    bench = caching(TICKER, [DEFINITE, answer(200, {"price": "2"})])
    results = together(bench, READ, READ, READ)
    assert [result.fate.outcome for result in results] == [Outcome.TRANSIENT, Outcome.OK, Outcome.OK]
    assert bench.attempts == 3


def test_whoever_has_less_time_than_the_answer_takes_is_told_so_in_time() -> None:
    bench = caching(TICKER, takes=5)

    async def main() -> tuple[float, Result]:
        leader = asyncio.create_task(bench.gateway.run(READ, deadline_seconds=60))
        await bench.clock.sleep(0.01)
        result = await bench.gateway.run(READ, deadline_seconds=1)
        told_at = bench.clock.monotonic()
        await leader
        return told_at, result

    told_at, result = bench.clock.run(main())
    assert told_at == pytest.approx(1.01)
    assert (result.fate.why, result.fate.attempts, bench.attempts) == (RefusalKind.DEADLINE, 0, 1)


# Never across credentials


def test_a_new_signature_of_the_same_key_makes_no_other_read() -> None:
    bench = caching(POSITIONS)
    assert [price(bench.call(positions(stamp=stamp))) for stamp in (1, 2, 3)] == ["1", "1", "1"]


def test_the_answer_to_one_key_is_never_given_to_another() -> None:
    bench = caching(POSITIONS)
    results = together(bench, positions(key="mine"), positions(key="yours"), positions(key="mine"))
    assert [price(result) for result in results] == ["1", "2", "1"]
    assert price(bench.call(positions(key="yours"))) == "2"
    assert price(bench.call(positions(key="nobody's"))) == "3"


@pytest.mark.parametrize(
    "other",
    [
        positions(Authorization="Bearer other"),
        positions(Cookie="session=other"),
        positions(X_Whatever_This_Is="other"),
        positions(Accept_Encoding="gzip"),
        Request("GET", "/fapi/v2/positionRisk?symbol=BTCUSDT&timestamp=1000", ()),
        Request("GET", "/fapi/v2/positionRisk?symbol=ETHUSDT&timestamp=1000", positions().headers),
        Request("GET", "/fapi/v3/positionRisk?symbol=BTCUSDT&timestamp=1000", positions().headers),
    ],
    ids=["token", "cookie", "unheard-of header", "encoding", "no key", "other symbol", "other version"],
)
def test_whatever_may_tell_one_asker_or_question_from_another_makes_another_read(other: Request) -> None:
    bench = caching(POSITIONS)
    bench.call(positions())
    assert price(bench.call(other)) == "2"


def test_what_says_nothing_of_the_asker_makes_no_other_read() -> None:
    bench = caching(POSITIONS)
    bench.call(positions(User_Agent="one"))
    assert price(bench.call(positions(User_Agent="two"))) == "1"


_PAIRS = st.tuples(
    st.sampled_from([b"X-MBX-APIKEY", b"Authorization", b"Cookie", b"X-Key", b"User-Agent"]),
    st.sampled_from([b"", b"a", b"ab", b"b", b"a:b", b"1:a"]),
)
_ASKED = st.lists(_PAIRS, max_size=3).map(tuple)


def identity(headers: Headers) -> Headers:
    return tuple((name.lower(), value) for name, value in headers if name != b"User-Agent")


@given(st.lists(_ASKED, min_size=2, max_size=6))
def test_no_two_askers_ever_share_an_answer(askers: list[Headers]) -> None:
    bench = caching(POSITIONS)
    first: dict[Headers, str] = {}
    for headers in askers:
        result = bench.call(Request("GET", "/fapi/v2/positionRisk?timestamp=1", headers))
        assert price(result) == first.setdefault(identity(headers), price(result))
    assert len(set(first.values())) == len(first)


def test_nothing_secret_is_kept() -> None:
    bench = caching(POSITIONS)
    bench.call(positions(key="very-secret-key"))
    assert bench.gateway.controls.reading().cache.answers == 1
    assert b"very-secret-key" not in b"".join(bench.gateway._cache._kept)
    assert "very-secret-key" not in repr(bench.gateway._cache._kept)


# Never behind a bot's own back


@pytest.mark.parametrize("change", [order(), CANCEL, Request("POST", "/fapi/v1/leverage?leverage=2", ())])
def test_what_may_change_the_account_makes_forgotten_what_was_read_of_it(change: Request) -> None:
    bench = caching(POSITIONS)
    bench.call(positions())
    bench.call(change)
    assert bench.call(positions()).fate.source == "broker"


def test_an_order_that_failed_counts_as_well_because_it_may_have_been_executed() -> None:
    bench = caching(POSITIONS, [answer(200, {"price": "1"}), DEFINITE, answer(200, {"price": "3"})])
    bench.call(positions())
    bench.call(order())
    assert price(bench.call(positions())) == "3"


def test_market_data_is_kept_over_an_order() -> None:
    bench = caching(TICKER)
    bench.call(READ)
    bench.call(order())
    assert bench.call(READ).fate.source == "cache"


def test_a_read_after_an_order_does_not_join_one_from_before_it() -> None:
    bench = caching(POSITIONS, takes=1)

    async def main() -> list[Result]:
        reading = asyncio.create_task(bench.gateway.run(positions(), deadline_seconds=60))
        await bench.clock.sleep(0.1)
        placing = asyncio.create_task(bench.gateway.run(order(), deadline_seconds=60))
        await bench.clock.sleep(0.1)
        results = await asyncio.gather(reading, bench.gateway.run(positions(), deadline_seconds=60), placing)
        return list(results)

    before, after, _ = bench.clock.run(main())
    assert (before.fate.source, after.fate.source) == ("broker", "broker")
    assert bench.attempts == 3


def test_what_was_read_while_an_order_was_under_way_is_not_kept() -> None:
    bench = caching(POSITIONS, takes=1)

    async def main() -> None:
        placing = asyncio.create_task(bench.gateway.run(order(), deadline_seconds=60))
        await bench.clock.sleep(0.5)
        await bench.gateway.run(positions(), deadline_seconds=60)
        await placing

    bench.clock.run(main())
    assert bench.call(positions()).fate.source == "broker"


# Older answers, where the level allows them


def failing_after(answers: int, *, level: DegradationLevel | None) -> Bench:
    bench = caching(TICKER, [*(answer(200, {"price": "1"}) for _ in range(answers)), DEFINITE])
    if level is not None:
        bench.degradation.degrade(level, "tests", 100_000)
    return bench


@pytest.mark.parametrize("level", list(DegradationLevel))
def test_an_older_answer_stands_in_for_a_failure_from_cached_data_on(level: DegradationLevel) -> None:
    bench = failing_after(1, level=None)
    bench.call(READ)
    bench.degradation.degrade(level, "tests", 100_000)
    bench.clock.advance(50)
    result = bench.call(READ)
    allowed = level.rank >= DegradationLevel.CACHED_DATA.rank
    assert (result.fate.outcome is Outcome.OK, result.fate.stale) == (allowed, allowed)
    assert asked(bench)[-1] is (STALE if allowed else MISS)


def test_it_is_marked_as_stale_with_its_age() -> None:
    bench = failing_after(1, level=DegradationLevel.CACHED_DATA)
    bench.call(READ)
    bench.clock.advance(50)
    result = bench.call(READ)
    assert result.fate.header() == b"ok; attempts=1; from=cache; age=50; stale"
    assert header(result.answer.headers, b"age") == b"50"


def test_the_broker_is_asked_before_anything_stale_is_served() -> None:
    bench = caching(TICKER)
    bench.degradation.degrade(DegradationLevel.CACHED_DATA, "tests", 100_000)
    bench.call(READ)
    bench.clock.advance(50)
    assert price(bench.call(READ)) == "2"


def test_what_is_older_than_allowed_is_not_served() -> None:
    bench = failing_after(1, level=DegradationLevel.CACHED_DATA)
    bench.call(READ)
    bench.clock.advance(100)
    assert bench.call(READ).fate.outcome is Outcome.TRANSIENT


def test_in_an_emergency_market_data_comes_from_memory_without_asking() -> None:
    bench = caching(TICKER)
    bench.call(READ)
    bench.degradation.degrade(DegradationLevel.EMERGENCY, "fire", 600)
    bench.clock.advance(50)
    assert bench.call(READ).fate.header() == b"ok; attempts=0; from=cache; age=50; stale"
    assert bench.attempts == 1


def test_the_brokers_own_no_is_never_replaced_by_an_older_yes() -> None:
    rejected = answer(400, {"code": -1121, "msg": "Invalid symbol."})
    bench = caching(TICKER, [answer(200, {"price": "1"}), rejected])
    bench.degradation.degrade(DegradationLevel.CACHED_DATA, "tests", 600)
    bench.call(READ)
    bench.clock.advance(50)
    assert bench.call(READ).answer.status == 400


def test_what_was_read_of_the_account_before_an_order_is_never_stale_enough() -> None:
    bench = caching(POSITIONS, [answer(200, {"price": "1"}), FILLED, DEFINITE])
    bench.degradation.degrade(DegradationLevel.CACHED_DATA, "tests", 600)
    bench.call(positions())
    bench.call(order())
    assert bench.call(positions()).fate.outcome is Outcome.TRANSIENT


# What is kept


@pytest.mark.parametrize(
    "unfit", [answer(206, {"price": "1"}), answer(400, {"code": -1121, "msg": "no"}), answer(304, "")]
)
def test_only_a_plain_success_is_kept(unfit: Answer) -> None:
    bench = caching(TICKER, [unfit])
    for _ in range(2):
        bench.call(READ)
    assert (bench.attempts, bench.gateway.controls.reading().cache) == (2, CacheReading(0, 0))


def test_a_cookie_is_given_to_the_one_whom_it_was_meant_for() -> None:
    bench = caching(TICKER, [answer(200, {"price": "1"}, Set_Cookie="a=b", X_Other="c")])
    first, again = bench.call(READ), bench.call(READ)
    assert header(first.answer.headers, b"set-cookie") == b"a=b"
    assert header(again.answer.headers, b"set-cookie") is None
    assert header(again.answer.headers, b"x-other") == b"c"


def ticker(symbol: int) -> Request:
    return Request("GET", f"/fapi/v1/ticker/price?symbol=S{symbol}", ())


def test_the_memory_is_bounded_and_what_was_unused_for_longest_goes_first() -> None:
    bench = caching(TICKER, [answer(200, {"price": "x" * 400})], cache={"max_bytes": 5000})
    for symbol in (1, 2, 3, 4, 5, 1, 6):
        bench.call(ticker(symbol))
    assert bench.attempts == 6
    assert 0 < bench.gateway.controls.reading().cache.bytes <= 5000
    assert bench.call(ticker(1)).fate.source == "cache"
    assert bench.call(ticker(2)).fate.source == "broker"


def test_one_huge_answer_does_not_push_all_others_out() -> None:
    bench = caching(TICKER, [answer(200, {"price": "1"}), answer(200, "x" * 3000)], cache={"max_bytes": 5000})
    bench.call(ticker(1))
    bench.call(ticker(2))
    assert bench.call(ticker(1)).fate.source == "cache"


def test_a_newer_answer_takes_the_place_of_the_older_one() -> None:
    bench = caching(TICKER)
    bench.call(READ)
    before = bench.gateway.controls.reading().cache
    bench.clock.advance(10)
    bench.call(READ)
    assert bench.gateway.controls.reading().cache == before


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3000)), max_size=40))
def test_what_is_counted_is_what_is_kept(calls: list[tuple[int, int]]) -> None:
    bench = caching(TICKER, [answer(200, "x" * size) for _, size in calls], cache={"max_bytes": 10_000})
    for symbol, _ in calls:
        bench.call(ticker(symbol))
        bench.clock.advance(3)
        cache = bench.gateway._cache
        assert cache.reading() == CacheReading(len(cache._kept), sum(kept.size for kept in cache._kept.values()))
        assert cache.reading().bytes <= 10_000
    assert not bench.gateway._cache._under_way
