from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.clock import VirtualClock
from sidecar.simulator.oanda import AccountSpec, Rules
from sidecar.simulator.oanda.book import Account, State
from sidecar.simulator.oanda.closing import Closing
from sidecar.simulator.oanda.errors import RefusedError
from sidecar.simulator.oanda.exchange import Exchange
from sidecar.simulator.oanda.ledger import Ledger
from sidecar.simulator.oanda.stamps import Json
from sidecar.simulator.oanda.valuation import value_account
from sidecar.simulator.oanda.views import position


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def exchange(clock: VirtualClock) -> Exchange:
    return Exchange((AccountSpec(),), Rules(moving=False), clock, seed=1)


@pytest.fixture
def ledger(exchange: Exchange) -> Ledger:
    return only(exchange)


def only(exchange: Exchange) -> Ledger:
    (ledger,) = exchange.ledgers.values()
    return ledger


def order(units: int = 1000, **fields: Any) -> Json:
    return {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": str(units), **fields}}


def limit(units: int, price: str, **fields: Any) -> Json:
    return order(units, type="LIMIT", price=price, **fields)


def refusal(ledger: Ledger, body: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        ledger.place(body)
    return caught.value


def state(ledger: Ledger, order_id: int) -> State:
    return ledger.account.orders[order_id].state


def kinds(account: Account, after: int = 2) -> list[str]:
    return [item["type"] for item in account.journal.between(after + 1, account.journal.last_id)]


def test_a_new_account_begins_with_its_creation_and_its_funding(ledger: Ledger) -> None:
    assert kinds(ledger.account, after=0) == ["CREATE", "TRANSFER_FUNDS"]


def test_a_market_order_buys_at_the_ask_and_opens_a_trade(ledger: Ledger) -> None:
    told = ledger.place(order(1000))
    assert told["orderFillTransaction"]["price"] == "1.10007"
    assert told["orderFillTransaction"]["tradeOpened"]["units"] == "1000"
    assert told["relatedTransactionIDs"] == ["3", "4"]
    assert told["lastTransactionID"] == "4"


def test_a_market_order_sells_at_the_bid(ledger: Ledger) -> None:
    assert ledger.place(order(-1000))["orderFillTransaction"]["price"] == "1.09993"


def test_transactions_of_one_request_share_a_batch_and_a_request_id(ledger: Ledger) -> None:
    told = ledger.place(order(), request_id="77")
    both = [told["orderCreateTransaction"], told["orderFillTransaction"]]
    assert [(item["batchID"], item["requestID"]) for item in both] == [("3", "77"), ("3", "77")]


def test_an_opposite_order_closes_the_oldest_trades_first_and_books_the_profit(
    exchange: Exchange, ledger: Ledger
) -> None:
    ledger.place(order(1000))
    ledger.place(order(1000))
    exchange.set_price("EUR_USD", Decimal("1.10107"))
    fill = ledger.place(order(-1500))["orderFillTransaction"]
    assert [part["tradeID"] for part in fill["tradesClosed"]] == ["4"]
    assert (fill["tradeReduced"]["tradeID"], fill["tradeReduced"]["units"]) == ("6", "-500")
    # 1.10100 (bid) - 1.10007, on 1500 units.
    assert fill["pl"] == "1.3950"
    assert ledger.account.balance == Decimal("100001.3950")


def test_an_order_larger_than_the_position_turns_it_round(ledger: Ledger) -> None:
    ledger.place(order(1000))
    fill = ledger.place(order(-1500))["orderFillTransaction"]
    assert fill["tradeOpened"]["units"] == "-500"
    assert ledger.account.net("EUR_USD") == -500


def test_a_reduce_only_order_never_turns_the_position_round(ledger: Ledger) -> None:
    ledger.place(order(1000))
    fill = ledger.place(order(-1500, positionFill="REDUCE_ONLY"))["orderFillTransaction"]
    assert fill["units"] == "-1000"
    assert "tradeOpened" not in fill
    assert ledger.account.net("EUR_USD") == 0


def test_a_reduce_only_order_with_nothing_to_reduce_is_cancelled(ledger: Ledger) -> None:
    told = ledger.place(order(-1000, positionFill="REDUCE_ONLY"))
    assert told["orderCancelTransaction"]["type"] == "ORDER_CANCEL"
    assert not ledger.account.trades


def test_profit_in_yen_is_converted_to_dollars(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(order(1000, instrument="USD_JPY"))
    exchange.set_price("USD_JPY", Decimal("151.014"))
    fill = ledger.place(order(-1000, instrument="USD_JPY"))["orderFillTransaction"]
    # One yen a unit: 1000 JPY at 151.014.
    assert fill["pl"] == "6.6219"


def test_a_limit_order_away_from_the_market_waits_until_its_price_comes(exchange: Exchange, ledger: Ledger) -> None:
    told = ledger.place(limit(1000, "1.09000"))
    assert "orderFillTransaction" not in told
    exchange.set_price("EUR_USD", Decimal("1.08990"))
    assert state(ledger, 3) is State.FILLED
    assert kinds(ledger.account) == ["LIMIT_ORDER", "ORDER_FILL"]


def test_a_limit_order_beyond_the_market_fills_at_once(ledger: Ledger) -> None:
    assert ledger.place(limit(1000, "1.20000"))["orderFillTransaction"]["reason"] == "LIMIT_ORDER"


def test_a_limit_order_that_must_fill_at_once_is_cancelled_when_it_cannot(ledger: Ledger) -> None:
    told = ledger.place(limit(1000, "1.09000", timeInForce="FOK"))
    assert told["orderCancelTransaction"]["reason"] == "TIME_IN_FORCE_EXPIRED"


def test_a_stop_order_waits_for_a_worse_price(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(order(1000, type="STOP", price="1.11000"))
    exchange.set_price("EUR_USD", Decimal("1.10500"))
    assert state(ledger, 3) is State.PENDING
    exchange.set_price("EUR_USD", Decimal("1.11000"))
    assert state(ledger, 3) is State.FILLED


@pytest.mark.parametrize(("price", "touch"), [("1.11000", "1.11010"), ("1.09000", "1.08990")])
def test_a_market_if_touched_order_waits_for_its_price_from_either_side(
    exchange: Exchange, ledger: Ledger, price: str, touch: str
) -> None:
    ledger.place(order(1000, type="MARKET_IF_TOUCHED", price=price))
    assert state(ledger, 3) is State.PENDING
    exchange.set_price("EUR_USD", Decimal(touch))
    assert state(ledger, 3) is State.FILLED


def test_exits_on_fill_are_created_with_the_entry(ledger: Ledger) -> None:
    told = ledger.place(order(takeProfitOnFill={"price": "1.12000"}, stopLossOnFill={"distance": "0.00500"}))
    assert told["relatedTransactionIDs"] == ["3", "4", "5", "6"]
    assert kinds(ledger.account) == ["MARKET_ORDER", "ORDER_FILL", "TAKE_PROFIT_ORDER", "STOP_LOSS_ORDER"]
    assert ledger.account.orders[6].spec.price == Decimal("1.09507")


def test_a_stop_loss_on_fill_that_would_close_at_once_cancels_the_entry(ledger: Ledger) -> None:
    told = ledger.place(order(stopLossOnFill={"price": "1.20000"}))
    assert told["orderCancelTransaction"]["reason"] == "STOP_LOSS_ON_FILL_LOSS"
    assert not ledger.account.trades


def test_one_exit_that_fills_cancels_the_other(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(order(takeProfitOnFill={"price": "1.12000"}, stopLossOnFill={"price": "1.09000"}))
    exchange.set_price("EUR_USD", Decimal("1.08000"))
    assert state(ledger, 6) is State.FILLED
    assert state(ledger, 5) is State.CANCELLED
    assert kinds(ledger.account, after=6) == ["ORDER_FILL", "ORDER_CANCEL"]


def test_closing_a_trade_cancels_its_exits(ledger: Ledger) -> None:
    ledger.place(order(stopLossOnFill={"price": "1.09000"}))
    Closing(ledger).close_trade("4", {})
    cancelled = ledger.account.journal.between(1, 99)[-1]
    assert (cancelled["orderID"], cancelled["reason"]) == ("5", "LINKED_TRADE_CLOSED")


def test_part_of_a_trade_can_be_closed(ledger: Ledger) -> None:
    ledger.place(order(1000))
    told = Closing(ledger).close_trade("4", {"units": 400})
    assert told["orderFillTransaction"]["tradeReduced"]["units"] == "-400"
    assert ledger.account.trades[4].units == 600


def test_closing_a_trade_that_does_not_exist_is_a_404_with_a_reject_transaction(ledger: Ledger) -> None:
    with pytest.raises(RefusedError) as caught:
        Closing(ledger).close_trade("99", {})
    assert caught.value.status == 404
    assert caught.value.body["orderRejectTransaction"]["rejectReason"] == "TRADE_DOESNT_EXIST"


def test_more_than_a_trade_holds_cannot_be_closed(ledger: Ledger) -> None:
    ledger.place(order(1000))
    with pytest.raises(RefusedError) as caught:
        Closing(ledger).close_trade("4", {"units": "2000"})
    assert caught.value.body["errorCode"] == "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE"


def test_a_trades_stop_loss_can_be_set_replaced_and_taken_away(ledger: Ledger) -> None:
    ledger.place(order(1000))
    closing = Closing(ledger)
    assert closing.protect_trade("4", {"stopLoss": {"price": "1.08000"}})["relatedTransactionIDs"] == ["5"]
    moved = closing.protect_trade("4", {"stopLoss": {"price": "1.09000"}})
    assert moved["stopLossOrderCancelTransaction"]["replacedByOrderID"] == "7"
    assert moved["stopLossOrderTransaction"]["replacesOrderID"] == "5"
    gone = closing.protect_trade("4", {"stopLoss": None})
    assert gone["stopLossOrderCancelTransaction"]["orderID"] == "7"
    assert not ledger.account.pending()


def test_a_trade_has_at_most_one_stop_loss_order(ledger: Ledger) -> None:
    ledger.place(order(1000, stopLossOnFill={"price": "1.09000"}))
    second = {"order": {"type": "STOP_LOSS", "tradeID": "4", "price": "1.08000"}}
    assert refusal(ledger, second).body["errorCode"] == "STOP_LOSS_ORDER_ALREADY_EXISTS"


def test_a_position_is_closed_as_a_whole(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(order(1000))
    ledger.place(order(500))
    told = Closing(ledger).close_position("EUR_USD", {"longUnits": "ALL"})
    assert told["longOrderFillTransaction"]["units"] == "-1500"
    assert position(ledger.account, "EUR_USD", exchange.market)["long"]["units"] == "0"


def test_closing_a_position_that_does_not_exist_rejects_both_sides(ledger: Ledger) -> None:
    with pytest.raises(RefusedError) as caught:
        Closing(ledger).close_position("EUR_USD", {})
    assert caught.value.status == 400
    assert caught.value.body["errorCode"] == "CLOSEOUT_POSITION_DOESNT_EXIST"
    assert {"longOrderRejectTransaction", "shortOrderRejectTransaction"} <= set(caught.value.body)


def test_too_little_margin_takes_the_order_and_cancels_it_in_one_answer(ledger: Ledger) -> None:
    told = ledger.place(order(10_000_000))
    assert told["orderCreateTransaction"]["type"] == "MARKET_ORDER"
    assert told["orderCancelTransaction"]["reason"] == "INSUFFICIENT_MARGIN"


def test_margin_never_stops_an_order_that_only_closes(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(order(4_000_000))
    exchange.set_price("EUR_USD", Decimal("1.07000"))
    assert value_account(ledger.account, exchange.market).margin_available == 0
    assert "orderFillTransaction" in ledger.place(order(-4_000_000))


def test_a_halted_market_takes_the_order_and_cancels_it_in_one_answer(exchange: Exchange, ledger: Ledger) -> None:
    exchange.set_halted("EUR_USD", halted=True)
    assert ledger.place(order())["orderCancelTransaction"]["reason"] == "MARKET_HALTED"


def test_a_limit_order_waits_through_a_halt_and_fills_when_trading_reopens(exchange: Exchange, ledger: Ledger) -> None:
    exchange.set_halted("EUR_USD", halted=True)
    ledger.place(limit(1000, "1.20000"))
    assert state(ledger, 3) is State.PENDING
    exchange.set_halted("EUR_USD", halted=False)
    assert state(ledger, 3) is State.FILLED


def test_a_price_bound_that_the_market_breaks_cancels_the_order(ledger: Ledger) -> None:
    told = ledger.place(order(1000, priceBound="1.10000"))
    assert told["orderCancelTransaction"]["reason"] == "BOUNDS_VIOLATION"


def test_a_client_id_of_a_pending_order_cannot_be_used_again(ledger: Ledger) -> None:
    ledger.place(limit(1000, "1.09000", clientExtensions={"id": "mine"}))
    refused = refusal(ledger, limit(1000, "1.09000", clientExtensions={"id": "mine"}))
    assert refused.status == 400
    assert refused.body["errorCode"] == "CLIENT_ORDER_ID_ALREADY_EXISTS"
    assert refused.body["orderRejectTransaction"]["type"] == "LIMIT_ORDER_REJECT"
    assert len(ledger.account.orders) == 1


def test_a_client_id_protects_nothing_once_its_order_has_filled(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(order(clientExtensions={"id": "mine"}))
    ledger.place(order(clientExtensions={"id": "mine"}))
    assert [item.client_id for item in exchange.executed().orders] == ["mine", "mine"]


def test_client_ids_can_be_remembered_for_ever(clock: VirtualClock) -> None:
    ledger = only(Exchange((AccountSpec(),), Rules(moving=False, remember_client_ids=True), clock, seed=1))
    ledger.place(order(clientExtensions={"id": "mine"}))
    refused = refusal(ledger, order(clientExtensions={"id": "mine"}))
    assert refused.body["errorCode"] == "CLIENT_ORDER_ID_ALREADY_EXISTS"


def test_a_pending_order_is_cancelled_by_its_client_id(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(limit(1000, "1.09000", clientExtensions={"id": "mine"}))
    cancelled = ledger.cancel("@mine")["orderCancelTransaction"]
    assert (cancelled["orderID"], cancelled["clientOrderID"]) == ("3", "mine")
    assert [item.order_id for item in exchange.executed().cancels] == ["3"]


def test_an_order_that_has_filled_cannot_be_cancelled(ledger: Ledger) -> None:
    ledger.place(order())
    with pytest.raises(RefusedError) as caught:
        ledger.cancel("3")
    assert caught.value.status == 404
    assert caught.value.body["orderCancelRejectTransaction"]["rejectReason"] == "ORDER_DOESNT_EXIST"


def test_replacing_an_order_links_the_two_and_keeps_the_client_id(ledger: Ledger) -> None:
    ledger.place(limit(1000, "1.09000", clientExtensions={"id": "mine"}))
    told = ledger.replace("3", limit(2000, "1.08000"))
    assert told["orderCancelTransaction"]["replacedByOrderID"] == "5"
    assert told["orderCreateTransaction"]["replacesOrderID"] == "3"
    assert told["orderCreateTransaction"]["clientExtensions"] == {"id": "mine"}
    assert [item.id for item in ledger.account.pending()] == [5]


def test_a_replacement_that_makes_no_sense_leaves_the_order_alone(ledger: Ledger) -> None:
    ledger.place(limit(1000, "1.09000"))
    with pytest.raises(RefusedError):
        ledger.replace("3", limit(0, "1.08000"))
    assert [item.id for item in ledger.account.pending()] == [3]


def test_an_order_good_till_a_date_is_cancelled_when_it_has_passed(
    clock: VirtualClock, exchange: Exchange, ledger: Ledger
) -> None:
    ledger.place(limit(1000, "1.09000", timeInForce="GTD", gtdTime=str(clock.now() + 60)))
    clock.advance(59)
    exchange.settle()
    assert ledger.account.pending()
    clock.advance(1)
    exchange.settle()
    assert not ledger.account.pending()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"units": "0"}, "UNITS_INVALID"),
        ({"units": "many"}, "UNITS_INVALID"),
        ({"units": True}, "UNITS_INVALID"),
        ({"units": "NaN"}, "UNITS_INVALID"),
        ({"units": None}, "UNITS_MISSING"),
        ({"units": "1.5"}, "UNITS_PRECISION_EXCEEDED"),
        ({"units": "100000001"}, "UNITS_LIMIT_EXCEEDED"),
        ({"instrument": None}, "INSTRUMENT_MISSING"),
        ({"instrument": "XAU_USD"}, "INSTRUMENT_UNKNOWN"),
        ({"instrument": ["EUR_USD"]}, "INSTRUMENT_UNKNOWN"),
        ({"type": "LIMIT"}, "PRICE_MISSING"),
        ({"type": "LIMIT", "price": "-1"}, "PRICE_INVALID"),
        ({"type": "LIMIT", "price": "1.000001"}, "PRICE_PRECISION_EXCEEDED"),
        ({"timeInForce": "GTC"}, "TIME_IN_FORCE_INVALID"),
        ({"timeInForce": ["FOK"]}, "TIME_IN_FORCE_INVALID"),
        ({"type": "LIMIT", "price": "1", "timeInForce": "GTD"}, "TIME_IN_FORCE_GTD_TIMESTAMP_MISSING"),
        (
            {"type": "LIMIT", "price": "1", "timeInForce": "GTD", "gtdTime": "2001-01-01T00:00:00.000000000Z"},
            "TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST",
        ),
        ({"positionFill": "OPEN_ONLY"}, "ORDER_FILL_POSITION_ACTION_INVALID"),
        ({"clientExtensions": {"id": "x" * 129}}, "CLIENT_ORDER_ID_INVALID"),
        ({"clientExtensions": {"id": ""}}, "CLIENT_ORDER_ID_INVALID"),
        ({"stopLossOnFill": {}}, "STOP_LOSS_ON_FILL_PRICE_INVALID"),
        ({"takeProfitOnFill": {"price": "0"}}, "TAKE_PROFIT_ON_FILL_PRICE_INVALID"),
        ({"type": "STOP_LOSS", "price": "1"}, "TRADE_ID_UNSPECIFIED"),
        ({"type": "STOP_LOSS", "price": "1", "tradeID": "9"}, "TRADE_DOESNT_EXIST"),
    ],
)
def test_an_order_that_makes_no_sense_is_rejected_with_its_reason(ledger: Ledger, fields: Json, reason: str) -> None:
    refused = refusal(ledger, _with(fields))
    assert refused.body["orderRejectTransaction"]["rejectReason"] == reason
    assert refused.body["errorCode"] == reason
    assert refused.body["lastTransactionID"] == "3"
    assert not ledger.account.orders


def _with(fields: Json) -> Json:
    body = order()
    body["order"] |= fields
    return body


@pytest.mark.parametrize("body", [None, [], {}, {"order": 3}, {"order": {"type": "ICEBERG"}}])
def test_what_is_no_order_at_all_leaves_no_transaction(ledger: Ledger, body: Any) -> None:
    assert refusal(ledger, body).status == 400
    assert ledger.account.journal.last_id == 2


def test_a_reject_transaction_cannot_be_forged_through_unknown_fields(ledger: Ledger) -> None:
    refused = refusal(ledger, _with({"units": "0", "id": "1", "rejectReason": "NONE", "kind": "x"}))
    assert refused.body["orderRejectTransaction"]["id"] == "3"
    assert refused.body["orderRejectTransaction"]["rejectReason"] == "UNITS_INVALID"


def test_the_books_count_only_orders_that_stood(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(order(1000, clientExtensions={"id": "a"}, stopLossOnFill={"price": "1.09000"}))
    ledger.place(order(100_000_000, clientExtensions={"id": "b"}))
    ledger.place(limit(-500, "1.20000", clientExtensions={"id": "c"}))
    told = [(item.client_id, item.side, item.filled, item.status) for item in exchange.executed().orders]
    assert told == [("a", "BUY", "1000", "FILLED"), ("c", "SELL", "0", "PENDING")]


def test_transaction_ids_have_no_gaps(exchange: Exchange, ledger: Ledger) -> None:
    ledger.place(order(takeProfitOnFill={"price": "1.12000"}))
    refusal(ledger, order(0))
    exchange.set_price("EUR_USD", Decimal("1.13000"))
    journal = ledger.account.journal
    assert [int(item["id"]) for item in journal.between(1, 99)] == list(range(1, journal.last_id + 1))


def test_a_reset_empties_the_books(exchange: Exchange) -> None:
    only(exchange).place(order())
    exchange.reset()
    assert exchange.executed().orders == ()
    assert only(exchange).account.balance == 100_000


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["EUR_USD", "USD_JPY"]),
        st.integers(-300_000, 300_000),
        st.sampled_from(["DEFAULT", "REDUCE_ONLY"]),
        st.integers(-200, 200),
    ),
    max_size=25,
)


@given(steps=_STEPS)
@settings(database=None, deadline=None, max_examples=60)
def test_balance_and_positions_are_what_the_fills_add_up_to(steps: list[tuple[str, int, str, int]]) -> None:
    exchange = Exchange((AccountSpec(),), Rules(moving=False), VirtualClock(), seed=1)
    ledger = only(exchange)
    for name, size, fill, points in steps:
        middle = exchange.market.quotes[name].middle
        exchange.set_price(name, middle + points * exchange.market.quotes[name].instrument.point)
        if size:
            ledger.place(_with({"instrument": name, "units": size, "positionFill": fill}))
    fills = [item for item in ledger.account.journal.between(1, 999) if item["type"] == "ORDER_FILL"]
    assert ledger.account.balance == 100_000 + sum(Decimal(item["pl"]) for item in fills)
    for name in ("EUR_USD", "USD_JPY"):
        filled = sum(Decimal(item["units"]) for item in fills if item["instrument"] == name)
        assert ledger.account.net(name) == filled
        assert len({trade.units > 0 for trade in ledger.account.open_trades(name)}) <= 1
