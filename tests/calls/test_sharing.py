"""One answer serves all who ask the same within a moment."""

import asyncio

import pytest

from sidecar.calls.asking import Unanswered
from sidecar.calls.sharing import FRESH_SECONDS, Sharing
from sidecar.clock import VirtualClock
from sidecar.wire import Answer, Request

OPEN = Request("POST", "/api/Order/searchOpen", (), b'{"accountId":1}')
OTHERS = Request("POST", "/api/Order/searchOpen", (), b'{"accountId":2}')


class Broker:
    """Answers after half a second, and counts."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.asked: list[bytes] = []
        self.away = False

    async def ask(self, question: Request, until: float) -> Answer:
        assert until > self.clock.monotonic()
        self.asked.append(question.body)
        await self.clock.sleep(0.5)
        if self.away:
            raise Unanswered
        return Answer(200, (), b"%d" % len(self.asked))


@pytest.fixture
def broker() -> Broker:
    return Broker(VirtualClock())


@pytest.fixture
def sharing(broker: Broker) -> Sharing:
    return Sharing(broker.ask, broker.clock)


def test_who_asks_the_same_at_once_or_soon_after_gets_the_same_answer(broker: Broker, sharing: Sharing) -> None:
    async def life() -> list[Answer]:
        found = await asyncio.gather(*(sharing.ask(OPEN, 9) for _ in range(3)))
        await broker.clock.sleep(FRESH_SECONDS / 4)
        return [*found, await sharing.ask(OPEN, 9)]

    assert [answer.body for answer in broker.clock.run(life())] == [b"1"] * 4


def test_another_question_and_a_later_one_are_put_again(broker: Broker, sharing: Sharing) -> None:
    async def life() -> None:
        await sharing.ask(OPEN, 9)
        await sharing.ask(OTHERS, 9)
        await broker.clock.sleep(FRESH_SECONDS)
        await sharing.ask(OPEN, 9)

    broker.clock.run(life())
    assert broker.asked == [OPEN.body, OTHERS.body, OPEN.body]


def test_whoever_gives_up_takes_no_answer_from_the_others(broker: Broker, sharing: Sharing) -> None:
    async def life() -> Answer:
        first = asyncio.create_task(sharing.ask(OPEN, 9))
        second = asyncio.create_task(sharing.ask(OPEN, 9))
        await broker.clock.sleep(0.1)
        first.cancel()
        return await second

    assert broker.clock.run(life()).body == b"1"


def test_a_failure_is_shared_too_and_forgotten(broker: Broker, sharing: Sharing) -> None:
    async def life() -> Answer:
        broker.away = True
        for _ in range(2):
            with pytest.raises(Unanswered):
                await sharing.ask(OPEN, 9)
        broker.away = False
        await broker.clock.sleep(FRESH_SECONDS)
        return await sharing.ask(OPEN, 9)

    assert broker.clock.run(life()).body == b"2"
