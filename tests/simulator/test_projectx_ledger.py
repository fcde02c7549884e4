"""The simulated gateway's books: what is filled, what it makes of positions, and what is declined."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.clock import VirtualClock
from sidecar.simulator.projectx import AccountSpec, Rules, UserSpec
from sidecar.simulator.projectx.book import FEE, Order, OrderType, Side, Status
from sidecar.simulator.projectx.contracts import CONTRACTS
from sidecar.simulator.projectx.errors import DeclinedError
from sidecar.simulator.projectx.exchange import Exchange
from sidecar.simulator.projectx.ledger import Bracket, Ledger, Wish

ES, MES = "CON.F.US.EP.Z26", "CON.F.US.MES.Z26"
START = CONTRACTS[ES].start
STOP_LOSS, TAKE_PROFIT = Bracket(10, OrderType.STOP), Bracket(20, OrderType.LIMIT)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def exchange(clock: VirtualClock) -> Exchange:
    return Exchange((UserSpec(accounts=(AccountSpec(auto_oco=True),)),), Rules(moving=False), clock, seed=1)


@pytest.fixture
def ledger(exchange: Exchange) -> Ledger:
    return exchange.ledgers[1]


def market(size: int = 1, side: Side = Side.BID, **more: Any) -> Wish:
    return Wish(ES, OrderType.MARKET, side, size, **more)


def limit(price: str, size: int = 1, side: Side = Side.BID, **more: Any) -> Wish:
    return Wish(ES, OrderType.LIMIT, side, size, limit=Decimal(price), **more)


def declined(ledger: Ledger, wish: Wish) -> DeclinedError:
    with pytest.raises(DeclinedError) as caught:
        ledger.place(wish)
    return caught.value


def net(ledger: Ledger, contract: str = ES) -> int:
    position = ledger.account.positions.get(contract)
    return 0 if position is None else position.size


def test_a_buyer_pays_a_tick_more_than_a_seller_gets(ledger: Ledger) -> None:
    bought, sold = ledger.place(market()), ledger.place(market(2, Side.ASK))
    assert (bought.price, sold.price) == (START + Decimal("0.25"), START)
    assert net(ledger) == -1


def test_a_limit_order_waits_for_its_price(exchange: Exchange, ledger: Ledger) -> None:
    order = ledger.place(limit("6890"))
    exchange.set_price(ES, Decimal(6890))
    assert order.status is Status.OPEN
    exchange.set_price(ES, Decimal("6889.75"))
    assert (order.status, order.price) == (Status.FILLED, Decimal(6890))


def test_a_stop_sells_when_the_price_has_fallen_to_it(exchange: Exchange, ledger: Ledger) -> None:
    order = ledger.place(Wish(ES, OrderType.STOP, Side.ASK, 1, stop=Decimal(6880)))
    exchange.set_price(ES, Decimal("6880.25"))
    assert order.status is Status.OPEN
    exchange.set_price(ES, Decimal(6879))
    assert (order.status, order.price) == (Status.FILLED, Decimal(6879))


def test_a_trailing_stop_follows_the_price_and_never_gives_way(exchange: Exchange, ledger: Ledger) -> None:
    order = ledger.place(Wish(ES, OrderType.TRAILING_STOP, Side.ASK, 1, trail=START - 5))
    assert order.as_json()["trailPrice"] == 5.0
    exchange.set_price(ES, START + 20)
    exchange.set_price(ES, START + 16)
    assert (order.status, order.stop) == (Status.OPEN, START + 15)
    exchange.set_price(ES, START + 15)
    assert order.status is Status.FILLED


@pytest.mark.parametrize(
    ("kind", "price"), [(OrderType.JOIN_BID, START), (OrderType.JOIN_ASK, START + Decimal("0.25"))]
)
def test_a_join_order_rests_at_that_side_of_the_book(ledger: Ledger, kind: OrderType, price: Decimal) -> None:
    side = Side.BID if kind is OrderType.JOIN_BID else Side.ASK
    order = ledger.place(Wish(ES, kind, side, 1))
    assert (order.status, order.limit) == (Status.OPEN, price)


def test_closing_takes_the_profit_and_the_fees(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(market(2))
    exchange.set_price(ES, START + 10)
    ledger.close(ES)
    # 9.75 points are 39 ticks of 12.50, twice.
    assert ledger.account.balance == 50_000 + 2 * 39 * Decimal("12.5") - 4 * FEE
    assert ledger.account.positions == {}
    assert [trade.profit for trade in ledger.account.trades] == [None, Decimal(975)]


def test_a_position_can_be_closed_in_parts(ledger: Ledger) -> None:
    ledger.place(market(3))
    ledger.close(ES, 1)
    assert net(ledger) == 2


def test_a_larger_order_of_the_other_side_turns_a_position_round(ledger: Ledger) -> None:
    ledger.place(market(2))
    ledger.place(market(5, Side.ASK))
    position = ledger.account.positions[ES]
    assert (position.size, position.average) == (-3, START)
    assert [(trade.size, trade.profit is None) for trade in ledger.account.trades] == [(2, True), (2, False), (3, True)]


# Brackets


def bracket(ledger: Ledger, wish: Wish) -> tuple[Order, Order, Order]:
    entry = ledger.place(wish)
    stop, target = (ledger.account.orders[number] for number in entry.brackets)
    return entry, stop, target


def test_the_exits_of_an_entry_that_waits_are_suspended(ledger: Ledger) -> None:
    entry, stop, target = bracket(ledger, limit("6890", stop_loss=STOP_LOSS, take_profit=TAKE_PROFIT))
    assert (entry.status, stop.status, target.status) == (Status.OPEN, Status.SUSPENDED, Status.SUSPENDED)
    assert (stop.parent, target.parent) == (entry.id, entry.id)


def test_the_exits_wake_when_the_entry_fills_and_the_first_ends_the_other(exchange: Exchange, ledger: Ledger) -> None:
    entry, stop, target = bracket(ledger, market(stop_loss=STOP_LOSS, take_profit=TAKE_PROFIT))
    assert entry.price is not None
    assert (stop.stop, target.limit) == (entry.price - Decimal("2.5"), entry.price + 5)
    exchange.set_price(ES, START + 6)
    assert (stop.status, target.status) == (Status.CANCELLED, Status.FILLED)
    assert net(ledger) == 0


def test_a_cancelled_entry_takes_its_exits_along(ledger: Ledger) -> None:
    entry, stop, target = bracket(ledger, limit("6890", stop_loss=STOP_LOSS, take_profit=TAKE_PROFIT))
    ledger.cancel(entry.id)
    assert {entry.status, stop.status, target.status} == {Status.CANCELLED}


def test_without_auto_oco_a_bracket_is_rejected_and_the_rejected_order_has_a_number() -> None:
    ledger = Exchange((UserSpec(),), Rules(moving=False), VirtualClock(), seed=1).ledgers[1]
    error = declined(ledger, market(stop_loss=STOP_LOSS))
    assert error.name == "OrderRejected"
    assert ledger.account.orders[error.more["orderId"]].status is Status.REJECTED
    assert net(ledger) == 0


# What is declined


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        (Wish("CON.F.US.XX.Z26", OrderType.MARKET, Side.BID, 1), "ContractNotFound"),
        (Wish(ES, OrderType.STOP_LIMIT, Side.BID, 1), "OrderRejected"),
        (Wish(ES, 9, Side.BID, 1), "OrderRejected"),
        (Wish(ES, OrderType.MARKET, 2, 1), "OrderRejected"),
        (market(0), "OrderRejected"),
        (Wish(ES, OrderType.LIMIT, Side.BID, 1), "OrderRejected"),
        (limit("6890.1"), "OrderRejected"),
        (Wish(ES, OrderType.TRAILING_STOP, Side.ASK, 1), "OrderRejected"),
        (Wish(ES, OrderType.TRAILING_STOP, Side.ASK, 1, trail=Decimal(5)), "OrderRejected"),
        (market(101), "InsufficientFunds"),
    ],
)
def test_what_makes_no_order_is_declined_by_its_name(ledger: Ledger, wish: Wish, name: str) -> None:
    assert declined(ledger, wish).name == name
    assert ledger.account.orders == {}


def test_a_tag_serves_once_even_after_its_order_has_filled(ledger: Ledger) -> None:
    ledger.place(market(tag="mine"))
    assert declined(ledger, market(tag="mine")).name == "OrderRejected"
    assert net(ledger) == 1


def test_a_closed_market_takes_no_orders(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(market())
    exchange.set_open(ES, is_open=False)
    assert declined(ledger, market()).name == "OutsideTradingHours"
    with pytest.raises(DeclinedError, match="OrderRejected"):
        ledger.close(ES)


def test_an_account_in_violation_cannot_trade() -> None:
    users = (UserSpec(accounts=(AccountSpec(can_trade=False),)),)
    assert declined(Exchange(users, Rules(), VirtualClock(), seed=1).ledgers[1], market()).name == "AccountViolation"


@pytest.mark.parametrize(
    ("contract", "size", "name"),
    [("CON.F.US.XX.Z26", None, "ContractNotFound"), (MES, None, "PositionNotFound"), (ES, 2, "InvalidCloseSize")],
)
def test_a_close_that_fits_no_position_is_declined(ledger: Ledger, contract: str, size: int | None, name: str) -> None:
    ledger.place(market())
    with pytest.raises(DeclinedError, match=name):
        ledger.close(contract, size)


def test_an_order_that_has_filled_cannot_be_cancelled(ledger: Ledger) -> None:
    order = ledger.place(market())
    with pytest.raises(DeclinedError, match="Rejected"):
        ledger.cancel(order.id)
    with pytest.raises(DeclinedError, match="OrderNotFound"):
        ledger.cancel(1)
    assert ledger.account.cancelled_on_request == []


def test_a_modified_order_is_filled_at_its_new_price(ledger: Ledger) -> None:
    order = ledger.place(limit("6890"))
    ledger.modify(order.id, size=2, limit=Decimal(6901), stop=None, trail=None)
    assert (order.status, order.size, order.price) == (Status.FILLED, 2, START + Decimal("0.25"))


def test_a_modification_that_makes_no_sense_changes_nothing(ledger: Ledger) -> None:
    order = ledger.place(limit("6890"))
    with pytest.raises(DeclinedError, match="Rejected"):
        ledger.modify(order.id, size=2, limit=Decimal("6890.1"), stop=None, trail=None)
    assert (order.size, order.limit) == (1, Decimal(6890))


# The market


def test_prices_move_the_same_way_under_the_same_seed(clock: VirtualClock) -> None:
    one, other = (Exchange((UserSpec(),), Rules(), clock, seed=7) for _ in range(2))
    clock.advance(30)
    for exchange in (one, other):
        exchange.settle()
    assert one.market.last == other.market.last
    assert one.market.last[ES] != START


steps = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.sampled_from(Side), st.integers(1, 3)),
        st.tuples(st.just("price"), st.just(Side.BID), st.integers(-40, 40)),
        st.tuples(st.just("close"), st.just(Side.BID), st.integers(1, 3)),
        st.tuples(st.just("bracket"), st.sampled_from(Side), st.integers(1, 2)),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(steps=steps)
def test_positions_and_money_are_the_sum_of_the_trades(steps: list[tuple[str, Side, int]]) -> None:
    users = (UserSpec(accounts=(AccountSpec(auto_oco=True),)),)
    exchange = Exchange(users, Rules(moving=False), VirtualClock(), seed=1)
    ledger = exchange.ledgers[1]
    for what, side, number in steps:
        try:
            if what == "place":
                ledger.place(market(number, side))
            elif what == "bracket":
                ledger.place(market(number, side, stop_loss=STOP_LOSS, take_profit=TAKE_PROFIT))
            elif what == "close":
                ledger.close(ES, number)
            else:
                exchange.set_price(ES, START + number)
        except DeclinedError:
            continue
    trades = ledger.account.trades
    assert net(ledger) == sum(trade.order.side.sign * trade.size for trade in trades)
    earned = sum((trade.profit or Decimal(0)) for trade in trades)
    assert ledger.account.balance == 50_000 + earned - FEE * sum(trade.size for trade in trades)
    filled = [order for order in ledger.account.orders.values() if order.status is Status.FILLED]
    assert sum(order.filled for order in filled) == sum(trade.size for trade in trades)
