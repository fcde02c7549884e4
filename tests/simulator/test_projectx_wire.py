"""The simulated gateway as a client meets it: tokens, envelopes, searches, limits, faults."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sidecar.clock import VirtualClock
from sidecar.simulator import Fault, FaultKind, Simulator
from sidecar.simulator.projectx import AccountSpec, ProjectXBroker, Rules, UserSpec
from tests.simulator.test_projectx_ledger import ES

ORDER = {"accountId": 1, "contractId": ES, "type": 2, "side": 0, "size": 1}
WAITING = {**ORDER, "type": 1, "limitPrice": 6890.0}
BRACKETS = {"stopLossBracket": {"ticks": 10, "type": 4}, "takeProfitBracket": {"ticks": 20, "type": 1}}
USERS = (
    UserSpec(accounts=(AccountSpec(auto_oco=True),)),
    UserSpec("other", "other-key", (AccountSpec(2, "PRACTICE-2"),)),
)


class Client:
    """A client that has logged in."""

    def __init__(self, session: aiohttp.ClientSession, simulator: Simulator) -> None:
        self.session = session
        self.simulator = simulator
        self.token = ""

    async def post(self, path: str, body: Any = None, *, status: int = 200) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.session.post(f"/api/{path}", json=body, headers=headers) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json(content_type=None) if status == 200 else await answer.text()

    async def log_in(self, name: str = "demo", key: str = "demo-key") -> Any:
        told = await self.post("Auth/loginKey", {"userName": name, "apiKey": key})
        self.token = told["token"] or ""
        return told


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_800_000_000.25)


@pytest.fixture
async def client(clock: VirtualClock) -> AsyncIterator[Client]:
    rules = Rules(moving=False, requests_per_minute=20, bars_per_half_minute=3)
    simulator = Simulator(ProjectXBroker(users=USERS, rules=rules, clock=clock))
    async with simulator.serving() as url, aiohttp.ClientSession(url) as session:
        made = Client(session, simulator)
        await made.log_in("DEMO")
        yield made


# Sessions


async def test_a_wrong_key_is_a_200_that_says_no(client: Client) -> None:
    assert await client.log_in(key="wrong") == {
        "token": None,
        "success": False,
        "errorCode": 3,
        "errorMessage": None,
    }


@pytest.mark.parametrize("token", ["", "made.up.token"])
async def test_without_a_token_everything_is_401(client: Client, token: str) -> None:
    client.token = token
    assert not await client.post("Account/search", {}, status=401)


async def test_a_token_ends_after_a_day_and_can_be_renewed_before(client: Client, clock: VirtualClock) -> None:
    clock.advance(86_000)
    renewed = (await client.post("Auth/validate"))["newToken"]
    clock.advance(400)
    await client.post("Account/search", {}, status=401)
    client.token = renewed
    assert (await client.post("Account/search", {}))["success"]


async def test_another_login_leaves_the_first_token_good(client: Client) -> None:
    first = client.token
    await client.log_in()
    assert client.token != first
    client.token = first
    assert (await client.post("Account/search", {}))["success"]


async def test_after_a_logout_the_token_is_worth_nothing(client: Client) -> None:
    await client.post("Auth/logout")
    await client.post("Account/search", {}, status=401)


async def test_a_clock_that_is_set_far_ahead_ends_every_token(client: Client) -> None:
    client.simulator.set_clock_offset(90_000)
    await client.post("Account/search", {}, status=401)


# Answers


async def test_a_path_may_be_written_in_lower_case(client: Client) -> None:
    assert (await client.post("order/place", ORDER))["success"]


async def test_an_order_is_told_by_its_number(client: Client) -> None:
    told = await client.post("Order/place", {**ORDER, "customTag": "mine"})
    assert told == {"orderId": told["orderId"], "success": True, "errorCode": 0, "errorMessage": None}
    (order,) = client.simulator.executed().orders
    assert (order.order_id, order.client_id, order.status) == (str(told["orderId"]), "mine", "FILLED")


@pytest.mark.parametrize(
    ("path", "body", "number"),
    [
        ("Order/place", {**ORDER, "accountId": 2}, 1),
        ("Order/place", {**ORDER, "size": 0}, 2),
        ("Order/place", {**ORDER, "size": 1000}, 3),
        ("Order/place", {**ORDER, "contractId": "?"}, 8),
        ("Order/cancel", {"accountId": 1, "orderId": 5}, 2),
        ("Order/modify", {"accountId": 1, "orderId": 5, "size": 2}, 2),
        ("Order/searchById", {"accountId": 1, "orderId": 5}, 1),
        ("Position/closeContract", {"accountId": 1, "contractId": ES}, 2),
        ("Position/partialCloseContract", {"accountId": 1, "contractId": "?", "size": 1}, 3),
        ("Trade/search", {"accountId": 2, "startTimestamp": "2025-01-20T15:47:39.882Z"}, 1),
        ("Contract/searchById", {"contractId": "?"}, 1),
    ],
)
async def test_a_business_no_is_a_200_with_the_endpoints_own_code(
    client: Client, path: str, body: Any, number: int
) -> None:
    told = await client.post(path, body)
    assert (told["success"], told["errorCode"]) == (False, number)


@pytest.mark.parametrize("body", [[], {"accountId": 1}, {**ORDER, "size": "1"}, {**ORDER, "limitPrice": "x"}])
async def test_a_body_of_the_wrong_form_is_a_400(client: Client, body: Any) -> None:
    assert "validation" in await client.post("Order/place", body, status=400)
    assert client.simulator.executed().orders == ()


async def test_the_search_for_open_orders_leaves_suspended_exits_out(client: Client) -> None:
    await client.post("Order/place", {**WAITING, **BRACKETS})
    open_ones = (await client.post("Order/searchOpen", {"accountId": 1}))["orders"]
    asked = {"filter": {"accountId": 1, "statuses": [1, 8]}, "includeTotalCount": True}
    both = await client.post("Order/v2/query", asked)
    assert len(open_ones) == 1
    assert [order["status"] for order in both["orders"]] == [1, 8, 8]
    assert both["totalCount"] == 3


async def test_the_query_filters_sorts_and_pages(client: Client, clock: VirtualClock) -> None:
    numbers = []
    for _ in range(3):
        numbers.append((await client.post("Order/place", WAITING))["orderId"])
        clock.advance(1)
    page = {"pageSize": 2, "pageOffset": 1, "sortDirection": 1}
    told = await client.post("Order/v2/query", {"filter": {"accountId": 1, "contractId": ES}, **page})
    assert [order["id"] for order in told["orders"]] == numbers[1::-1]


async def test_orders_are_searched_by_time(client: Client, clock: VirtualClock) -> None:
    await client.post("Order/place", WAITING)
    clock.advance(10)
    later = await client.post("Order/place", WAITING)
    told = await client.post("Order/search", {"accountId": 1, "startTimestamp": "2027-01-15T08:00:05+00:00"})
    assert [order["id"] for order in told["orders"]] == [later["orderId"]]
    assert told["orders"][0]["creationTimestamp"] == "2027-01-15T08:00:10.250000+00:00"


async def test_a_short_position_has_a_type_and_no_sign(client: Client) -> None:
    await client.post("Order/place", {**ORDER, "side": 1, "size": 2})
    (position,) = (await client.post("Position/searchOpen", {"accountId": 1}))["positions"]
    assert (position["type"], position["size"]) == (2, 2)
    await client.post("Position/partialCloseContract", {"accountId": 1, "contractId": ES, "size": 1})
    await client.post("Position/closeContract", {"accountId": 1, "contractId": ES})
    assert (await client.post("Position/searchOpen", {"accountId": 1}))["positions"] == []
    told = await client.post("Trade/search", {"accountId": 1, "startTimestamp": "2025-01-20T15:47:39.882Z"})
    assert [trade["profitAndLoss"] is None for trade in told["trades"]] == [True, False, False]


async def test_contracts_and_bars_can_be_asked_for(client: Client) -> None:
    found = await client.post("Contract/search", {"searchText": "nasdaq", "live": False})
    assert [contract["name"] for contract in found["contracts"]] == ["NQZ6", "MNQZ6"]
    span = {"startTime": "2027-01-15T00:00:00Z", "endTime": "2027-01-15T08:00:00Z"}
    asked = {"contractId": ES, "live": False, **span, "unit": 3, "unitNumber": 1, "limit": 3, "includePartialBar": True}
    bars = (await client.post("History/retrieveBars", asked))["bars"]
    assert [bar["t"][11:16] for bar in bars] == ["08:00", "07:00", "06:00"]
    assert all(bar["l"] <= bar["o"] <= bar["h"] for bar in bars)


async def test_nobody_needs_a_token_to_ask_whether_it_is_there(client: Client) -> None:
    async with client.session.get("/api/Status/ping") as answer:
        assert answer.status == 200


# Limits and faults


async def test_more_requests_in_a_minute_than_allowed_are_429_until_it_has_passed(
    client: Client, clock: VirtualClock
) -> None:
    for _ in range(19):
        await client.post("Account/search", {})
    await client.post("Account/search", {}, status=429)
    clock.advance(60)
    await client.post("Account/search", {})


async def test_bars_have_a_limit_of_their_own(client: Client) -> None:
    for _ in range(3):
        await client.post("History/retrieveBars", {}, status=400)
    await client.post("History/retrieveBars", {}, status=429)
    await client.post("Account/search", {})


@pytest.mark.parametrize(
    ("kind", "path", "number"),
    [
        (FaultKind.UNAVAILABLE_UNKNOWN, "/api/Order/place", 7),
        (FaultKind.TIMEOUT_UNKNOWN, "/api/Order/place", 6),
        (FaultKind.TIMEOUT_UNKNOWN, "/api/Order/cancel", 4),
        (FaultKind.UNAVAILABLE_UNKNOWN, "/api/Position/closeContract", 7),
        (FaultKind.UNAVAILABLE_UNKNOWN, "/api/Position/partialCloseContract", 8),
    ],
)
async def test_an_endpoint_that_leaves_it_open_says_so_in_its_own_code(
    client: Client, kind: FaultKind, path: str, number: int
) -> None:
    client.simulator.plan.add(Fault(kind, path=path, executed=True))
    told = await client.post(path.removeprefix("/api/"), ORDER)
    assert (told["success"], told["errorCode"]) == (False, number)


async def test_an_order_may_be_executed_though_its_answer_leaves_it_open(client: Client) -> None:
    client.simulator.plan.add(Fault(FaultKind.UNAVAILABLE_UNKNOWN, path="/api/Order/place", executed=True))
    await client.post("Order/place", ORDER)
    assert len(client.simulator.executed().orders) == 1


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FaultKind.RATE_LIMITED, 429),
        (FaultKind.UNAVAILABLE_DEFINITE, 429),
        (FaultKind.THROTTLED, 429),
        (FaultKind.BANNED, 403),
        (FaultKind.INTERNAL, 500),
        (FaultKind.MAINTENANCE, 503),
        (FaultKind.HTML, 502),
        (FaultKind.UNAVAILABLE_UNKNOWN, 503),
        (FaultKind.TIMEOUT_UNKNOWN, 504),
    ],
)
async def test_every_fault_that_is_an_answer_has_a_status(client: Client, kind: FaultKind, status: int) -> None:
    client.simulator.plan.add(Fault(kind, executed=False))
    await client.post("Order/place", ORDER, status=status)
    assert client.simulator.executed().orders == ()


async def test_a_reset_empties_the_books_and_ends_the_sessions(client: Client) -> None:
    await client.post("Order/place", ORDER)
    client.simulator.reset()
    assert client.simulator.executed().orders == ()
    await client.post("Account/search", {}, status=401)
