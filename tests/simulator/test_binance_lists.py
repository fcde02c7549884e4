"""Spot order lists: what waits, what is locked, and what ends with what."""

from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.test_binance_ledger import Desk, code_of

OCO = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.5",
    "listClientOrderId": "pair",
    "aboveType": "TAKE_PROFIT",
    "aboveStopPrice": "70000",
    "aboveClientOrderId": "target",
    "belowType": "STOP_LOSS",
    "belowStopPrice": "50000",
    "belowClientOrderId": "stop",
}
OTOCO = {
    "symbol": "BTCUSDT",
    "listClientOrderId": "bracket",
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": "55000",
    "workingQuantity": "0.1",
    "workingTimeInForce": "GTC",
    "workingClientOrderId": "entry",
    "pendingSide": "SELL",
    "pendingQuantity": "0.1",
} | {f"pending{name[0].upper()}{name[1:]}": value for name, value in OCO.items() if name.startswith(("above", "below"))}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def place(desk: Desk, kind: str, **changes: Any) -> Any:
    return desk.call("POST", f"/api/v3/orderList/{kind}", **({"oco": OCO, "otoco": OTOCO}[kind] | changes))


def statuses(desk: Desk) -> dict[str, str]:
    return {order.client_id: order.status for order in desk.account.spot.orders.values()}


def held(desk: Desk, asset: str) -> tuple[Decimal, Decimal]:
    balance = desk.account.spot.balances[asset]
    return balance.free, balance.locked


def test_a_pair_locks_what_it_would_sell_once(desk: Desk) -> None:
    told = place(desk, "oco")
    assert [report["clientOrderId"] for report in told["orderReports"]] == ["target", "stop"]
    assert held(desk, "BTC") == (Decimal("0.5"), Decimal("0.5"))


@pytest.mark.parametrize(("price", "traded", "other"), [("71000", "target", "stop"), ("49000", "stop", "target")])
def test_of_a_pair_the_first_that_trades_expires_the_other(desk: Desk, price: str, traded: str, other: str) -> None:
    place(desk, "oco")
    desk.move(price)
    assert statuses(desk) == {traded: "FILLED", other: "EXPIRED"}
    assert held(desk, "BTC") == (Decimal("0.5"), Decimal(0))


@pytest.mark.parametrize("price", ["71000", "49000"])
def test_a_pair_that_does_not_enclose_the_market_is_refused_and_locks_nothing(desk: Desk, price: str) -> None:
    desk.move(price)
    assert code_of(place, desk=desk, kind="oco") == -2010
    assert held(desk, "BTC") == (Decimal(1), Decimal(0))
    assert statuses(desk) == {}


def test_a_pair_beyond_the_balance_is_refused(desk: Desk) -> None:
    assert code_of(place, desk=desk, kind="oco", quantity="1.5") == -2010


def test_one_cancel_takes_the_whole_list_back(desk: Desk) -> None:
    place(desk, "otoco")
    desk.call("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="entry")
    assert set(statuses(desk).values()) == {"CANCELED"}
    assert held(desk, "USDT") == (Decimal(10_000), Decimal(0))
    cancel = {"method": "DELETE", "path": "/api/v3/order", "symbol": "BTCUSDT", "origClientOrderId": "stop"}
    assert code_of(desk.call, **cancel) == -2011


def test_pending_orders_wait_outside_the_book_until_all_of_the_working_one_has_filled() -> None:
    desk = Desk(fill_cap=Decimal("0.06"))
    place(desk, "otoco")
    desk.move("54000")
    assert statuses(desk) == {"entry": "PARTIALLY_FILLED", "target": "PENDING_NEW", "stop": "PENDING_NEW"}
    desk.move("49000")
    assert statuses(desk)["entry"] == "FILLED"
    assert statuses(desk)["stop"] in {"PARTIALLY_FILLED", "NEW"}


def test_once_filled_the_pending_pair_works_and_is_answered_as_pending_only_at_first(desk: Desk) -> None:
    told = place(desk, "otoco", workingPrice="61000")
    assert told["orderReports"][0]["status"] == "FILLED"
    assert statuses(desk) == {"entry": "FILLED", "target": "NEW", "stop": "NEW"}
    assert held(desk, "BTC")[1] == Decimal("0.1")


def test_an_entry_that_must_fill_at_once_and_does_not_expires_with_its_list(desk: Desk) -> None:
    place(desk, "otoco", workingTimeInForce="FOK")
    assert set(statuses(desk).values()) == {"EXPIRED"}


def test_exits_that_the_account_cannot_cover_are_rejected_when_their_time_comes(desk: Desk) -> None:
    place(desk, "otoco", pendingQuantity="1.2")
    desk.move("54000")
    assert statuses(desk) == {"entry": "FILLED", "target": "REJECTED", "stop": "REJECTED"}


def test_what_pays_for_the_exits_is_what_was_bought_less_the_fee() -> None:
    desk = Desk(spot_fee=Decimal("0.001"))
    wanted = {name: value for name, value in OTOCO.items() if name != "pendingQuantity"} | {"workingPrice": "61000"}
    desk.account.spot.balances["BTC"].free = Decimal(0)
    desk.call("POST", "/api/v3/orderList/opoco", **wanted)
    assert {order.quantity for order in desk.account.spot.open_orders()} == {Decimal("0.099")}


def test_only_a_purchase_pays_for_its_exits(desk: Desk) -> None:
    wanted = OTOCO | {"workingSide": "SELL", "pendingSide": "BUY"}
    assert code_of(desk.call, method="POST", path="/api/v3/orderList/opoco", **wanted) == -1100


def test_a_list_is_asked_for_and_cancelled_by_its_own_id(desk: Desk) -> None:
    place(desk, "oco")
    told = desk.call("GET", "/api/v3/orderList", origClientOrderId="pair")
    assert (told["listOrderStatus"], len(told["orders"])) == ("EXECUTING", 2)
    assert desk.call("DELETE", "/api/v3/orderList", symbol="BTCUSDT", listClientOrderId="pair")["listOrderStatus"] == (
        "ALL_DONE"
    )


@pytest.mark.parametrize(
    "taken", [{"listClientOrderId": "other"}, {"aboveClientOrderId": "a", "belowClientOrderId": "b"}]
)
def test_no_id_of_a_list_is_taken_twice_while_it_waits(desk: Desk, taken: dict[str, str]) -> None:
    place(desk, "oco")
    assert code_of(place, desk=desk, kind="oco", **taken) == -2010
    assert held(desk, "BTC") == (Decimal("0.5"), Decimal("0.5"))
