"""What the client libraries do not show: headers, formats, limits."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sidecar.clock import VirtualClock
from sidecar.simulator import Simulator
from sidecar.simulator.oanda import AccountSpec, OandaBroker, Rules

ACCOUNT = f"/v3/accounts/{AccountSpec().id}"
OTHER = AccountSpec(id="101-001-7654321-001", token="another")
AUTHORISED = {"Authorization": f"Bearer {AccountSpec().token}"}
ORDER = {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": 100}}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_800_000_000.25)


@pytest.fixture
async def session(clock: VirtualClock) -> AsyncIterator[aiohttp.ClientSession]:
    # The simulator's second stands still, so that its limits do not depend on how fast the test runs.
    broker = OandaBroker(
        rules=Rules(moving=False, requests_per_second=10, streams=2),
        accounts=(AccountSpec(), OTHER),
        clock=clock,
    )
    async with (
        Simulator(broker).serving() as url,
        aiohttp.ClientSession(url, headers=AUTHORISED, auto_decompress=False) as session,
    ):
        yield session


async def test_every_answer_carries_a_request_id_of_its_own(session: aiohttp.ClientSession) -> None:
    ids = set()
    for path in (ACCOUNT, f"{ACCOUNT}/orders/99", "/v3/nothing"):
        async with session.get(path) as answer:
            ids.add(answer.headers["RequestID"])
    assert len(ids) == 3


async def test_times_come_in_rfc3339_unless_unix_is_asked_for(session: aiohttp.ClientSession) -> None:
    path, plain = f"{ACCOUNT}/pricing?instruments=EUR_USD", {"Accept-Encoding": "identity"}
    async with session.get(path, headers=plain) as answer:
        assert (await answer.json())["time"] == "2027-01-15T08:00:00.250000000Z"
    async with session.get(path, headers=plain | {"Accept-Datetime-Format": "UNIX"}) as answer:
        assert (await answer.json())["time"] == "1800000000.250000000"


async def test_the_answer_is_compressed_only_for_those_who_take_gzip(session: aiohttp.ClientSession) -> None:
    async with session.get(ACCOUNT, headers={"Accept-Encoding": "gzip, deflate"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        packed = json.loads(gzip.decompress(await answer.read()))
    async with session.get(ACCOUNT, headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert await answer.json() == packed


async def test_a_new_order_is_answered_201_with_where_it_is(session: aiohttp.ClientSession) -> None:
    async with session.post(f"{ACCOUNT}/orders", json=ORDER) as answer:
        assert answer.status == 201
        assert answer.headers["Location"] == f"{ACCOUNT}/orders/3"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"/v3/accounts/{OTHER.id}", 403, "The provided request was forbidden."),
        ("/v3/accounts/mine", 400, "Invalid value specified for 'accountID'"),
        (f"{ACCOUNT}/pricing", 400, "Invalid value specified for 'instruments'"),
        (f"{ACCOUNT}/orders?count=9999", 400, "Invalid value specified for 'count'"),
        (f"{ACCOUNT}/transactions/sinceid", 400, "Invalid value specified for 'id'"),
        (f"{ACCOUNT}/transactions/idrange?from=x&to=2", 400, "Invalid value specified for 'from'"),
        ("/v3/instruments/EUR_USD/candles?granularity=M7", 400, "Invalid value specified for 'granularity'"),
        ("/v3/instruments/EUR_USD/candles?from=later", 400, "Invalid value specified for 'from'"),
        ("/v3/nothing", 404, "Not Found"),
    ],
)
async def test_a_read_that_makes_no_sense_is_refused_with_a_message(
    session: aiohttp.ClientSession, path: str, status: int, message: str
) -> None:
    async with session.get(path, headers={"Accept-Encoding": "identity"}) as answer:
        assert answer.status == status
        assert (await answer.json())["errorMessage"] == message


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_a_400(session: aiohttp.ClientSession, body: bytes) -> None:
    async with session.post(f"{ACCOUNT}/orders", data=body) as answer:
        assert answer.status == 400


async def test_no_authorization_is_a_401(session: aiohttp.ClientSession) -> None:
    async with session.get(ACCOUNT, headers={"Authorization": "Basic demo-token"}) as answer:
        assert answer.status == 401


async def test_more_requests_in_a_second_than_allowed_are_answered_429_until_it_has_passed(
    session: aiohttp.ClientSession, clock: VirtualClock
) -> None:
    async def statuses(count: int) -> list[int]:
        told = []
        for _ in range(count):
            async with session.get(ACCOUNT) as answer:
                told.append(answer.status)
        return told

    assert await statuses(12) == [200] * 10 + [429] * 2
    clock.advance(0.99)
    assert await statuses(1) == [429]
    clock.advance(0.01)
    assert await statuses(1) == [200]


async def test_a_stream_more_than_allowed_is_answered_429_until_another_has_ended(
    session: aiohttp.ClientSession,
) -> None:
    path = f"{ACCOUNT}/pricing/stream?instruments=EUR_USD"
    async with session.get(path) as first, session.get(path):
        assert json.loads(await first.content.readline())["type"] == "PRICE"
        async with session.get(path) as third:
            assert third.status == 429


async def test_a_stream_for_somebody_elses_account_is_refused(session: aiohttp.ClientSession) -> None:
    async with session.get(f"/v3/accounts/{OTHER.id}/transactions/stream") as answer:
        assert answer.status == 403


async def test_a_stream_that_its_client_left_frees_its_place() -> None:
    broker = OandaBroker(rules=Rules(streams=1))
    path = f"{ACCOUNT}/pricing/stream?instruments=EUR_USD"
    async with Simulator(broker).serving() as url, aiohttp.ClientSession(url, headers=AUTHORISED) as session:
        async with session.get(path) as first:
            assert first.status == 200
        status = 429
        async with asyncio.timeout(10):
            while status == 429:
                async with session.get(path) as second:
                    status = second.status
                await asyncio.sleep(0.05)
    assert status == 200


async def test_a_clock_that_is_set_ahead_shows_in_the_answers(
    session: aiohttp.ClientSession, clock: VirtualClock
) -> None:
    plain = {"Accept-Encoding": "identity", "Accept-Datetime-Format": "UNIX"}
    async with session.post("/_control/clock", json={"offset_seconds": 30}) as answer:
        assert answer.status == 200
    async with session.get(f"{ACCOUNT}/pricing?instruments=EUR_USD", headers=plain) as answer:
        assert float((await answer.json())["time"]) == clock.now() + 30
