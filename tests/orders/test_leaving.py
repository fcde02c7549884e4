"""What a stop takes off the market: what is cancelled, what is closed, and what is told of the rest."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sidecar.calls.transport import MaybeSent
from sidecar.config.model import Stop
from sidecar.orders.leaving import Leaving, leavings
from sidecar.orders.ledger import Ledger
from sidecar.wire import Answer, Request
from sidecar.words import OrderState
from tests.calls.scripted import answer
from tests.orders.carrying import BookBroker, Shop, away

LONG, SHORT = "1.5", "-2"


class Holding(BookBroker):
    """A broker that holds positions, and lets market orders trade against them."""

    held: dict[str, Decimal]
    """Amounts by symbol; negative for a short position."""
    silent = False
    """Whether it gives no answer to the question what is held."""
    declines = False
    """Whether it declines to close."""

    async def send(self, request: Request, *, seconds: float, reserved: bool = False) -> Answer:
        if not request.path.endswith("positionRisk"):
            return await super().send(request, seconds=seconds, reserved=reserved)
        if self.silent:
            await self.bench.clock.sleep(seconds)
            raise MaybeSent("timeout", "TimeoutError")
        told = [{"symbol": name, "positionAmt": str(held), "positionSide": "BOTH"} for name, held in self.held.items()]
        return answer(200, told)

    async def _place(self, params: dict[str, str], seconds: float) -> Answer:
        if self.declines and params.get("reduceOnly"):
            return answer(400, {"code": -2022, "msg": "ReduceOnly Order is rejected."})
        answered: Answer | Exception
        try:
            answered = await super()._place(params, seconds)
        except MaybeSent as lost:
            answered = lost
        if params["newClientOrderId"] in self.executions and params["type"] == "MARKET":
            self._trade(params)
        if isinstance(answered, Exception):
            raise answered
        return answered

    def _trade(self, params: dict[str, str]) -> None:
        held = self.held.get(params["symbol"], Decimal(0))
        sign = 1 if params["side"] == "BUY" else -1
        size = Decimal(params["quantity"])
        if params.get("reduceOnly"):
            size = min(size, max(Decimal(0), -sign * held))
        self.held[params["symbol"]] = held + sign * size


def holding(folder: Path, fates: tuple[str, ...] = (), **held: str) -> Shop:
    """A shop before a broker that holds so much."""
    shop = Shop(folder, fates)
    broker = Holding(shop.bench, fates)
    broker.held = {name: Decimal(amount) for name, amount in held.items()}
    shop.broker = broker
    return shop


def leave(
    shop: Shop, *, closes: bool = True, seconds: float = 3, before: Callable[[], Awaitable[Any]] | None = None
) -> Leaving:
    """One life that ends by leaving the market."""

    async def life() -> Leaving:
        if before is not None:
            await before()
        shop.bench.gateway.wind_down()
        shop.queue.wind_down()
        stop = Stop(cancel_working_orders=True, close_positions=("binance",) if closes else ())
        ledger = Ledger(shop.store, 86400, shop.clock)
        gateways = {"binance": shop.bench.gateway}
        (leaving,) = leavings([shop.queue], gateways, ledger, stop, clock=shop.clock, rng=Random(7))
        await shop.queue.clear("stopped")
        await leaving.run(seconds)
        return leaving

    return shop.run(life)


def held(shop: Shop) -> dict[str, Decimal]:
    assert isinstance(shop.broker, Holding)
    return {name: amount for name, amount in shop.broker.held.items() if amount}


def test_every_position_is_closed_once_by_an_order_that_can_only_reduce_it(tmp_path: Path) -> None:
    shop = holding(tmp_path, BTCUSDT=LONG, ETHUSDT=SHORT, XRPUSDT="0")
    leaving = leave(shop)
    assert held(shop) == {}
    assert leaving.closed == ("long 1.5 BTCUSDT", "short 2 ETHUSDT")
    assert (leaving.open, leaving.left, leaving.clean) == ((), [], True)
    sent = [order["params"] for order in shop.broker.book.values()]
    assert [(order["side"], order["quantity"], order["reduceOnly"]) for order in sent] == [
        ("SELL", "1.5", "true"),
        ("BUY", "2", "true"),
    ]


def test_where_nothing_is_held_nothing_is_sent(tmp_path: Path) -> None:
    shop = holding(tmp_path)
    assert leave(shop).clean
    assert shop.broker.executions == []


def test_positions_stay_unless_they_are_to_be_closed(tmp_path: Path) -> None:
    shop = holding(tmp_path, BTCUSDT=LONG)
    leaving = leave(shop, closes=False)
    assert held(shop) == {"BTCUSDT": Decimal(LONG)}
    assert (leaving.open, leaving.left) == ((), [])


@pytest.mark.parametrize("fate", ["lost and done", "ambiguous and done"])
def test_a_closing_order_whose_answer_is_lost_is_not_sent_again(tmp_path: Path, fate: str) -> None:
    shop = holding(tmp_path, (fate,), BTCUSDT=LONG)
    leaving = leave(shop)
    assert (held(shop), leaving.open) == ({}, ())
    assert len(shop.broker.executions) == 1


def test_while_a_closing_order_is_in_doubt_nothing_is_called_clean(tmp_path: Path) -> None:
    shop = holding(tmp_path, ("lost and done",), BTCUSDT=LONG)
    shop.broker.visible_after = 1000
    leaving = leave(shop)
    assert (leaving.open, leaving.clean) == ((), False)


def test_a_second_stop_closes_nothing_that_the_first_has_closed(tmp_path: Path) -> None:
    shop = holding(tmp_path, ("lost and done",), BTCUSDT=LONG)
    leave(shop)
    again = leave(shop)
    assert (again.closed, again.open) == ((), ())
    assert len(shop.broker.executions) == 1


@pytest.mark.parametrize("fate", ["lost", "unreachable", "definite"])
def test_a_closing_order_that_was_not_executed_is_told_and_never_sent_by_a_later_start(
    tmp_path: Path, fate: str
) -> None:
    shop = holding(tmp_path, (fate,) * 9, BTCUSDT=LONG)
    leaving = leave(shop)
    assert leaving.open == ("long 1.5 BTCUSDT at binance",)
    assert leaving.left == ["position not closed: long 1.5 BTCUSDT at binance"]
    shop.broker.fates.clear()

    async def life() -> None:
        await shop.clock.sleep(600)

    shop.run(life)
    assert held(shop) == {"BTCUSDT": Decimal(LONG)}
    assert shop.broker.executions == []


def test_a_close_that_the_broker_declines_is_told(tmp_path: Path) -> None:
    shop = holding(tmp_path, BTCUSDT=LONG)
    assert isinstance(shop.broker, Holding)
    shop.broker.declines = True
    assert leave(shop).open == ("long 1.5 BTCUSDT at binance",)


def test_a_broker_that_does_not_say_what_is_held_is_told_of_and_nothing_is_closed(tmp_path: Path) -> None:
    shop = holding(tmp_path, BTCUSDT=LONG)
    assert isinstance(shop.broker, Holding)
    shop.broker.silent = True
    leaving = leave(shop)
    assert leaving.open == ("what is held at binance: it does not say",)
    assert shop.broker.executions == []
    assert not leaving.clean


def test_nothing_is_sent_that_is_not_on_the_disk(tmp_path: Path) -> None:
    shop = holding(tmp_path, BTCUSDT=LONG)

    async def full() -> None:
        shop.store.full = True

    leaving = leave(shop, before=full)
    assert shop.broker.executions == []
    assert leaving.open == ("long 1.5 BTCUSDT at binance",)
    assert any("the state file does not take it" in line for line in leaving.left)


async def resting(shop: Shop) -> None:
    """An entry and a stop wait in the broker's book."""
    shop.broker.fills = False
    for name, terms in (("entry", {}), ("exit", {"side": "sell", "reduce_only": True})):
        await shop.settled(await shop.place(name, type="limit", price="90", **terms))
    shop.broker.fills = True


