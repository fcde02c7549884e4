"""Whatever happens in whatever order: nobody is told twice, and everybody ends up knowing what is true."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.alerting.types import TYPES, ErrorType
from sidecar.clock import VirtualClock
from tests.alerting.support import Phone, Room, room

KINDS = (ErrorType.ORDERS_BREAKER_OPEN, ErrorType.AUTH_FAILED, ErrorType.BANNED, ErrorType.ORDER_DEAD)
PAUSE = 1800.0
"""The shortest of the pauses of these types."""
LONG = 5000.0
"""Longer than any pause, and than a channel that was away is left alone."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("raise"), st.sampled_from(KINDS)),
        st.tuples(st.just("end"), st.sampled_from(KINDS)),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 30.0, 61.0, 700.0, 2000.0, 4000.0])),
        st.tuples(st.just("away"), st.booleans()),
        st.tuples(st.just("slow"), st.sampled_from([0.0, 5.0, 90.0])),
    ),
    max_size=25,
)


async def lived(room: Room, steps: list[tuple[str, Any]]) -> None:
    for what, which in steps:
        match what:
            case "raise":
                room.registry.happened(which, "binance")
            case "end":
                room.registry.ended(which, "binance")
            case "wait":
                await room.clock.sleep(which)
            case "away":
                room.pager.away = room.chat.away = "away" if which else ""
            case _:
                room.pager.slow = room.chat.slow = which
    room.pager.away = room.chat.away = ""
    await room.clock.sleep(LONG)


def told_of(phone: Phone, kind: ErrorType) -> list[tuple[float, str, bool]]:
    """When, by which title, and whether as over, a pager was told of a type."""
    key = f"/binance/{kind}"
    messages = zip(phone.at, phone.messages, strict=True)
    return [(at, message.title, message.over) for at, message in messages if message.key.endswith(key)]


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_a_pager_is_told_once_and_ends_up_knowing_what_is_true(steps: list[tuple[str, Any]]) -> None:
    clock = VirtualClock()

    async def main() -> Room:
        async with room(clock) as made:
            await lived(made, steps)
            return made

    made = clock.run(main())

    for kind in KINDS:
        told = told_of(made.pager, kind)
        lasts = bool(made.registry.of((kind, "binance")))
        assert (bool(told) and not told[-1][2]) is lasts
        assert [(before[2], after[2]) for before, after in pairwise(told)].count((True, True)) == 0
        begun = [at for at, title, over in told if not over and "still: " not in title]
        assert all(after - before >= PAUSE for before, after in pairwise(begun))


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_a_chat_never_gets_two_messages_within_a_minute(steps: list[tuple[str, Any]]) -> None:
    clock = VirtualClock()

    async def main() -> Room:
        async with room(clock) as made:
            await lived(made, [step for step in steps if step[0] != "away"])
            return made

    made = clock.run(main())

    at = made.chat.at
    assert all(after - before >= 60 for before, after in pairwise(at))
    lasting = {record.type for record in made.registry.lasting()}
    for kind in lasting:
        assert any(TYPES[kind].meaning in message.title + message.body for message in made.chat.messages)
