"""Whatever a broker answers, whenever bots resend and however processes end: a key's call is executed at most once."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sidecar.calls.model import Result
from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.words import Outcome
from tests.calls.scripted import AMBIGUOUS, DEFINITE, FILLED, MARGIN, Step, answer
from tests.orders.support import Desk

LIMITED = answer(429, {"code": -1003, "msg": "Too many requests"}, Retry_After="1")
LOST = MaybeSent("timeout", "TimeoutError")
EXECUTED: tuple[Step, ...] = (FILLED, AMBIGUOUS, LOST)
NOT_EXECUTED: tuple[Step, ...] = (DEFINITE, LIMITED, MARGIN, NotSent("connect", "OSError"))
SETTINGS: dict[str, Any] = {"breaker": {"failures": 1000, "minimum_calls": 1000}, "retry": {"budget_floor": 1000}}

moments = st.floats(0, 3)
scripts = st.lists(st.sampled_from([*EXECUTED, *NOT_EXECUTED]), min_size=1, max_size=8)
lives = st.lists(
    st.tuples(
        st.lists(st.tuples(moments, st.sampled_from(["stays", "leaves", "disk fills"])), min_size=1, max_size=5),
        st.booleans(),
        moments,
    ),
    min_size=1,
    max_size=4,
)
"""Processes: when calls come and what happens then, whether the process crashes, and how long after the last call."""


async def bots(desk: Desk, plan: list[tuple[float, str]], told: list[Result]) -> list["asyncio.Task[None]"]:
    async def bot(after: float, event: str) -> None:
        await desk.clock.sleep(after)
        desk.store.full = event == "disk fills"
        if event == "leaves":
            await asyncio.wait({asyncio.create_task(desk.send())}, timeout=0.05)
        else:
            told.append(await desk.send(deadline=20))

    return [asyncio.create_task(bot(after, event)) for after, event in plan]


@given(scripts, lives)
def test_a_key_is_executed_at_most_once_and_no_answer_denies_it(
    script: list[Step], lives: list[tuple[list[tuple[float, str]], bool, float]]
) -> None:
    with TemporaryDirectory() as folder:
        desk = Desk(Path(folder), script, takes=0.3, **SETTINGS)
        told: list[Result] = []

        def executions() -> int:
            return sum(any(step is done for done in EXECUTED) for step in used(script, desk.sent))

        for plan, crashes, pause in lives:

            async def life(
                plan: list[tuple[float, str]] = plan, pause: float = pause, *, crashes: bool = crashes
            ) -> None:
                tasks = await bots(desk, plan, told)
                if crashes:
                    await desk.clock.sleep(pause)
                else:
                    await asyncio.gather(*tasks)

            desk.run(life, crash=crashes)
            assert executions() <= 1
        if executions():
            told.clear()
            desk.run(lambda: bots_once(desk, told))
            assert executions() == 1
            assert told[0].fate.outcome in {Outcome.OK, Outcome.UNKNOWN}


async def bots_once(desk: Desk, told: list[Result]) -> None:
    told.append(await desk.send())


def used(script: list[Step], sent: int) -> list[Step]:
    """The steps that the wire has played; it repeats the last one."""
    return [script[min(number, len(script) - 1)] for number in range(sent)]