def statuses(shop: Shop) -> dict[str, str]:
    return {name: shop.broker.book[name]["status"] for name in ("entry", "exit")}


def test_orders_that_open_risk_are_cancelled_and_those_that_protect_stay(tmp_path: Path) -> None:
    shop = holding(tmp_path, BTCUSDT=LONG)
    leaving = leave(shop, closes=False, before=lambda: resting(shop))
    assert statuses(shop) == {"entry": "CANCELED", "exit": "NEW"}
    assert leaving.left == []
    assert shop.states("entry")[-1] is OrderState.CANCELLED


def test_what_protected_a_position_is_cancelled_once_that_is_closed(tmp_path: Path) -> None:
    shop = holding(tmp_path, BTCUSDT=LONG)
    assert leave(shop, before=lambda: resting(shop)).clean
    assert statuses(shop) == {"entry": "CANCELED", "exit": "CANCELED"}


def test_a_position_that_could_not_be_closed_keeps_its_protection(tmp_path: Path) -> None:
    shop = holding(tmp_path, BTCUSDT=LONG)
    assert isinstance(shop.broker, Holding)
    shop.broker.declines = True

    async def before() -> None:
        assert isinstance(shop.broker, Holding)
        shop.broker.declines = False
        await resting(shop)
        shop.broker.declines = True

    leave(shop, before=before)
    assert statuses(shop) == {"entry": "CANCELED", "exit": "NEW"}


def test_an_order_that_cannot_be_cancelled_in_time_is_counted(tmp_path: Path) -> None:
    shop = holding(tmp_path)

    async def before() -> None:
        await resting(shop)
        shop.broker.away = True

    leaving = leave(shop, closes=False, before=before)
    assert leaving.left == ["orders at binance that were not cancelled: 1"]


def test_an_order_that_waits_is_taken_back_and_not_sent_by_the_next_start(tmp_path: Path) -> None:
    shop = holding(tmp_path)

    async def waiting() -> None:
        await away(shop)
        await shop.place("waiting")
        assert shop.on_disk("waiting") == "queued"

    leave(shop, closes=False, before=waiting)
    assert shop.on_disk("waiting") == "cancelled"
    shop.broker.away = False

    async def life() -> None:
        await shop.clock.sleep(600)

    shop.run(life)
    assert shop.broker.placements("waiting") == 0
