"""A fill is known as soon as the broker's stream tells of it, and no later than by polling when it does not."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from sidecar.orders.fills.account import LINGER_SECONDS
from sidecar.orders.fills.follower import LIMITED_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from sidecar.orders.fills.lines import LONGEST_LINE_BYTES
from sidecar.telemetry.events import BrokerChecked, Reloaded
from sidecar.words import OrderState, Readiness
from tests.orders.fills.stage import AWAY, KEYED, REFUSED, RENEWAL, TOO_MANY, Stage
from tests.orders.operations.floor import BRACKET

T = TypeVar("T")
SYMBOL = "BTCUSDT"
LONG = 10_000.0


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, look_seconds=LONG)


async def resting(stage: Stage, client_id: str = "c1", price: str = "95") -> str:
    """A limit order that waits in the broker's book; its id."""
    taken = await stage.place(client_id, type="limit", price=price)
    await stage.settled(taken)
    return taken.order.id


async def state(stage: Stage, order_id: str) -> OrderState:
    return (await stage.desk.account(order_id)).order.state


def with_an_order(stage: Stage, then: Callable[[str], Awaitable[T]]) -> T:
    """One life in which an order waits and is followed."""

    async def life() -> T:
        order_id = await resting(stage)
        await stage.following_begins()
        return await then(order_id)

    return stage.live(life)


def test_a_fill_that_the_stream_tells_is_known_at_once(stage: Stage) -> None:
    async def then(order_id: str) -> OrderState:
        stage.exchange.move(SYMBOL, 94)
        await stage.clock.sleep(0.2)
        return await state(stage, order_id)

    assert with_an_order(stage, then) is OrderState.FILLED


def test_a_brackets_entry_that_fills_has_its_stop_at_once(stage: Stage) -> None:
    async def life() -> float:
        await stage.ask(BRACKET, price="95", fill_seconds=LONG)
        await stage.following_begins()
        await stage.clock.sleep(60)
        filled = stage.clock.monotonic()
        stage.exchange.move(SYMBOL, 94)
        while not stage.exchange.booked("stop"):
            await stage.clock.sleep(0.01)
        return stage.clock.monotonic() - filled

    assert stage.live(life) < 0.5


def test_a_fill_is_acted_upon_though_the_disk_is_slow_to_know_it(stage: Stage) -> None:
    async def life() -> list[str]:
        await stage.ask(BRACKET, price="95", fill_seconds=LONG)
        await stage.following_begins()
        await stage.clock.sleep(70)  # the looks at it are 64 seconds apart by now
        stage.store.takes = 0.2
        stage.exchange.move(SYMBOL, 94)
        await stage.clock.sleep(10)
        stage.store.takes = 0.0
        return [stop.status for stop in stage.exchange.booked("stop")]

    assert stage.live(life) == ["NEW"]


def test_a_fill_that_cannot_be_seen_yet_is_looked_for_again(stage: Stage) -> None:
    async def then(order_id: str) -> OrderState:
        order = stage.exchange.orders["c1"]
        stage.broadcast.transaction(order)
        await stage.clock.sleep(0.2)
        order.executed, order.status = order.quantity, "FILLED"
        await stage.clock.sleep(10)
        return await state(stage, order_id)

    assert with_an_order(stage, then) is OrderState.FILLED


def test_a_fill_that_is_told_before_the_placing_is_answered_is_not_lost(stage: Stage) -> None:
    async def then(_: str) -> OrderState:
        stage.exchange.takes = 2.0
        taken = await stage.place("c2", type="limit", price="90")
        await stage.clock.sleep(1)
        order = stage.exchange.orders["c2"]
        answer = order.told()  # as it was when the broker wrote the answer
        order.told = lambda: answer  # type: ignore[method-assign] # until it is looked at
        stage.broadcast.transaction(order)
        await stage.settled(taken)
        assert await state(stage, taken.order.id) is OrderState.WORKING
        del order.told
        order.executed, order.status = order.quantity, "FILLED"
        await stage.clock.sleep(5)
        return await state(stage, taken.order.id)

    assert with_an_order(stage, then) is OrderState.FILLED


def test_an_order_in_doubt_that_the_stream_names_is_looked_up_at_once(stage: Stage) -> None:
    async def then(_: str) -> float:
        stage.exchange.placing = ["lost and done"]
        stage.exchange.visible_after = 40.0
        taken = await stage.place("c2", type="limit", price="90")
        await stage.clock.sleep(35)
        assert await state(stage, taken.order.id) is OrderState.IN_DOUBT
        stage.exchange.orders["c2"].visible = 0.0
        began = stage.clock.monotonic()
        stage.broadcast.transaction(stage.exchange.orders["c2"])
        await stage.settled(taken)
        return stage.clock.monotonic() - began

    assert with_an_order(stage, then) < 1.5


