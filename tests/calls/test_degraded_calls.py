"""What a degradation level does to calls on their way."""

import asyncio
import json

import pytest

from sidecar.brokers.oanda import Oanda
from sidecar.brokers.openalgo import OpenAlgo
from sidecar.brokers.profile import Profile, Refusal
from sidecar.brokers.projectx import ProjectX
from sidecar.brokers.registry import build
from sidecar.calls.model import Result
from sidecar.config.model import Broker
from sidecar.telemetry.events import AttemptFinished, GateShut
from sidecar.wire import Request, header
from sidecar.words import DegradationLevel, Outcome, Priority, RefusalKind
from tests.calls.scripted import CANCEL, DEFINITE, FILLED, READ, Bench, answer, order

NONE, RATE_LIMITED, CACHED_DATA, READ_ONLY, EMERGENCY = DegradationLevel
ACCOUNT = Request("GET", "/fapi/v2/positionRisk?timestamp=1", ())


def degraded(level: DegradationLevel, reason: str = "flat", seconds: float = 600) -> Bench:
    bench = Bench([FILLED])
    bench.degradation.degrade(level, reason, seconds)
    return bench


@pytest.mark.parametrize("level", [NONE, RATE_LIMITED, CACHED_DATA])
@pytest.mark.parametrize("request_", [order(), order(reduceOnly="true"), CANCEL, READ, ACCOUNT])
def test_below_read_only_everything_is_sent(level: DegradationLevel, request_: Request) -> None:
    bench = degraded(level)
    assert bench.call(request_).fate.outcome is Outcome.OK
    assert bench.attempts == 1


@pytest.mark.parametrize(
    ("level", "request_", "sent"),
    [
        (READ_ONLY, order(), 0),
        (READ_ONLY, order(reduceOnly="true"), 1),
        (READ_ONLY, CANCEL, 1),
        (READ_ONLY, READ, 1),
        (READ_ONLY, ACCOUNT, 1),
        (EMERGENCY, order(), 0),
        (EMERGENCY, order(reduceOnly="true"), 1),
        (EMERGENCY, CANCEL, 1),
        (EMERGENCY, READ, 0),
        (EMERGENCY, ACCOUNT, 1),
    ],
)
def test_from_read_only_on_no_new_risk_leaves_and_the_way_out_does(
    level: DegradationLevel, request_: Request, sent: int
) -> None:
    bench = degraded(level)
    bench.call(request_)
    assert bench.attempts == sent


def refused() -> Result:
    return degraded(READ_ONLY, "flat into the weekend").call(order())


def test_a_refusal_tells_the_level_and_since_when_and_why_in_the_brokers_envelope() -> None:
    told = json.loads(refused().answer.body)
    assert told["code"] == -1001
    assert told["msg"] == (
        "not sent: binance is at degradation level read_only since 2027-01-15T08:00:00Z (by hand: flat into the "
        "weekend); cancels, reduce-only orders and reads pass (broker-sidecar: not sent, degraded)"
    )


def test_a_refusal_says_when_asking_again_makes_sense() -> None:
    assert header(refused().answer.headers, b"retry-after") == b"600"


def test_a_refusal_can_never_look_like_an_order_that_may_have_been_sent() -> None:
    fate = refused().fate
    assert (fate.outcome, fate.attempts, fate.why) == (Outcome.TRANSIENT, 0, RefusalKind.DEGRADED)
    assert fate.header() == b"transient; attempts=0; why=degraded; from=sidecar"


@pytest.mark.parametrize(
    "profile",
    [
        *(build(Broker(profile=name, base_url="http://x")) for name in ("binance-usdm", "binance-spot", "generic")),
        Oanda(),
        ProjectX(),
        OpenAlgo(),
    ],
    ids=lambda profile: profile.name,
)
def test_every_broker_has_an_envelope_for_it(profile: Profile) -> None:
    told = profile.refuse(Refusal(RefusalKind.DEGRADED, "not sent: at level read_only", 3))
    assert told.status >= 400
    assert header(told.headers, b"retry-after") == b"3"
    assert "not sent: at level read_only (broker-sidecar: not sent, degraded)" in told.body.decode()


