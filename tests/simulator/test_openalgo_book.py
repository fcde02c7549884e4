"""The books of the simulated OpenAlgo: what is taken, filled, changed and cancelled."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.clock import VirtualClock
from sidecar.simulator import Simulator
from sidecar.simulator.openalgo import OpenAlgoBroker, Rules
from sidecar.simulator.openalgo.book import Position
from tests.simulator.openalgo_support import Desk, order


@pytest.fixture
def broker() -> OpenAlgoBroker:
    # Its second stands still, so that nothing depends on how fast the test runs.
    rules = Rules(orders_per_second=1000, smart_orders_per_second=1000, others_per_second=1000)
    return OpenAlgoBroker(rules=rules, clock=VirtualClock())


@pytest.fixture
async def desk(broker: OpenAlgoBroker) -> AsyncIterator[Desk]:
    async with Simulator(broker).serving() as url, aiohttp.ClientSession(url) as session:
        yield Desk(session)


def statuses(broker: OpenAlgoBroker) -> list[tuple[str, str, str, str]]:
    return [(item.side, item.quantity, item.filled, item.status) for item in broker.executed().orders]


async def test_a_market_order_buys_at_the_ask_and_sells_at_the_bid(desk: Desk, broker: OpenAlgoBroker) -> None:
    await desk.place()
    await desk.place(action="sell", quantity=4)

    trades = (await desk.ask("tradebook"))["data"]
    assert [trade["average_price"] for trade in trades] == [800.025, 799.975]
    assert statuses(broker) == [("BUY", "10", "10", "complete"), ("SELL", "4", "4", "complete")]
    assert await desk.position() == "6"


async def test_products_are_positions_of_their_own(desk: Desk) -> None:
    await desk.place(product="CNC")
    await desk.place(action="SELL")

    assert (await desk.position("CNC"), await desk.position("MIS")) == ("10", "-10")


async def test_a_limit_order_waits_for_its_price(desk: Desk, broker: OpenAlgoBroker) -> None:
    waiting = await desk.place(pricetype="LIMIT", price="790")
    assert await desk.status(waiting) == "open"

    broker.set_price("NSE:SBIN", Decimal(789))

    assert await desk.status(waiting) == "complete"


@pytest.mark.parametrize(("pricetype", "price", "after"), [("SL-M", 0, "complete"), ("SL", 799, "open")])
async def test_a_stop_sleeps_until_its_trigger(
    desk: Desk, broker: OpenAlgoBroker, pricetype: str, price: int, after: str
) -> None:
    await desk.place()
    stop = await desk.place(action="SELL", pricetype=pricetype, trigger_price=795, price=price)
    assert await desk.status(stop) == "trigger pending"

    broker.set_price("NSE:SBIN", Decimal(794))

    # A stop with a limit above the market wakes and waits on.
    assert await desk.status(stop) == after


async def test_an_order_that_cannot_be_paid_for_is_taken_and_rejected_in_the_book(desk: Desk) -> None:
    order_id = await desk.place(quantity=10_000_000)

    assert await desk.status(order_id) == "rejected"
    assert await desk.position() == "0"


async def test_what_closes_a_position_needs_no_margin(desk: Desk) -> None:
    await desk.place(quantity=6000)
    assert Decimal((await desk.ask("funds"))["data"]["availablecash"]) < 50_000

    closing = await desk.place(action="SELL", quantity=6000)

    assert await desk.status(closing) == "complete"


async def test_profit_is_booked_when_a_position_is_closed(desk: Desk, broker: OpenAlgoBroker) -> None:
    await desk.place()
    broker.set_price("NSE:SBIN", Decimal(810))
    await desk.place(action="SELL")

    funds = (await desk.ask("funds"))["data"]
    # Bought at 800.025, sold at 809.975.
    assert (funds["m2mrealized"], funds["availablecash"]) == ("99.50", "1000099.50")


async def test_a_waiting_order_is_modified_and_fills_at_its_new_price(desk: Desk) -> None:
    waiting = await desk.place(pricetype="LIMIT", price=700)
    change = order(orderid=waiting, product="MIS", pricetype="LIMIT", price=801, quantity=3)

    await desk.ask("modifyorder", **change, trigger_price=0, disclosed_quantity=0)

    assert (await desk.status(waiting), await desk.position()) == ("complete", "3")


async def test_a_cancelled_order_fills_no_more(desk: Desk, broker: OpenAlgoBroker) -> None:
    waiting = await desk.place(pricetype="LIMIT", price=790)
    await desk.ask("cancelorder", strategy="tests", orderid=waiting)
    broker.set_price("NSE:SBIN", Decimal(700))

    assert await desk.status(waiting) == "cancelled"
    assert [item.order_id for item in broker.executed().cancels] == [waiting]


async def test_a_filled_order_is_neither_cancelled_nor_modified(desk: Desk) -> None:
    filled = await desk.place()
    refused = await desk.ask("cancelorder", 400, strategy="tests", orderid=filled)
    change = order(orderid=filled, product="MIS", pricetype="LIMIT", price=801, trigger_price=0, disclosed_quantity=0)

    assert refused == {"status": "error", "message": "Order cannot be cancelled as it is complete."}
    assert (await desk.ask("modifyorder", 400, **change))["status"] == "error"


async def test_every_waiting_order_is_cancelled_at_once(desk: Desk) -> None:
    waiting = [await desk.place(pricetype="LIMIT", price=price) for price in (700, 710)]
    await desk.place()

    told = await desk.ask("cancelallorder", strategy="tests")

    assert (told["canceled_orders"], told["failed_cancellations"]) == (waiting, [])


async def test_every_position_is_closed_at_once(desk: Desk) -> None:
    await desk.place(product="CNC")
    await desk.place(action="SELL")

    told = await desk.ask("closeposition", strategy="tests")

    assert told["message"] == "All Open Positions Squared Off"
    assert (await desk.position("CNC"), await desk.position("MIS")) == ("0", "0")
    assert (await desk.ask("closeposition", strategy="tests"))["message"] == "No open positions to close"


@pytest.mark.parametrize(
    ("held", "action", "quantity", "target", "after"),
    [
        (0, "BUY", 100, 0, "100"),
        (-100, "BUY", 100, 100, "100"),
        (100, "BUY", 100, 100, "100"),
        (100, "BUY", 100, 200, "200"),
        (0, "SELL", 100, 0, "-100"),
        (100, "SELL", 100, -100, "-100"),
        (-100, "SELL", 100, -200, "-200"),
        (100, "BUY", 0, 0, "0"),
    ],
)
async def test_a_smart_order_trades_the_difference_as_the_documentation_tables_it(
    desk: Desk, *, held: int, action: str, quantity: int, target: int, after: str
) -> None:
    if held:
        await desk.place(action="BUY" if held > 0 else "SELL", quantity=abs(held))

    told = await desk.ask("placesmartorder", **order(action=action, quantity=quantity, position_size=target))

    assert await desk.position() == after
    assert ("orderid" in told) == (after != str(held))


async def test_a_smart_order_to_zero_that_is_sent_twice_opens_a_position(desk: Desk) -> None:
    """Why a smart order is never sent again, though its effect is told by a target."""
    await desk.place()
    smart = order(action="SELL", position_size=0)

    await desk.ask("placesmartorder", **smart)
    assert await desk.position() == "0"

    await desk.ask("placesmartorder", **smart)
    assert await desk.position() == "-10"


async def test_a_basket_buys_first_and_tells_of_each_order(desk: Desk, broker: OpenAlgoBroker) -> None:
    basket = [order(action="SELL"), order(symbol="INFY")]

    told = await desk.ask("basketorder", strategy="tests", orders=basket)

    assert [(item["symbol"], item["status"]) for item in told["results"]] == [("INFY", "success"), ("SBIN", "success")]
    assert len(broker.executed().orders) == 2


async def test_a_split_order_becomes_pieces(desk: Desk, broker: OpenAlgoBroker) -> None:
    told = await desk.ask("splitorder", **order(quantity=105, splitsize=20))

    assert [item["quantity"] for item in told["results"]] == [20, 20, 20, 20, 20, 5]
    assert len(broker.executed().orders) == 6


async def test_too_many_pieces_are_refused_before_the_first(desk: Desk, broker: OpenAlgoBroker) -> None:
    told = await desk.ask("splitorder", 400, **order(quantity=101, splitsize=1))

    assert "maximum limit of 100" in told["message"]
    assert broker.executed().orders == ()


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"exchange": "LSE"}, "{'exchange': ['Must be one of:"),
        ({"symbol": None}, "{'symbol': ['Missing data"),
        ({"symbol": 7}, "{'symbol': ['Not a valid string.']}"),
        ({"action": "HOLD"}, "{'action': ['Must be one of: BUY, SELL"),
        ({"quantity": "0"}, "Quantity must be a positive number."),
        ({"quantity": "-1"}, "must be a non-negative number."),
        ({"quantity": "many"}, "Not a valid number."),
        ({"quantity": True}, "Not a valid number."),
        ({"quantity": "1.5"}, "Fractional quantity (1.5) is not allowed"),
        ({"product": "BO"}, "{'product': ['Must be one of: MIS, NRML, CNC.']}"),
        ({"pricetype": "ICEBERG"}, "{'pricetype': ['Must be one of: MARKET, LIMIT, SL, SL-M.']}"),
        ({"pricetype": "LIMIT"}, "Price is required for limit orders."),
        ({"pricetype": "SL-M"}, "Trigger price is required for stop orders."),
        ({"symbol": "NOKIA"}, "Symbol 'NOKIA' not found"),
        ({"strategy": None}, "{'strategy': ['Missing data"),
    ],
)
async def test_what_makes_no_order_is_refused_and_leaves_nothing(
    desk: Desk, broker: OpenAlgoBroker, fields: dict[str, Any], complaint: str
) -> None:
    told = await desk.ask("placeorder", 400, **order(**fields))

    assert complaint in told["message"]
    assert broker.executed().orders == ()


async def test_the_order_book_tells_every_order_with_its_statistics(desk: Desk) -> None:
    await desk.place()
    await desk.place(action="SELL", pricetype="LIMIT", price=900)

    told = (await desk.ask("orderbook"))["data"]

    assert [item["order_status"] for item in told["orders"]] == ["complete", "open"]
    assert told["orders"][0]["timestamp"] == "15-Jan-2027 13:30:00"
    assert told["statistics"]["total_open_orders"] == 1.0


async def test_a_flat_position_still_tells_its_profit(desk: Desk) -> None:
    await desk.place()
    await desk.place(action="SELL")

    (told,) = (await desk.ask("positionbook"))["data"]

    assert (told["quantity"], told["pnl"]) == ("0", "-0.50")


async def test_quotes_are_told_one_by_one_and_together(desk: Desk) -> None:
    one = await desk.ask("quotes", exchange="NSE", symbol="SBIN")
    both = await desk.ask("multiquotes", symbols=[{"exchange": e, "symbol": "SBIN"} for e in ("NSE", "BSE")])

    assert (one["data"]["bid"], one["data"]["ask"]) == (799.975, 800.025)
    assert [item["exchange"] for item in both["results"]] == ["NSE", "BSE"]
    assert both["results"][0]["data"] == one["data"]


async def test_a_reset_empties_the_books(desk: Desk, broker: OpenAlgoBroker) -> None:
    await desk.place()
    broker.reset()

    assert broker.executed().orders == ()
    assert await desk.position() == "0"


steps = st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 100)), max_size=20)


@given(steps=steps)
def test_whatever_is_traded_the_money_adds_up(steps: list[tuple[int, int]]) -> None:
    position, paid, last = Position(), Decimal(0), Decimal(0)
    for quantity, price in steps:
        position.add(Decimal(quantity), Decimal(price))
        paid, last = paid - quantity * price, Decimal(price)

    assert position.quantity == sum(quantity for quantity, _ in steps)
    worth = position.realized + position.quantity * (last - position.average)
    assert abs(worth - (paid + position.quantity * last)) < Decimal("1e-15")
