"""Orders that the sidecar carries: each is executed at most once, and what became of it is told."""

from itertools import pairwise
from pathlib import Path

import pytest

from sidecar.orders.draft import OrderDraft
from sidecar.words import OrderState
from tests.orders.carrying import Shop, away, back, body

NOT_EXECUTED = ("definite", "limited", "unreachable", "unauthorised")
IN_DOUBT = ("ambiguous", "lost")


def test_an_order_is_sent_and_its_bot_is_told_what_became_of_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    account = shop.outcome()
    assert (account.order.state, account.order.reason) == (OrderState.FILLED, "FILLED 1 of 1")
    assert [change.state for change in account.changes] == ["accepted", "queued", "sending", "filled"]
    assert body(account)["clientOrderId"] == "c1"
    assert shop.broker.executions == ["c1"]


def test_an_order_in_the_brokers_book_is_settled_and_can_still_change(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False
    account = shop.outcome(type="limit", price="90")
    assert account.order.state is OrderState.WORKING
    shop.broker.book["c1"]["status"] = "FILLED"

    async def asked_again() -> OrderState:
        return (await shop.desk.wait(account.order.id, 5, final=True)).order.state

    assert shop.run(asked_again) is OrderState.FILLED


def test_nothing_leaves_before_the_disk_knows_that_it_does(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    known: list[str] = []
    shop.broker.before_placing = lambda client_id: known.append(shop.on_disk(client_id))
    shop.outcome()
    assert known == ["sending"]


@pytest.mark.parametrize("fate", NOT_EXECUTED)
def test_what_was_definitely_not_executed_is_sent_again(tmp_path: Path, fate: str) -> None:
    shop = Shop(tmp_path, [fate] * 6)
    assert shop.outcome().order.state is OrderState.FILLED
    assert shop.broker.executions == ["c1"]


@pytest.mark.parametrize("fate", IN_DOUBT)
def test_an_order_in_doubt_that_was_executed_is_found_and_never_sent_again(tmp_path: Path, fate: str) -> None:
    shop = Shop(tmp_path, [f"{fate} and done"])
    shop.broker.visible_after = 20  # longer than its call may look
    account = shop.outcome()
    assert account.order.state is OrderState.FILLED
    assert not account.order.may_have_been_executed
    assert OrderState.IN_DOUBT in shop.states()
    assert shop.broker.placements("c1") == 1


@pytest.mark.parametrize("fate", IN_DOUBT)
def test_an_order_that_the_broker_never_knows_of_is_given_up_and_never_called_rejected(
    tmp_path: Path, fate: str
) -> None:
    shop = Shop(tmp_path, [fate])
    account = shop.outcome()
    assert account.order.state is OrderState.DEAD
    assert account.order.may_have_been_executed
    assert "outcome unknown" in account.order.reason
    assert shop.broker.placements("c1") == 1
    assert shop.clock.monotonic() >= 300


def test_a_brokers_no_is_told_with_its_reason(tmp_path: Path) -> None:
    account = Shop(tmp_path, ["margin"]).outcome()
    assert account.order.state is OrderState.REJECTED
    assert "-2019" in account.order.reason
    assert not account.order.may_have_been_executed


def test_an_order_that_never_gets_through_is_given_up_in_words_that_say_so(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["definite"] * 1000, queue={"attempts": 2}, breaker={"failures": 10_000})
    shop.settings["breaker"] |= {"minimum_calls": 10_000}
    account = shop.outcome()
    assert account.order.state is OrderState.DEAD
    assert not account.order.may_have_been_executed
    assert "none of which was executed" in account.order.reason


# Time


def test_an_order_that_cannot_be_sent_in_its_time_is_not_sent_any_more(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.away = True

    async def life() -> tuple[OrderState, float]:
        for number in range(3):
            await shop.place(f"before{number}")
        await shop.clock.sleep(60)  # by now it is known that the broker is away
        account = await shop.settled(await shop.place("late", ttl_seconds=40))
        shop.broker.away = False
        await shop.clock.sleep(1000)
        return account.order.state, account.order.updated_at - account.order.created_at

    state, seconds = shop.run(life)
    assert state is OrderState.EXPIRED
    assert 40 <= seconds < 41
    assert "late" not in shop.broker.executions
    assert shop.broker.placements("late") == 0


def test_market_orders_wait_five_minutes_and_orders_with_a_price_an_hour(tmp_path: Path) -> None:
    async def life() -> tuple[float, float, float]:
        orders = [
            (await shop.place("m")).order,
            (await shop.place("l", type="limit", price="9")).order,
            (await shop.place("own", ttl_seconds=7)).order,
        ]
        return tuple(order.expires_at - order.created_at for order in orders)  # type: ignore[return-value] # three

    shop = Shop(tmp_path)
    assert shop.run(life) == (300, 3600, 7)


def test_an_order_whose_price_has_run_away_is_not_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.ask = "100.6"
    account = shop.outcome(price_guard={"reference": "100", "tolerance": "0.005"})
    assert account.order.state is OrderState.EXPIRED
    assert "100.6" in account.order.reason
    assert shop.broker.placements("c1") == 0


@pytest.mark.parametrize(("side", "price"), [("buy", "100.5"), ("buy", "50"), ("sell", "99.5"), ("sell", "200")])
def test_an_order_whose_price_is_as_good_as_promised_is_sent(tmp_path: Path, side: str, price: str) -> None:
    shop = Shop(tmp_path)
    shop.broker.ask = price
    account = shop.outcome(side=side, price_guard={"reference": "100", "tolerance": "0.005"})
    assert account.order.state is OrderState.FILLED


# Order and rate


def test_orders_of_one_instrument_follow_one_another_and_others_do_not_wait(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["definite"] * 8, breaker={"failures": 1000, "minimum_calls": 1000})

    async def life() -> None:
        for number in range(4):
            await shop.place(f"btc{number}")
        other = await shop.place("eth", instrument="ETHUSDT")
        await shop.settled(other)
        await shop.clock.sleep(200)

    shop.run(life)
    btc = [client_id for client_id in shop.broker.executions if client_id.startswith("btc")]
    assert btc == ["btc0", "btc1", "btc2", "btc3"]
    assert shop.broker.executions[0] != "btc3"


def test_after_an_outage_orders_go_out_at_a_bounded_rate_and_cancels_first(tmp_path: Path) -> None:
    shop = Shop(tmp_path, queue={"drain_per_second": 2, "concurrency": 1})
    shop.broker.fills = False

    async def life() -> None:
        resting = await shop.place("resting", type="limit", price="90")
        await shop.settled(resting)
        await away(shop)
        for number in range(10):
            await shop.place(f"c{number}", instrument=f"S{number}USDT")
        await shop.desk.cancel(resting.order.id)
        shop.broker.sent.clear()
        await back(shop)

    shop.run(life)
    arrived = [(at, client_id) for at, method, client_id in shop.broker.sent if method in {"POST", "DELETE"}]
    assert arrived[-11][1] == "resting"
    gaps = [later - sooner for (sooner, _), (later, _) in pairwise(arrived[-10:])]
    assert len(gaps) == 9
    assert min(gaps) >= 0.49


def test_an_urgent_order_leaves_before_those_of_its_lane_also_after_a_restart(tmp_path: Path) -> None:
    shop = Shop(tmp_path, queue={"size": 2})

    async def life() -> None:
        await away(shop)
        await shop.place("c1")
        await shop.place("c2")
        for client_id in ("stop1", "stop2"):
            draft = {"broker": "binance", "instrument": "BTCUSDT", "side": "sell", "quantity": "1"}
            await shop.desk.place(OrderDraft.model_validate(draft | {"client_id": client_id}), urgent=True)

    shop.run(life, crash=True)

    async def again() -> None:
        await back(shop)
        await shop.clock.sleep(5)

    shop.run(again)
    assert shop.broker.executions == ["stop1", "stop2", "c1", "c2"]


def test_an_accepted_order_waits_for_the_disk_and_is_then_sent_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        await away(shop)
        taken = await shop.place()
        shop.store.full = True
        await back(shop)
        assert shop.broker.placements("c1") == 0
        shop.store.full = False
        return (await shop.settled(taken)).order.state

    assert shop.run(life) is OrderState.FILLED
    assert shop.broker.executions == ["c1"]