def test_a_look_whether_the_broker_is_there_passes_at_every_level() -> None:
    bench = degraded(EMERGENCY)
    bench.clock.run(bench.gateway.look())
    assert bench.attempts == 1


def test_an_order_that_waited_while_the_level_rose_is_not_sent() -> None:
    bench = Bench([FILLED])

    async def main() -> Result:
        bench.gateway._bus.emit(GateShut("binance", Outcome.RATE_LIMITED, 5, bench.clock.now() + 5))
        bench.gateway._limiter._gate.shut(5, Outcome.RATE_LIMITED, gradual=False, announce=lambda: None)
        waiting = asyncio.create_task(bench.gateway.run(order(), deadline_seconds=30))
        await bench.clock.sleep(1)
        bench.degradation.degrade(READ_ONLY, "flat", 600)
        return await waiting

    result = bench.clock.run(main())
    assert (result.fate.why, bench.attempts) == (RefusalKind.DEGRADED, 0)
    assert bench.gateway.controls.reading().limits[0].used == 0


def test_an_order_is_not_tried_again_once_the_level_forbids_it() -> None:
    bench = Bench([DEFINITE, FILLED])
    bench.gateway._bus.subscribe(AttemptFinished, lambda _: bench.degradation.degrade(READ_ONLY, "flat", 600))
    result = bench.call(order())
    assert (result.fate.outcome, result.fate.attempts, bench.attempts) == (Outcome.TRANSIENT, 1, 1)


def test_a_refused_probe_of_a_broker_that_is_away_leaves_its_place_to_the_next_call() -> None:
    bench = Bench([answer(503, {"code": -1016, "msg": "This service is no longer available."}), FILLED])
    bench.call(READ)
    bench.degradation.degrade(READ_ONLY, "flat", 100_000)
    bench.clock.advance(1000)
    assert bench.call(order()).fate.why is RefusalKind.DEGRADED
    assert bench.call(ACCOUNT).fate.outcome is Outcome.OK


LIMITS = {"windows": {"weight_1m": {"capacity": 100}}, "learn": False}


def busy(used: int) -> Bench:
    """A broker that says that so many of 100 are used, in the middle of a minute."""
    bench = Bench([answer(200, {"price": "1"}, X_MBX_USED_WEIGHT_1M=str(used))], limits=LIMITS)
    bench.clock.advance(20)
    return bench


@pytest.mark.parametrize(
    ("level", "used", "sent"), [(NONE, 60, 2), (RATE_LIMITED, 40, 2), (RATE_LIMITED, 60, 1), (NONE, 95, 1)]
)
def test_held_back_market_data_leaves_half_of_the_limit_to_others(
    level: DegradationLevel, used: int, sent: int
) -> None:
    bench = busy(used)
    bench.degradation.degrade(level, "busy", 600)
    bench.call(READ)
    bench.call(READ, deadline=1)
    assert bench.attempts == sent


def test_orders_and_account_reads_are_not_held_back_with_market_data() -> None:
    bench = busy(60)
    bench.degradation.degrade(RATE_LIMITED, "busy", 600)
    for request in (READ, ACCOUNT, order()):
        bench.call(request, deadline=1)
    assert bench.attempts == 3


def test_market_data_passes_again_when_the_level_is_over() -> None:
    bench = busy(60)
    bench.degradation.degrade(RATE_LIMITED, "busy", 600)
    bench.degradation.recover("quiet")
    for _ in range(2):
        bench.call(READ, deadline=1)
    assert bench.attempts == 2


def test_market_data_never_gets_more_of_a_limit_than_orders() -> None:
    bench = Bench([FILLED], degradation={"market_data_share": 1.0})
    bench.degradation.degrade(RATE_LIMITED, "busy", 600)
    shares = bench.gateway._limiter._shares
    assert shares[Priority.MARKET_DATA] == shares[Priority.ORDER] == 0.9