def test_nothing_is_followed_while_nothing_can_fill(stage: Stage) -> None:
    async def life() -> None:
        await stage.settled(await stage.place())
        await stage.clock.sleep(100)

    stage.live(life)
    assert stage.broadcast.asked == []


def test_a_stream_is_left_when_nothing_can_fill_any_more(stage: Stage) -> None:
    async def then(_: str) -> list[str]:
        stage.exchange.move(SYMBOL, 94)
        await stage.clock.sleep(LINGER_SECONDS + 1)
        assert stage.broadcast.open == []
        return stage.closed

    assert with_an_order(stage, then) == ["unneeded"]


def test_many_orders_share_one_stream(stage: Stage) -> None:
    async def then(_: str) -> None:
        for number in range(5):
            await resting(stage, f"more{number}")
        await stage.clock.sleep(100)

    with_an_order(stage, then)
    assert len(stage.broadcast.asked) == 1


def test_orders_of_the_last_run_are_followed_and_looked_at(stage: Stage) -> None:
    order_id = stage.live(lambda: resting(stage), crash=True)
    stage.exchange.move(SYMBOL, 94)

    async def life() -> OrderState:
        await stage.following_begins()
        return await state(stage, order_id)

    assert stage.live(life) is OrderState.FILLED


@pytest.mark.parametrize("end", ["lose", "end", "fall silent", "endless line"])
def test_a_stream_that_ends_is_opened_again_and_what_it_missed_is_looked_for(stage: Stage, end: str) -> None:
    async def then(order_id: str) -> OrderState:
        broadcast = stage.broadcast
        match end:
            case "fall silent":
                broadcast.beats = False
            case "endless line":
                broadcast.open[0].said.put_nowait(b"x" * (LONGEST_LINE_BYTES + 1))
            case _:
                getattr(broadcast, end)()
        broadcast.tell = lambda _: []
        stage.exchange.move(SYMBOL, 94)
        await stage.clock.sleep(25)
        return await state(stage, order_id)

    assert with_an_order(stage, then) is OrderState.FILLED
    assert stage.closed[0] == ("broker_closed" if end == "end" else "lost")


def test_a_transaction_that_was_not_told_is_found_out_by_the_next_heartbeat(stage: Stage) -> None:
    async def then(order_id: str) -> OrderState:
        stage.broadcast.transaction(stage.exchange.orders["c1"])
        await stage.clock.sleep(10)
        tell, stage.broadcast.tell = stage.broadcast.tell, lambda _: []
        stage.exchange.move(SYMBOL, 94)
        stage.broadcast.tell = tell
        await stage.clock.sleep(12)
        return await state(stage, order_id)

    assert with_an_order(stage, then) is OrderState.FILLED


def test_a_stream_that_does_not_stay_open_is_opened_less_and_less_often(stage: Stage) -> None:
    async def then(_: str) -> None:
        for _again in range(3000):
            stage.broadcast.lose()
            await stage.clock.sleep(0.5)

    with_an_order(stage, then)
    assert 20 < len(stage.broadcast.asked) < 1500 / LONGEST_PAUSE_SECONDS * 2


def test_a_broker_that_refuses_the_keys_is_not_asked_again_until_they_are_mended(stage: Stage) -> None:
    async def life() -> None:
        stage.broadcast.verdicts = [REFUSED] * 3
        await resting(stage)
        await stage.clock.sleep(3600)
        assert len(stage.broadcast.asked) == 1
        bus = stage.bench.gateway._bus
        bus.emit(Reloaded(("brokers.binance.credentials",), ()))
        await stage.clock.sleep(3600)
        assert len(stage.broadcast.asked) == 2
        bus.emit(BrokerChecked("binance", Readiness.ERROR, Readiness.READY, "", None, 1.0))
        await stage.clock.sleep(3600)

    stage.live(life)
    assert len(stage.broadcast.asked) == 3
    assert stage.closed == ["unopened", "shutdown"]


def test_a_broker_that_says_too_many_is_left_in_peace(stage: Stage) -> None:
    async def life() -> None:
        stage.broadcast.verdicts = [TOO_MANY] * 3
        await resting(stage)
        await stage.clock.sleep(LIMITED_PAUSE_SECONDS * 2)

    stage.live(life)
    assert len(stage.broadcast.asked) <= 3


