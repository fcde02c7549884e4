"""Exactly the right person is told, once, and told again when it is over. In virtual time."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from sidecar.alerting.types import TYPES, ErrorType
from sidecar.clock import VirtualClock
from sidecar.words import Severity
from tests.alerting.support import BOT, Phone, Room, kept, room, settle

BROKER = "binance"
OPEN = ErrorType.ORDERS_BREAKER_OPEN
"""Critical: a pager and the chat are told of it."""
LOST = ErrorType.STREAM_LOST
"""An error: only the chat is told of it."""

Play = Callable[[Room], Coroutine[Any, Any, None]]


def played(play: Play, **settings: Any) -> Room:
    """The room after a play in virtual time."""
    clock = VirtualClock()

    async def main() -> Room:
        async with room(clock, **settings) as made:
            await play(made)
            return made

    return clock.run(main())


def test_a_critical_error_pages_at_once_and_reaches_the_chat_within_the_minute() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(61)

    told = played(play)

    assert told.pager.at == [0]
    assert told.chat.at == [60]
    assert told.pager.titles == [f"CRITICAL · {BOT} · {BROKER}: {TYPES[OPEN].meaning}"]
    assert told.pager.messages[0].key == f"sidecar/{BOT}/{BROKER}/{OPEN}"


def test_an_error_is_the_chats_business_and_not_the_pagers() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(LOST, BROKER, "prices")
        await room.clock.sleep(600)

    told = played(play)

    assert (len(told.chat.messages), told.pager.tried) == (1, 0)


@pytest.mark.parametrize("kind", [kind for kind, known in TYPES.items() if known.severity is Severity.WARNING])
def test_nobody_is_told_of_a_warning(kind: ErrorType) -> None:
    async def play(room: Room) -> None:
        room.registry.happened(kind, BROKER)
        await room.clock.sleep(10_000)

    told = played(play)

    assert (told.chat.tried, told.pager.tried) == (0, 0)


def test_the_same_error_again_within_the_pause_is_told_once() -> None:
    async def play(room: Room) -> None:
        for _ in range(170):
            room.registry.happened(LOST, BROKER, "prices")
            await room.clock.sleep(20)

    assert played(play).chat.at == [60]


def test_an_error_that_goes_on_happening_is_told_again_after_the_pause() -> None:
    async def play(room: Room) -> None:
        for _ in range(200):
            room.registry.happened(LOST, BROKER, "prices")
            await room.clock.sleep(20)

    assert played(play).chat.at == [60, 3720]


def test_the_pause_is_the_configured_one_of_its_topic() -> None:
    async def play(room: Room) -> None:
        for _ in range(20):
            room.registry.happened(LOST, BROKER, "prices")
            room.registry.happened(ErrorType.BREAKER_OPEN, BROKER, "pricing")
            await room.clock.sleep(20)

    told = played(
        play, throttle={"websocket_seconds": 100}, channels={"chat": {"url": "json://x", "aggregate_seconds": 0}}
    )

    assert told.chat.at.count(0.0) == 2
    assert sorted(set(told.chat.at)) == [0, 100, 200, 300]


def test_the_end_is_told_too() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(120)
        room.registry.ended(OPEN, BROKER, "orders")
        await room.clock.sleep(120)

    told = played(play)

    assert told.pager.at == [0, 120]
    assert told.chat.at == [60, 180]
    assert told.pager.titles[1] == f"OVER · {BOT} · {BROKER}: {TYPES[OPEN].meaning}"
    assert [message.over for message in told.pager.messages] == [False, True]
    assert len({message.key for message in told.pager.messages}) == 1
    assert "once in 2m00s" in told.chat.messages[1].body


def test_what_is_over_before_the_chat_speaks_is_not_told() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(LOST, BROKER, "prices")
        await room.clock.sleep(59)
        room.registry.ended(LOST, BROKER, "prices")
        await room.clock.sleep(10_000)

    assert played(play).chat.tried == 0


def test_it_is_over_only_when_the_last_of_its_kind_is() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(LOST, BROKER, "prices")
        room.registry.happened(LOST, BROKER, "account")
        await room.clock.sleep(100)
        room.registry.ended(LOST, BROKER, "prices")
        await room.clock.sleep(100)
        assert len(room.chat.messages) == 1
        room.registry.ended(LOST, BROKER, "account")
        await room.clock.sleep(100)

    assert [message.over for message in played(play).chat.messages] == [False, True]


def test_what_comes_back_within_the_pause_and_goes_again_is_not_told() -> None:
    async def play(room: Room) -> None:
        for _ in range(5):
            room.registry.happened(OPEN, BROKER, "orders")
            await room.clock.sleep(100)
            room.registry.ended(OPEN, BROKER, "orders")
            await room.clock.sleep(100)

    told = played(play)

    assert [message.over for message in told.pager.messages] == [False, True]
    assert told.results.count(("pager", "throttled")) == 4


def test_what_comes_back_within_the_pause_and_stays_is_told_when_the_pause_ends() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(100)
        room.registry.ended(OPEN, BROKER, "orders")
        await room.clock.sleep(100)
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(2000)

    assert played(play).pager.at == [0, 100, 1800]


def test_three_types_within_a_minute_are_one_chat_message_and_a_page_for_each() -> None:
    async def play(room: Room) -> None:
        for kind in (OPEN, ErrorType.AUTH_FAILED, ErrorType.BANNED):
            room.registry.happened(kind, BROKER)
            await room.clock.sleep(15)
        await room.clock.sleep(60)

    told = played(play)

    assert told.chat.at == [60]
    assert told.chat.titles == [f"{BOT} · multiple errors: 3 critical"]
    for kind in (OPEN, ErrorType.AUTH_FAILED, ErrorType.BANNED):
        assert TYPES[kind].meaning in told.chat.messages[0].body
    assert told.pager.at == [0, 15, 30]
    assert told.results.count(("chat", "aggregated")) == 3
    assert told.results.count(("chat", "sent")) == 1


def test_what_comes_back_just_after_a_message_waits_for_the_next_one() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")  # the chat is told at 60
        await room.clock.sleep(100)
        room.registry.ended(OPEN, BROKER, "orders")
        await room.clock.sleep(1700)
        room.registry.happened(LOST, BROKER, "prices")  # it is told at 1860
        await room.clock.sleep(55)
        room.registry.happened(OPEN, "oanda", "orders")
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(200)

    assert played(play).chat.at == [60, 160, 1860]


def test_fifty_things_at_once_are_one_message() -> None:
    async def play(room: Room) -> None:
        for number in range(50):
            room.registry.happened(LOST, f"broker-{number}", "prices")
        await room.clock.sleep(100)

    told = played(play)

    assert told.chat.titles == [f"{BOT} · multiple errors: 50 error"]
    assert "and 30 more: sidecar errors" in told.chat.messages[0].body


def test_what_the_bot_waits_for_is_told_every_hour_while_it_lasts() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(ErrorType.BROKER_DOWN, BROKER)
        await room.clock.sleep(60 + 2 * 3600 + 60)
        room.registry.ended(ErrorType.BROKER_DOWN, BROKER)
        await room.clock.sleep(10_000)

    told = played(play)

    assert [round(at) for at in told.chat.at] == [60, 3660, 7260, 7380]
    assert ["still: " in title for title in told.chat.titles] == [False, True, True, False]
    assert told.chat.messages[-1].over


def test_a_channel_that_is_away_is_told_when_it_is_back() -> None:
    async def play(room: Room) -> None:
        room.pager.away = "no connection"
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(100)
        room.pager.away = ""
        await room.clock.sleep(100)

    told = played(play)

    assert len(told.pager.messages) == 1
    assert told.pager.tried == 4  # after 15, 30 and 60 seconds
    assert told.results.count(("pager", "failed")) == 3


def test_what_came_and_went_while_the_channel_was_away_is_told_as_over() -> None:
    async def play(room: Room) -> None:
        room.pager.away = "no connection"
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(50)
        room.registry.ended(OPEN, BROKER, "orders")
        await room.clock.sleep(50)
        room.pager.away = ""
        await room.clock.sleep(1000)

    (message,) = played(play).pager.messages

    assert message.over


def test_an_error_that_happens_often_does_not_hurry_a_channel_that_is_away() -> None:
    async def play(room: Room) -> None:
        room.pager.away = "no connection"
        for _ in range(100):
            room.registry.happened(OPEN, BROKER, "orders")
            await room.clock.sleep(0.1)

    assert played(play).pager.tried == 1


def test_what_ends_while_it_is_being_told_is_told_as_over_next() -> None:
    async def play(room: Room) -> None:
        room.pager.slow = 3.0
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(1)
        room.registry.ended(OPEN, BROKER, "orders")
        await room.clock.sleep(20)

    assert [message.over for message in played(play).pager.messages] == [False, True]


def test_what_waits_for_company_is_told_before_a_stop() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(LOST, BROKER, "prices")
        await settle()
        room.alerting.wind_down()
        await room.alerting.close()

    assert played(play).chat.at == [0]


def test_a_stop_does_not_wait_for_a_channel_that_hangs() -> None:
    async def play(room: Room) -> None:
        room.pager.slow = 3600.0
        room.registry.happened(OPEN, BROKER, "orders")
        await settle()
        room.alerting.wind_down()
        await room.alerting.close()
        assert room.clock.monotonic() == 3

    assert played(play).pager.tried == 1


def test_a_mistake_in_a_channel_does_not_silence_it() -> None:
    clock = VirtualClock()

    async def main() -> Room:
        made = Room(clock)
        await made.alerting.start()
        made.pager.broken = True
        made.registry.happened(OPEN, BROKER, "orders")
        await clock.sleep(3)
        made.pager.broken = False
        await clock.sleep(10)
        await made.alerting.close()
        return made

    told = clock.run(main())

    assert told.pager.at == [5]
    assert [str(failure) for failure in told.failures] == ["a mistake"]


def test_every_record_says_how_often_somebody_was_told() -> None:
    async def play(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(100)

    (record,) = played(play).registry.all()
    assert record.notified == 2


class Life:
    """A sidecar that starts anew on the same state file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = VirtualClock()
        self.phones = {name: Phone(self.clock) for name in ("chat", "pager")}

    def live(self, *lives: Play) -> None:
        async def main() -> None:
            for play in lives:
                async with kept(self.path) as store, room(self.clock, store, phones=self.phones) as made:
                    await play(made)

        self.clock.run(main())


