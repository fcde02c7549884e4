"""The simulated OpenAlgo on the wire: keys, limits, faults, and the broker behind it."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sidecar.brokers.openalgo import OpenAlgo
from sidecar.clock import VirtualClock
from sidecar.simulator import Fault, FaultKind, Simulator
from sidecar.simulator.openalgo import OpenAlgoBroker, Rules
from sidecar.wire import Answer, Request
from sidecar.words import Outcome
from tests.simulator.openalgo_support import KEY, Desk, order

LOGGED_OUT = "Incorrect `api_key` or `access_token`."


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def broker(clock: VirtualClock) -> OpenAlgoBroker:
    # Its second stands still, so that its limits do not depend on how fast the test runs.
    return OpenAlgoBroker(clock=clock)


@pytest.fixture
def simulator(broker: OpenAlgoBroker) -> Simulator:
    return Simulator(broker)


@pytest.fixture
async def session(simulator: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with simulator.serving() as url, aiohttp.ClientSession(url) as session:
        yield session


@pytest.fixture
def desk(session: aiohttp.ClientSession) -> Desk:
    return Desk(session)


async def post(session: aiohttp.ClientSession, endpoint: str, **fields: object) -> Answer:
    async with session.post(f"/api/v1/{endpoint}", json=fields) as told:
        return Answer(told.status, told.raw_headers, await told.read())


async def test_the_key_is_in_the_body_and_nothing_is_told_without_it(desk: Desk) -> None:
    assert (await desk.ask("ping"))["data"]["message"] == "pong"
    assert (await desk.ask("funds", 403, apikey="wrong"))["message"] == "Invalid openalgo apikey"
    assert (await desk.ask("funds", 400, apikey=None))["message"] == "{'apikey': ['Missing data for required field.']}"


async def test_a_slash_at_the_end_means_nothing(desk: Desk) -> None:
    assert (await desk.ask("ping/"))["status"] == "success"


async def test_a_path_that_does_not_exist_is_told_in_the_envelope(desk: Desk) -> None:
    assert await desk.ask("placeodrer", 404) == {
        "status": "error",
        "message": "Not found",
        "path": "/api/v1/placeodrer",
    }


@pytest.mark.parametrize("sent", [b"{", b"[]", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_a_500(session: aiohttp.ClientSession, sent: bytes) -> None:
    async with session.post("/api/v1/placeorder", data=sent) as answer:
        assert answer.status == 500


async def test_no_gtt_order_is_taken(desk: Desk) -> None:
    assert "not supported" in (await desk.ask("placegttorder", 501))["message"]


@pytest.mark.parametrize(
    ("endpoint", "most", "others"),
    [("placeorder", 10, ("placesmartorder", "quotes")), ("placesmartorder", 10, ("cancelorder",)), ("funds", 50, ())],
)
async def test_a_group_takes_so_many_in_a_second_that_moves(
    session: aiohttp.ClientSession, clock: VirtualClock, endpoint: str, most: int, others: tuple[str, ...]
) -> None:
    async def refused(name: str) -> bool:
        return (await post(session, name)).status == 429

    assert [await refused(endpoint) for _ in range(most + 2)] == [False] * most + [True] * 2
    assert [await refused(name) for name in others] == [False] * len(others)
    clock.advance(0.99)
    assert await refused(endpoint)
    clock.advance(0.01)
    assert not await refused(endpoint)


async def test_a_refusal_by_the_limit_asks_for_a_minute_whatever_its_length(session: aiohttp.ClientSession) -> None:
    for _ in range(10):
        await post(session, "placeorder")

    told = json.loads((await post(session, "placeorder")).body)

    assert (told["status"], told["retry_after"]) == ("error", 60)


async def test_an_expired_login_refuses_orders_with_403_and_reads_with_500(desk: Desk, broker: OpenAlgoBroker) -> None:
    broker.log_out()

    assert (await desk.ask("placeorder", 403, **order()))["message"] == LOGGED_OUT
    assert (await desk.ask("positionbook", 500))["message"] == LOGGED_OUT
    assert broker.executed().orders == ()

    broker.log_in()

    assert (await desk.ask("placeorder", **order()))["status"] == "success"


async def test_a_slow_backing_broker_executes_an_order_whose_bot_has_gone() -> None:
    broker = OpenAlgoBroker(rules=Rules(broker_seconds=600))
    async with Simulator(broker).serving() as url, aiohttp.ClientSession(url) as session:
        waiting = asyncio.create_task(post(session, "placeorder", **{"apikey": KEY} | order()))
        taken = 0
        async with asyncio.timeout(30):
            while not taken:
                async with session.get("/_control/executed") as answer:
                    taken = (await answer.json())["counts"]["orders"]
        assert not waiting.done()
        waiting.cancel()

    assert [item.status for item in broker.executed().orders] == ["complete"]


MEANING = {
    FaultKind.RATE_LIMITED: Outcome.RATE_LIMITED,
    FaultKind.THROTTLED: Outcome.RATE_LIMITED,
    FaultKind.BANNED: Outcome.BANNED,
    # The login at the backing broker has expired.
    FaultKind.UNAVAILABLE_DEFINITE: Outcome.FATAL,
    FaultKind.UNAVAILABLE_UNKNOWN: Outcome.UNKNOWN,
    FaultKind.TIMEOUT_UNKNOWN: Outcome.UNKNOWN,
    FaultKind.INTERNAL: Outcome.UNKNOWN,
    FaultKind.MAINTENANCE: Outcome.UNKNOWN,
    FaultKind.HTML: Outcome.UNKNOWN,
}


@pytest.mark.parametrize("kind", MEANING)
async def test_a_fault_is_told_in_openalgos_words_and_understood(
    session: aiohttp.ClientSession, simulator: Simulator, kind: FaultKind
) -> None:
    simulator.plan.add(Fault(kind, executed=kind in {FaultKind.UNAVAILABLE_UNKNOWN, FaultKind.TIMEOUT_UNKNOWN}))

    told = await post(session, "placeorder", **{"apikey": KEY} | order())

    profile = OpenAlgo()
    assert (
        profile.classify(profile.understand(Request("POST", "/api/v1/placeorder", ())), told).outcome is MEANING[kind]
    )
    executed = len(simulator.executed().orders)
    assert executed == (kind in {FaultKind.UNAVAILABLE_UNKNOWN, FaultKind.TIMEOUT_UNKNOWN})


async def test_the_control_interface_moves_prices_and_tells_the_truth(
    desk: Desk, session: aiohttp.ClientSession
) -> None:
    async with session.post("/_control/price", json={"symbol": "NSE:SBIN", "price": "900"}) as answer:
        assert answer.status == 200
    await desk.place()

    async with session.get("/_control/executed") as answer:
        told = await answer.json()
    assert [(item["symbol"], item["client_id"], item["status"]) for item in told["orders"]] == [
        ("SBIN", "", "complete")
    ]
    assert told["requests"] == {"POST /api/v1/placeorder": 1}
    assert (await desk.ask("quotes", exchange="NSE", symbol="SBIN"))["data"]["ltp"] == 900.0
