"""Orders through the sidecar's own call path to a gateway that misbehaves: each is executed once, and told truly."""

import json
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest

from sidecar.brokers.registry import build
from sidecar.calls.gateway import Gateway
from sidecar.calls.limiter import Address
from sidecar.calls.model import Result
from sidecar.clock import SystemClock
from sidecar.config.model import Broker
from sidecar.health.setup import condition, degradation
from sidecar.simulator import Fault, FaultKind, Simulator
from sidecar.simulator.projectx import ProjectXBroker, Rules
from sidecar.telemetry.events import Bus, Event, LoginFinished
from sidecar.wire import Request
from sidecar.words import LoginResult, Outcome
from tests.simulator.test_projectx_ledger import ES

PLACE = "/api/Order/place"
ORDER = {"accountId": 1, "contractId": ES, "type": 2, "side": 0, "size": 1}


class Stack:
    """A simulator and a gateway before it."""

    def __init__(self, simulator: Simulator, url: str, credentials: dict[str, str]) -> None:
        self.simulator = simulator
        clock = SystemClock()
        bus = Bus(clock)
        self.told: list[Event] = []
        for kind in Event.__args__:
            bus.subscribe(kind, self.told.append)
        broker = Broker.model_validate({"profile": "projectx", "base_url": url, "credentials": credentials})
        rng = Random(1)
        door = condition("topstep", broker.maintenance, bus=bus, clock=clock, rng=rng)
        self.gateway = Gateway(
            "topstep",
            broker,
            build(broker),
            address=Address(clock),
            admission=door,
            restraint=degradation("topstep", broker, door, bus=bus, clock=clock),
            bus=bus,
            clock=clock,
            rng=rng,
        )

    async def post(self, path: str, body: Any = None, token: str = "dummy") -> Result:  # noqa: S107 - a made-up token
        headers = ((b"Content-Type", b"application/json"), (b"Authorization", f"Bearer {token}".encode()))
        return await self.gateway.run(Request("POST", path, headers, json.dumps(body or {}).encode()))

    @property
    def tags(self) -> list[str]:
        return [order.client_id for order in self.simulator.executed().orders]

    def logins(self, result: LoginResult) -> int:
        return sum(isinstance(event, LoginFinished) and event.result is result for event in self.told)


Make = Callable[..., Stack]


@pytest.fixture
async def simulator() -> AsyncIterator[tuple[Simulator, str]]:
    simulator = Simulator(ProjectXBroker(rules=Rules(moving=False)))
    async with simulator.serving() as url:
        yield simulator, url


@pytest.fixture
async def stack(simulator: tuple[Simulator, str]) -> AsyncIterator[Stack]:
    made = Stack(*simulator, {"user_name": "demo", "key": "demo-key"})
    await made.gateway.open()
    yield made
    await made.gateway.close()


@pytest.fixture
async def plain(simulator: tuple[Simulator, str]) -> AsyncIterator[Stack]:
    made = Stack(*simulator, {})
    await made.gateway.open()
    yield made
    await made.gateway.close()


async def test_an_order_of_a_bot_without_keys_is_executed_and_bears_a_tag(stack: Stack) -> None:
    result = await stack.post(PLACE, ORDER)
    assert result.fate.outcome is Outcome.OK
    (tag,) = stack.tags
    assert tag.startswith("bs-")
    assert stack.logins(LoginResult.OK) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.RESET_AFTER, path=PLACE),
        Fault(FaultKind.UNAVAILABLE_UNKNOWN, path=PLACE, executed=True),
        Fault(FaultKind.TIMEOUT_UNKNOWN, path=PLACE, executed=True),
        Fault(FaultKind.TRUNCATED, path=PLACE),
    ],
    ids=lambda fault: str(fault.kind),
)
async def test_an_order_whose_answer_was_lost_is_told_as_done_and_executed_once(stack: Stack, fault: Fault) -> None:
    stack.simulator.plan.add(fault)
    result = await stack.post(PLACE, {**ORDER, "customTag": "mine"})
    assert (result.fate.outcome, result.fate.attempts, result.fate.reconciled) == (Outcome.OK, 1, True)
    (order,) = stack.simulator.executed().orders
    assert json.loads(result.answer.body)["orderId"] == int(order.order_id)


async def test_a_bots_own_token_opens_the_look_at_its_order(plain: Stack) -> None:
    told = await plain.post("/api/Auth/loginKey", {"userName": "demo", "apiKey": "demo-key"})
    token = json.loads(told.answer.body)["token"]
    plain.simulator.plan.add(Fault(FaultKind.RESET_AFTER, path=PLACE))
    result = await plain.post(PLACE, {**ORDER, "customTag": "mine"}, token)
    assert (result.fate.outcome, result.fate.reconciled) == (Outcome.OK, True)
    assert plain.tags == ["mine"]


async def test_a_cancel_that_came_too_late_tells_that_the_order_has_filled(stack: Stack) -> None:
    placed = await stack.post(PLACE, ORDER)
    body = {"accountId": 1, "orderId": json.loads(placed.answer.body)["orderId"]}
    result = await stack.post("/api/Order/cancel", body)
    assert (result.fate.outcome, result.fate.order) == (Outcome.REJECTED, "filled")


async def test_wrong_keys_are_told_and_nothing_is_sent(simulator: tuple[Simulator, str]) -> None:
    made = Stack(*simulator, {"user_name": "demo", "key": "wrong"})
    await made.gateway.open()
    result = await made.post(PLACE, ORDER)
    await made.gateway.close()
    assert (result.fate.outcome, result.fate.attempts) == (Outcome.TRANSIENT, 0)
    assert made.tags == []