def test_a_restart_tells_nobody_twice(tmp_path: Path) -> None:
    async def first(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(100)

    async def second(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(100)

    life = Life(tmp_path / "state.db")
    life.live(first, second)

    assert (len(life.phones["chat"].messages), len(life.phones["pager"].messages)) == (1, 1)


def test_the_end_is_told_after_a_restart(tmp_path: Path) -> None:
    async def first(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(100)

    async def second(room: Room) -> None:
        room.registry.ended(OPEN, BROKER, "orders")
        await room.clock.sleep(100)

    life = Life(tmp_path / "state.db")
    life.live(first, second)

    assert [message.over for message in life.phones["chat"].messages] == [False, True]
    assert [message.over for message in life.phones["pager"].messages] == [False, True]


def test_what_waited_for_company_is_told_after_a_crash(tmp_path: Path) -> None:
    async def first(room: Room) -> None:
        room.registry.happened(LOST, BROKER, "prices")
        await room.clock.sleep(30)

    async def second(room: Room) -> None:
        await room.clock.sleep(100)

    life = Life(tmp_path / "state.db")
    life.live(first, second)

    assert life.phones["chat"].at == [60]


def test_the_pause_goes_on_over_a_restart(tmp_path: Path) -> None:
    async def first(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(100)
        room.registry.ended(OPEN, BROKER, "orders")
        await room.clock.sleep(100)

    async def second(room: Room) -> None:
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(100)
        room.registry.ended(OPEN, BROKER, "orders")
        await room.clock.sleep(100)

    life = Life(tmp_path / "state.db")
    life.live(first, second)

    assert [message.over for message in life.phones["pager"].messages] == [False, True]


def test_a_channel_that_was_away_at_the_stop_is_told_after_the_start(tmp_path: Path) -> None:
    async def first(room: Room) -> None:
        room.pager.away = "no connection"
        room.registry.happened(OPEN, BROKER, "orders")
        await room.clock.sleep(20)

    async def second(room: Room) -> None:
        room.pager.away = ""
        await room.clock.sleep(100)

    life = Life(tmp_path / "state.db")
    life.live(first, second)

    assert len(life.phones["pager"].messages) == 1
