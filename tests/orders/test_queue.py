"""Orders that the sidecar carries: each is executed at most once, and what became of it is told."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from sidecar.orders.draft import OrderDraft
from sidecar.orders.errors import ConflictError, EndedError, QueueFullError, UnrecordedError, UnsupportedError
from sidecar.wire import Request
from sidecar.words import OrderState
from tests.orders.carrying import Shop, body, cancelling, proxied

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


# The same order again


def test_the_same_order_again_is_the_same_order(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    first = shop.outcome()

    async def again() -> None:
        taken = await shop.place()
        assert taken.known
        assert taken.order.id == first.order.id

    shop.run(again)
    assert shop.broker.executions == ["c1"]


def test_another_order_with_the_same_client_id_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.outcome()

    async def other() -> None:
        with pytest.raises(ConflictError, match="client id"):
            await shop.place(quantity="2")

    shop.run(other)
    assert shop.broker.executions == ["c1"]


def test_an_order_under_the_key_of_another_one_is_refused_whatever_its_client_id(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    def under(client_id: str) -> OrderDraft:
        terms = {"broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "1", "client_id": client_id}
        return OrderDraft.model_validate(terms)

    async def first() -> None:
        await shop.settled(await shop.desk.place(under("c1"), key=b"k1"))
        with pytest.raises(ConflictError, match="its Idempotency-Key belongs to another order"):
            await shop.desk.place(under("c2"), key=b"k1")

    async def second() -> None:
        keyed = replace(proxied("c3"), headers=((b"Idempotency-Key", b"k1"),))
        with pytest.raises(ConflictError, match="its Idempotency-Key belongs to another order"):
            await shop.desk.divert("binance", keyed)
        with pytest.raises(ConflictError, match="taken an order under this id already"):
            await shop.desk.heed("binance", keyed)
        assert (await shop.desk.place(under("c1"), key=b"k1")).known
        await shop.settled(await shop.desk.place(under("c4"), key=b"k2"))

    shop.run(first)
    shop.run(second)
    assert shop.broker.executions == ["c1", "c4"]


# Bots' own requests


def test_a_bots_own_order_is_carried_without_its_key_and_signature(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        taken = await shop.desk.divert("binance", proxied())
        assert taken is not None
        return (await shop.settled(taken)).order.state

    assert shop.run(life) is OrderState.FILLED
    kept = tmp_path.joinpath("state.db").read_bytes()
    assert b"c1" in kept
    assert b"bots-key" not in kept
    assert b"signature" not in kept


def test_a_bots_order_without_a_client_id_gets_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> str:
        taken = await shop.desk.divert("binance", proxied(newClientOrderId=""))
        assert taken is not None
        return taken.order.client_id

    assert shop.run(life).startswith("bs-")


@pytest.mark.parametrize(
    "target", ["GET /fapi/v1/order?symbol=X", "POST /fapi/v1/batchOrders", "POST /fapi/v1/leverage"]
)
def test_what_could_not_be_found_afterwards_is_not_carried(tmp_path: Path, target: str) -> None:

    shop = Shop(tmp_path)
    method, _, path = target.partition(" ")

    async def life() -> None:
        assert await shop.desk.divert("binance", Request(method, path, ())) is None

    shop.run(life)


# Taking back


async def _away(shop: Shop) -> None:
    """Let it be known that the broker is away, so that orders wait."""
    shop.broker.away = True
    for _ in range(3):
        await shop.bench.gateway.run(cancelling("nobody"), deadline_seconds=0.9)
    await shop.clock.sleep(5)
    assert not shop.bench.gateway.can_trade


async def _back(shop: Shop) -> None:
    shop.broker.away = False
    await shop.clock.sleep(120)


def test_an_order_that_is_taken_back_before_it_is_sent_is_never_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        await _away(shop)
        taken = await shop.place()
        assert (await shop.desk.cancel(taken.order.id)).state is OrderState.CANCELLED
        assert shop.on_disk("c1") == "cancelled"
        await _back(shop)
        return (await shop.desk.account(taken.order.id)).order.state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.placements("c1") == 0


def test_a_bots_own_cancel_keeps_a_waiting_order_from_being_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        await _away(shop)
        for client_id in ("c1", "c2", "c3"):
            await shop.place(client_id)
        await shop.desk.heed("binance", cancelling("c1"))
        ids = "%5B%22c2%22%5D"

        batch = Request("DELETE", f"/fapi/v1/batchOrders?symbol=BTCUSDT&origClientOrderIdList={ids}", ())
        await shop.desk.heed("binance", batch)
        await _back(shop)

    shop.run(life)
    assert shop.broker.executions == ["c3"]


def test_cancelling_everything_takes_back_what_waits_for_that_instrument(tmp_path: Path) -> None:

    shop = Shop(tmp_path)

    async def life() -> None:
        await _away(shop)
        await shop.place("c1")
        await shop.place("other", instrument="ETHUSDT")
        await shop.desk.heed("binance", Request("DELETE", "/fapi/v1/allOpenOrders?symbol=BTCUSDT", ()))
        await _back(shop)

    shop.run(life)
    assert shop.broker.executions == ["other"]


def test_a_carried_cancel_of_a_waiting_order_is_done_at_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        await _away(shop)
        await shop.place()
        cancel = await shop.desk.divert("binance", cancelling())
        assert cancel is not None
        await _back(shop)
        return cancel.order.state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.placements("c1") == 0


def test_an_order_in_the_book_is_cancelled_at_the_broker(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False

    async def life() -> tuple[OrderState, OrderState]:
        taken = await shop.place(type="limit", price="90")
        await shop.settled(taken)
        cancel = await shop.desk.cancel(taken.order.id)
        done = await shop.desk.wait(cancel.id, 10, final=True)
        await shop.clock.sleep(1)
        return done.order.state, (await shop.desk.account(taken.order.id)).order.state

    assert shop.run(life) == (OrderState.CANCELLED, OrderState.CANCELLED)
    assert shop.broker.book["c1"]["status"] == "CANCELED"


def test_a_cancel_outlasts_the_doubt_about_its_order(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["lost and done"])
    shop.broker.fills = False
    shop.broker.visible_after = 40

    async def life() -> OrderState:
        taken = await shop.place(type="limit", price="90")
        await shop.clock.sleep(15)
        assert (await shop.desk.account(taken.order.id)).order.state is OrderState.IN_DOUBT
        cancel = await shop.desk.cancel(taken.order.id)
        await shop.desk.wait(cancel.id, 1000, final=True)
        return (await shop.desk.wait(taken.order.id, 100, final=True)).order.state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.book["c1"]["status"] == "CANCELED"


def test_what_has_ended_cannot_be_cancelled(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        taken = await shop.place()
        await shop.settled(taken)
        with pytest.raises(EndedError, match="filled"):
            await shop.desk.cancel(taken.order.id)

    shop.run(life)


# Order, rate and room


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
        await _away(shop)
        for number in range(10):
            await shop.place(f"c{number}", instrument=f"S{number}USDT")
        await shop.desk.cancel(resting.order.id)
        shop.broker.sent.clear()
        await _back(shop)

    shop.run(life)
    arrived = [(at, client_id) for at, method, client_id in shop.broker.sent if method in {"POST", "DELETE"}]
    assert arrived[-11][1] == "resting"
    gaps = [later - sooner for (sooner, _), (later, _) in pairwise(arrived[-10:])]
    assert len(gaps) == 9
    assert min(gaps) >= 0.49


def test_a_full_queue_says_so_and_takes_cancels_all_the_same(tmp_path: Path) -> None:
    shop = Shop(tmp_path, queue={"size": 2})
    shop.broker.fills = False

    async def life() -> None:
        resting = await shop.place("resting", type="limit", price="90")
        await shop.settled(resting)
        await _away(shop)
        await shop.place("c1")
        await shop.place("c2")
        with pytest.raises(QueueFullError, match=r"queue\.size is 2"):
            await shop.place("c3")
        await shop.desk.cancel(resting.order.id)
        await _back(shop)

    shop.run(life)
    assert "c3" not in shop.broker.book
    assert shop.broker.book["resting"]["status"] == "CANCELED"


def test_a_full_queue_takes_what_reduces_risk_up_to_a_bound_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.orders.room.LEAST_RESERVE", 2)
    shop = Shop(tmp_path, queue={"size": 1})

    async def life() -> None:
        await _away(shop)
        await shop.place("entry")
        for client_id in ("stop", "close"):
            await shop.place(client_id, reduce_only=True)
        with pytest.raises(QueueFullError, match="although it reduces risk"):
            await shop.place("another", reduce_only=True)
        await shop.desk.divert("binance", cancelling("entry"))  # makes room, and so is taken all the same

    shop.run(life)
    assert shop.states("entry")[-1] is OrderState.CANCELLED
    assert "another" not in shop.broker.book


def test_an_urgent_order_leaves_before_those_of_its_lane_also_after_a_restart(tmp_path: Path) -> None:
    shop = Shop(tmp_path, queue={"size": 2})

    async def life() -> None:
        await _away(shop)
        await shop.place("c1")
        await shop.place("c2")
        for client_id in ("stop1", "stop2"):
            draft = {"broker": "binance", "instrument": "BTCUSDT", "side": "sell", "quantity": "1"}
            await shop.desk.place(OrderDraft.model_validate(draft | {"client_id": client_id}), urgent=True)

    shop.run(life, crash=True)

    async def again() -> None:
        await _back(shop)
        await shop.clock.sleep(5)

    shop.run(again)
    assert shop.broker.executions == ["stop1", "stop2", "c1", "c2"]


# The disk


def test_a_full_disk_takes_no_order_and_nothing_is_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        shop.store.full = True
        with pytest.raises(UnrecordedError, match="not taken"):
            await shop.place()
        shop.store.full = False
        await shop.clock.sleep(10)

    shop.run(life)
    assert shop.broker.sent == []


def test_an_accepted_order_waits_for_the_disk_and_is_then_sent_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        await _away(shop)
        taken = await shop.place()
        shop.store.full = True
        await _back(shop)
        assert shop.broker.placements("c1") == 0
        shop.store.full = False
        return (await shop.settled(taken)).order.state

    assert shop.run(life) is OrderState.FILLED
    assert shop.broker.executions == ["c1"]


def test_an_order_that_the_disk_does_not_let_go_of_is_told_to_be_waiting_still(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        await _away(shop)
        taken = await shop.place()
        shop.store.full = True
        with pytest.raises(UnrecordedError, match="still waits"):
            await shop.desk.cancel(taken.order.id)
        shop.store.full = False
        await _back(shop)

    shop.run(life)
    assert shop.broker.executions == ["c1"]


# Restarts


def test_an_order_that_waits_survives_a_crash_and_is_sent_by_the_next_process(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def first() -> str:
        await _away(shop)
        return (await shop.place()).order.id

    async def second() -> OrderState:
        shop.broker.away = False
        return (await shop.desk.wait(order_id, 100, final=False)).order.state

    order_id = shop.run(first, crash=True)
    assert shop.run(second) is OrderState.FILLED
    assert shop.broker.executions == ["c1"]


@pytest.mark.parametrize("executed", [True, False])
def test_what_was_being_sent_at_a_crash_is_looked_up_before_anything_else_and_never_sent_again(
    tmp_path: Path, executed: bool
) -> None:
    shop = Shop(tmp_path, ["lost and done" if executed else "lost"], takes=5)

    async def first() -> str:
        taken = await shop.place()
        await shop.clock.sleep(1)
        return taken.order.id

    async def second() -> OrderState:
        return (await shop.desk.account(order_id)).order.state

    order_id = shop.run(first, crash=True)
    assert shop.on_disk("c1") == "sending"
    shop.broker.takes = 0.1
    assert shop.run(second) is (OrderState.FILLED if executed else OrderState.IN_DOUBT)
    assert shop.broker.placements("c1") == 1


def test_a_start_waits_no_longer_for_orders_in_doubt_than_it_was_told_to(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["lost"], takes=5)

    async def first() -> None:
        await shop.place()
        await shop.clock.sleep(1)

    shop.run(first, crash=True)
    began = shop.clock.monotonic()

    async def second() -> float:
        return shop.clock.monotonic() - began

    assert shop.run(second, recovery=10) == pytest.approx(10, abs=0.5)


def test_an_order_whose_time_ran_out_while_the_sidecar_was_down_is_not_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def first() -> str:
        await _away(shop)
        return (await shop.place(ttl_seconds=100)).order.id

    async def second() -> OrderState:
        return (await shop.desk.wait(order_id, 100, final=False)).order.state

    order_id = shop.run(first, crash=True)
    shop.clock.advance(101)
    shop.broker.away = False
    assert shop.run(second) is OrderState.EXPIRED
    assert shop.broker.placements("c1") == 0


def test_what_is_under_way_when_the_sidecar_stops_is_in_doubt_and_found_by_the_next(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["done"], takes=5)

    async def first() -> str:
        taken = await shop.place()
        await shop.clock.sleep(1)
        return taken.order.id

    async def second() -> OrderState:
        return (await shop.desk.account(order_id)).order.state

    order_id = shop.run(first)
    assert shop.on_disk("c1") == "in_doubt"
    assert shop.run(second) is OrderState.FILLED
    assert shop.broker.executions == ["c1"]


def test_a_broker_without_keys_of_ours_is_told_how_to_get_its_orders_carried(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        with pytest.raises(UnsupportedError, match="credentials"):
            await shop.place(broker="oanda")

    shop.run(life)
