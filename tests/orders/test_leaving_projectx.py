"""Leaving a broker that closes positions by a call of its own, which takes no client id; before its simulator."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from sidecar.clock import SystemClock
from sidecar.config.model import Queue
from sidecar.orders.leaving import Leaving
from sidecar.orders.ledger import Ledger
from sidecar.orders.queue import OrderQueue
from sidecar.simulator import Fault, FaultKind, Simulator
from sidecar.simulator.projectx import ProjectXBroker, Rules
from tests.simulator.test_projectx_gateway import ORDER, PLACE, Stack
from tests.store.inline import InlineStore

CLOSE = "/api/Position/closeContract"


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    simulator = Simulator(ProjectXBroker(rules=Rules(moving=False)))
    async with simulator.serving() as url:
        made = Stack(simulator, url, {"user_name": "demo", "key": "demo-key"})
        await made.gateway.open()
        yield made
        await made.gateway.close()


async def left(stack: Stack, folder: Path) -> Leaving:
    """What is left after leaving, with three contracts bought before."""
    await stack.post(PLACE, {**ORDER, "size": 3})
    store, clock, gateway = InlineStore(folder / "state.db"), SystemClock(), stack.gateway
    await store.open()
    ledger, bus, profile, rng = Ledger(store, 86400, clock), gateway._bus, gateway._profile, Random(1)
    queue = OrderQueue(gateway, profile, ledger, Queue(), deadline_seconds=5, bus=bus, clock=clock, rng=rng)
    gateway.wind_down()
    queue.wind_down()
    leaving = Leaving(gateway, profile, queue, ledger, closes=True, clock=clock, rng=rng)
    await leaving.run(3)
    await store.close()
    return leaving


async def test_a_position_is_closed_once(stack: Stack, tmp_path: Path) -> None:
    leaving = await left(stack, tmp_path)
    assert (len(leaving.closed), leaving.open, leaving.clean) == (1, (), True)
    assert leaving.closed[0].startswith("long 3 ")
    assert stack.simulator.traffic().requests[f"POST {CLOSE}"] == 1


async def test_an_answer_that_is_lost_is_made_up_for_by_asking_what_is_held(stack: Stack, tmp_path: Path) -> None:
    stack.simulator.plan.add(Fault(FaultKind.RESET_AFTER, path=CLOSE))
    leaving = await left(stack, tmp_path)
    assert (len(leaving.closed), leaving.open) == (1, ())
    assert stack.simulator.traffic().requests[f"POST {CLOSE}"] == 1


async def test_a_call_that_did_not_arrive_leaves_the_position_and_says_so(stack: Stack, tmp_path: Path) -> None:
    stack.simulator.plan.add(Fault(FaultKind.RESET_BEFORE, path=CLOSE))
    leaving = await left(stack, tmp_path)
    assert (leaving.closed, len(leaving.open), leaving.clean) == ((), 1, False)
