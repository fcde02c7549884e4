"""New policies, limits and keys hold from the next call on, and calls under way end as they began."""

import asyncio
from typing import Any

from sidecar.brokers.profile import Keys
from sidecar.calls.model import Result
from sidecar.config.credentials import keys_of
from sidecar.config.model import Broker
from sidecar.telemetry.events import BreakerTransition
from sidecar.wire import Request, header
from sidecar.words import BreakerMode, BreakerState, Outcome, RefusalKind
from tests.calls.scripted import AMBIGUOUS, DEFINITE, FILLED, READ, Bench, order

SIGN = {"key": "old", "secret": "s"}
NEW = {"key": "new", "secret": "t"}


def adopt(bench: Bench, **settings: Any) -> bool:
    usual = {"profile": "binance-usdm", "base_url": "http://127.0.0.1:1"}
    broker = Broker.model_validate(usual | settings)
    return bench.gateway.adopt(broker, keys_of(broker.credentials))


def test_another_number_of_attempts_holds_for_the_next_call() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 1})
    bench.call(READ)
    adopt(bench, retry={"attempts": 3})
    bench.call(READ)
    assert bench.attempts == 1 + 3


def test_a_call_under_way_ends_by_the_retries_that_it_began_with() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 3, "base_seconds": 10, "jitter": 0})

    async def main() -> Result:
        call = asyncio.create_task(bench.gateway.run(READ, deadline_seconds=60))
        await bench.clock.sleep(1)
        adopt(bench, retry={"attempts": 1})
        return await call

    assert bench.clock.run(main()).fate.attempts == 3


def test_a_limit_that_was_lowered_holds_and_what_was_counted_stays_counted() -> None:
    bench = Bench([FILLED])
    for _ in range(3):
        bench.call(order())
    adopt(bench, limits={"windows": {"orders_10s": {"capacity": 3}}})
    refused = bench.call(order(), deadline=1)
    assert refused.fate.why is RefusalKind.RATE_LIMITED


def test_what_was_learnt_of_a_limit_stays_when_its_settings_have_not_changed() -> None:
    bench = Bench([FILLED])
    limiter = bench.gateway._limiter
    meter = limiter._meters["weight_1m"]
    meter.limit.resize(1234)  # type: ignore[call-arg] # a window, as if announced
    adopt(bench, limits={"wait_at": 0.95})
    assert meter.limit.capacity == 1234


def test_an_open_breaker_stays_open() -> None:
    bench = Bench([AMBIGUOUS], breaker={"failures": 1}, retry={"attempts": 1})
    bench.call(order())
    adopt(bench, breaker={"failures": 5})
    assert bench.call(order()).fate.why is RefusalKind.BREAKER_OPEN


def test_a_breaker_that_is_forced_by_the_new_file_is_so_at_once_and_on_the_record() -> None:
    bench = Bench([FILLED])
    adopt(bench, breaker={"mode": "forced_open"})
    assert bench.call(order()).fate.why is RefusalKind.BREAKER_OPEN
    told = bench.events(BreakerTransition)[-1]
    assert (told.to_state, told.note) == (BreakerState.FORCED_OPEN, "the configuration was reloaded")


def test_a_mode_that_a_person_set_outlives_a_reload_that_does_not_name_another() -> None:
    bench = Bench([FILLED])
    bench.gateway.controls.set_breaker_mode("orders", BreakerMode.FORCED_OPEN, "I look at it")
    adopt(bench, retry={"attempts": 2})
    assert bench.call(order()).fate.why is RefusalKind.BREAKER_OPEN


def test_new_keys_sign_the_next_call_and_the_old_ones_the_call_under_way() -> None:
    bench = Bench([DEFINITE, FILLED], credentials=SIGN, retry={"base_seconds": 10, "jitter": 0})

    async def main() -> None:
        under_way = asyncio.create_task(bench.gateway.run(order(), deadline_seconds=60))
        await bench.clock.sleep(1)
        assert adopt(bench, credentials=NEW) is True
        assert (await bench.gateway.run(order())).fate.outcome is Outcome.OK
        assert (await under_way).fate.outcome is Outcome.OK

    bench.clock.run(main())
    assert [header(request.headers, b"x-mbx-apikey") for request in bench.wire.requests] == [b"old", b"new", b"old"]


def test_the_same_keys_again_are_no_others() -> None:
    bench = Bench([FILLED], credentials=SIGN)
    assert adopt(bench, credentials=SIGN) is False
    assert Keys(key="old", secret="s") == bench.gateway.questions._keys


# Times, and what is remembered


def test_another_deadline_holds_for_the_next_call() -> None:
    bench = Bench([DEFINITE], retry={"attempts": 9, "base_seconds": 1, "factor": 1, "jitter": 0})

    async def main() -> float:
        adopt(bench, deadline_seconds=2.5, retry={"attempts": 9, "base_seconds": 1, "factor": 1, "jitter": 0})
        began = bench.clock.monotonic()
        await bench.gateway.run(READ)
        return bench.clock.monotonic() - began

    assert bench.clock.run(main()) <= 2.5


def test_other_time_outs_hold_for_the_next_attempt() -> None:
    bench = Bench([FILLED])
    adopt(bench, timeouts={"connect_seconds": 1, "answer_seconds": 2, "stream_idle_seconds": 3})
    transport = bench.gateway._transport
    assert (transport._connect_seconds, transport._answer_seconds) == (1, 2)
    assert (transport._phases.connect, transport._stream_phases.sock_read) == (1, 3)


POSITIONS = Request("GET", "/fapi/v2/positionRisk?timestamp=1&signature=a", ((b"X-MBX-APIKEY", b"mine"),))
REMEMBERED = {"endpoints": {"get_positions": {"seconds": 1000}, "get_ticker": {"seconds": 1000}}}


def test_a_cache_can_be_switched_on_and_off() -> None:
    bench = Bench([FILLED])
    bench.call(READ)
    adopt(bench, cache=REMEMBERED)
    assert [bench.call(READ).fate.source for _ in range(2)] == ["broker", "cache"]
    adopt(bench)
    assert bench.call(READ).fate.source == "broker"


def test_what_happened_while_the_cache_was_off_is_not_forgotten_when_it_is_on_again() -> None:
    bench = Bench([FILLED])
    adopt(bench, cache=REMEMBERED)
    assert [bench.call(POSITIONS).fate.source for _ in range(2)] == ["broker", "cache"]
    adopt(bench)
    bench.call(order())
    adopt(bench, cache=REMEMBERED)
    assert bench.call(POSITIONS).fate.source == "broker"


def test_a_smaller_cache_forgets_what_does_not_fit_at_once() -> None:
    bench = Bench([FILLED])
    adopt(bench, cache=REMEMBERED)
    bench.call(READ)
    assert bench.gateway.controls.reading().cache.answers == 1
    adopt(bench, cache=REMEMBERED | {"max_bytes": 1})
    assert bench.gateway.controls.reading().cache.answers == 0