def test_nothing_is_opened_while_the_broker_is_away(stage: Stage) -> None:
    async def life() -> None:
        await resting(stage)
        await stage.following_begins()
        stage.exchange.away = True
        while stage.bench.gateway.can_trade:
            await stage.clock.sleep(0.1)
            await stage.bench.gateway.look()
        asked = len(stage.broadcast.asked)
        stage.broadcast.lose()
        await stage.clock.sleep(20)
        assert len(stage.broadcast.asked) == asked
        stage.exchange.away = False
        await stage.clock.sleep(1000)

    stage.live(life)
    assert stage.opened == 2


def test_an_outage_of_the_stream_is_told_once(stage: Stage) -> None:
    async def then(_: str) -> None:
        stage.broadcast.verdicts = [AWAY] * 5
        stage.broadcast.lose()
        await stage.clock.sleep(300)

    with_an_order(stage, then)
    assert stage.closed == ["lost", "unopened", "shutdown"]
    assert stage.opened == 2


def test_a_stop_leaves_the_stream(stage: Stage) -> None:
    async def then(_: str) -> None:
        pass

    with_an_order(stage, then)
    assert stage.broadcast.open == []
    assert stage.closed == ["shutdown"]


def test_an_order_that_is_named_again_and_again_is_not_looked_at_more_than_once_a_second(stage: Stage) -> None:
    async def then(_: str) -> int:
        before = stage.looks
        for _again in range(1000):
            stage.broadcast.transaction(stage.exchange.orders["c1"])
            await stage.clock.sleep(0.02)
        return stage.looks - before

    assert 15 <= with_an_order(stage, then) <= 21


def test_orders_that_are_nobody_of_ours_are_not_looked_at(stage: Stage) -> None:
    async def then(_: str) -> int:
        before = stage.looks
        stage.broadcast.say({"id": "1", "type": "ORDER_FILL", "clientOrderID": "another"}, ["no", "object"], "c1")
        stage.broadcast.open[0].said.put_nowait(b"\xff\n{\n\n")
        await stage.clock.sleep(20)
        return stage.looks - before

    assert with_an_order(stage, then) == 0


def test_while_a_stream_is_open_polling_rests_and_goes_on_when_it_is_lost(tmp_path: Path) -> None:
    stage = Stage(tmp_path, look_seconds=5)

    async def life() -> tuple[int, int]:
        await stage.ask(BRACKET, price="95", fill_seconds=LONG)
        await stage.following_begins()
        await stage.clock.sleep(100)
        before = stage.looks
        await stage.clock.sleep(300)
        told = stage.looks - before
        stage.broadcast.verdicts = [REFUSED]
        stage.broadcast.lose()
        before = stage.looks
        await stage.clock.sleep(300)
        return told, stage.looks - before

    told, alone = stage.live(life)
    assert told <= 11
    assert alone >= 55


def test_what_fills_when_the_stream_is_lost_is_seen_as_soon_as_without_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, look_seconds=5)

    async def life() -> float:
        await stage.ask(BRACKET, price="95", fill_seconds=LONG)
        await stage.following_begins()
        await stage.clock.sleep(100)
        before = stage.looks
        while stage.looks == before:  # the next look is half a minute away
            await stage.clock.sleep(0.1)
        stage.broadcast.verdicts = [REFUSED]
        stage.broadcast.lose()
        await stage.clock.sleep(0.1)
        lost = stage.clock.monotonic()
        stage.exchange.move(SYMBOL, 94)
        while not stage.exchange.booked("stop"):
            await stage.clock.sleep(0.1)
        return stage.clock.monotonic() - lost

    assert stage.live(life) < 6


def test_a_stream_that_a_key_opens_is_kept_alive(stage: Stage) -> None:
    stage.stream = KEYED

    async def then(order_id: str) -> OrderState:
        stage.broadcast.renewals = [AWAY]
        await stage.clock.sleep(3 * RENEWAL.seconds)
        assert (len(stage.broadcast.asked), len(stage.broadcast.renewed)) == (1, 3)
        stage.exchange.move(SYMBOL, 94)
        await stage.clock.sleep(0.2)
        return await state(stage, order_id)

    assert with_an_order(stage, then) is OrderState.FILLED


def test_a_key_that_is_not_known_any_more_is_asked_for_anew(stage: Stage) -> None:
    stage.stream = KEYED

    async def then(_: str) -> None:
        stage.broadcast.renewals = [REFUSED]
        await stage.clock.sleep(RENEWAL.seconds + 10)

    with_an_order(stage, then)
    assert stage.opened == 2


def test_a_web_socket_that_cannot_be_reached_is_tried_again(stage: Stage) -> None:
    stage.stream = KEYED

    async def life() -> None:
        stage.broadcast.unreachable = True
        await resting(stage)
        await stage.clock.sleep(100)
        assert stage.closed == ["unopened"]
        stage.broadcast.unreachable = False
        await stage.clock.sleep(100)

    stage.live(life)
    assert stage.opened == 1
