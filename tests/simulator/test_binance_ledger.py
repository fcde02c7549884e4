"""The futures book: orders, fills, positions and what is refused."""

from decimal import Decimal
from typing import Any

import pytest

from sidecar.clock import VirtualClock
from sidecar.simulator.binance.call import Call
from sidecar.simulator.binance.errors import BinanceError
from sidecar.simulator.binance.exchange import Account, Exchange
from sidecar.simulator.binance.gateway import ENDPOINTS
from sidecar.simulator.binance.parameters import Parameters

RUN = {(endpoint.method, endpoint.path): endpoint.run for endpoint in ENDPOINTS}


class Desk:
    """The endpoints without HTTP around them."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.exchange = Exchange(clock=self.clock, **settings)

    @property
    def account(self) -> Account:
        return self.exchange.account("demo-key")

    def call(self, method: str, path: str, **parameters: Any) -> Any:
        self.exchange.time_passed()
        texts = {name: str(value) for name, value in parameters.items()}
        return RUN[method, path](Call(self.exchange, Parameters(texts), self.account))

    def order(self, **parameters: Any) -> Any:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "newOrderRespType": "RESULT"}
        return self.call("POST", "/fapi/v1/order", **(order | parameters))

    def rest(self, **parameters: Any) -> Any:
        return self.order(**({"type": "LIMIT", "timeInForce": "GTC", "price": "50000"} | parameters))

    def stop(self, **parameters: Any) -> Any:
        order = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
        return self.call("POST", "/fapi/v1/algoOrder", **(order | {"triggerPrice": "55000"} | parameters))

    def move(self, price: str) -> None:
        self.exchange.set_price("BTCUSDT", Decimal(price))

    def position(self, side: str = "BOTH") -> Decimal:
        risks = self.call("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")
        return Decimal(next(risk["positionAmt"] for risk in risks if risk["positionSide"] == side))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def code_of(act: Any, **parameters: Any) -> int:
    with pytest.raises(BinanceError) as refusal:
        act(**parameters)
    return refusal.value.code


def test_a_market_order_fills_at_the_current_price(desk: Desk) -> None:
    desk.move("61234.5")
    order = desk.order()
    assert (order["status"], order["avgPrice"], desk.position()) == ("FILLED", "61234.50", Decimal("0.01"))


def test_a_placement_is_acknowledged_as_new_unless_the_result_is_asked_for(desk: Desk) -> None:
    assert desk.order(newOrderRespType="ACK")["status"] == "NEW"
    assert desk.position() == Decimal("0.01")


def test_a_limit_order_rests_until_the_price_reaches_it(desk: Desk) -> None:
    order = desk.rest(price="59000")
    desk.move("59000.1")
    assert desk.call("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])["status"] == "NEW"
    desk.move("58000")
    found = desk.call("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])
    assert (found["status"], found["avgPrice"]) == ("FILLED", "59000.00")


def test_a_limit_order_that_crosses_fills_at_once(desk: Desk) -> None:
    order = desk.rest(price="60100")
    assert (order["status"], order["avgPrice"]) == ("FILLED", "60000.00")


def test_an_immediate_order_that_does_not_cross_expires(desk: Desk) -> None:
    assert desk.rest(timeInForce="IOC")["status"] == "EXPIRED"


def test_fills_in_parts_leave_the_rest_open() -> None:
    desk = Desk(fill_cap=Decimal("0.004"))
    desk.rest(price="59000")
    desk.move("58000")
    order = desk.call("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")[0]
    assert (order["status"], order["executedQty"]) == ("PARTIALLY_FILLED", "0.004")


def test_profit_and_commission_reach_the_wallet(desk: Desk) -> None:
    desk.order()
    desk.move("61000")
    desk.order(side="SELL")
    assert desk.account.ledger.wallet == Decimal(10_000) + 10 - Decimal("0.30") - Decimal("0.305")
    assert desk.position() == 0


def test_a_short_position_earns_when_the_price_falls(desk: Desk) -> None:
    desk.order(side="SELL")
    desk.move("59000")
    risk = desk.call("GET", "/fapi/v3/positionRisk")[0]
    assert (risk["positionAmt"], risk["unRealizedProfit"]) == ("-0.010", "10.00000000")


def test_selling_more_than_is_held_turns_the_position_round(desk: Desk) -> None:
    desk.order()
    desk.order(side="SELL", quantity="0.03")
    assert desk.position() == Decimal("-0.02")


def test_a_client_id_is_taken_while_its_order_is_open(desk: Desk) -> None:
    desk.rest(newClientOrderId="mine")
    assert code_of(desk.rest, newClientOrderId="mine") == -4116


def test_a_client_id_is_free_again_once_its_order_has_filled(desk: Desk) -> None:
    first = desk.order(newClientOrderId="mine")
    second = desk.order(newClientOrderId="mine")
    assert first["orderId"] != second["orderId"]
    assert desk.position() == Decimal("0.02")
    found = desk.call("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="mine")
    assert found["orderId"] == second["orderId"]


@pytest.mark.parametrize("client_id", ["x" * 37, "with space", "umlaut-ä", "semi;colon"])
def test_a_client_id_against_the_rules_is_refused(desk: Desk, client_id: str) -> None:
    assert code_of(desk.order, newClientOrderId=client_id) == -4015


def test_a_client_id_may_use_the_whole_charset(desk: Desk) -> None:
    assert desk.order(newClientOrderId="aZ0.:/_-")["clientOrderId"] == "aZ0.:/_-"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"symbol": "NOPE"}, -1121),
        ({"quantity": "0.00001"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"quantity": "x"}, -1100),
        ({"quantity": "1e99"}, -1100),
        ({"quantity": "-1"}, -1100),
        ({"quantity": ""}, -1102),
        ({"quantity": "0.001"}, -4164),
        ({"quantity": "900"}, -2019),
        ({"quantity": "9000"}, -4005),
        ({"side": "HOLD"}, -1117),
        ({"type": "FANCY"}, -1116),
        ({"type": "STOP_MARKET", "stopPrice": "55000"}, -4120),
        ({"type": "TAKE_PROFIT", "stopPrice": "55000"}, -4120),
        ({"type": "LIMIT", "timeInForce": "GTC"}, -1102),
        ({"type": "LIMIT", "price": "50000"}, -1102),
        ({"type": "LIMIT", "timeInForce": "NOW", "price": "50000"}, -1115),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "50000.01"}, -1111),
        ({"type": "LIMIT", "timeInForce": "GTX", "price": "60001"}, -5022),
        ({"type": "LIMIT", "timeInForce": "FOK", "price": "50000"}, -5021),
        ({"price": "1"}, -1106),
        ({"reduceOnly": "true"}, -2022),
        ({"positionSide": "LONG"}, -4061),
    ],
)
def test_an_order_against_the_rules_is_refused_and_leaves_no_trace(
    desk: Desk, parameters: dict[str, str], code: int
) -> None:
    wanted = {"symbol": "BTCUSDT", "quantity": "0.01"} | parameters
    assert code_of(desk.order, **wanted) == code
    assert desk.exchange.executed().orders == ()
    assert desk.account.ledger.wallet == 10_000


def test_a_reduce_only_order_never_opens_a_position(desk: Desk) -> None:
    desk.order()
    order = desk.order(side="SELL", quantity="0.05", reduceOnly="true")
    assert order["executedQty"] == "0.010"
    assert desk.position() == 0


def test_a_reduce_only_order_may_be_tiny(desk: Desk) -> None:
    desk.order()
    assert desk.order(side="SELL", quantity="0.001", reduceOnly="true")["status"] == "FILLED"


def test_a_resting_reduce_only_order_expires_when_there_is_nothing_left_to_reduce(desk: Desk) -> None:
    desk.order()
    resting = desk.rest(side="SELL", price="65000", reduceOnly="true")
    desk.order(side="SELL")
    desk.move("66000")
    found = desk.call("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=resting["orderId"])
    assert found["status"] == "EXPIRED"
    assert desk.position() == 0


def test_open_orders_bind_margin(desk: Desk) -> None:
    desk.rest(quantity="3.9")
    assert code_of(desk.rest, quantity="3.9") == -2019


def test_leverage_decides_how_much_margin_is_bound(desk: Desk) -> None:
    assert code_of(desk.order, quantity="5") == -2019
    desk.call("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100)
    assert desk.order(quantity="2.5")["status"] == "FILLED"


def test_an_order_that_was_cancelled_is_found_as_such(desk: Desk) -> None:
    desk.rest(newClientOrderId="mine")
    desk.call("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="mine")
    assert desk.call("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="mine")["status"] == "CANCELED"


def test_an_unfilled_cancelled_order_vanishes_after_three_days(desk: Desk) -> None:
    desk.rest(newClientOrderId="mine")
    desk.call("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="mine")
    desk.clock.advance(3 * 24 * 3600 + 1)
    wanted = {"method": "GET", "path": "/fapi/v1/order", "symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert code_of(desk.call, **wanted) == -2013


def test_a_filled_order_cannot_be_cancelled(desk: Desk) -> None:
    order = desk.order()
    wanted = {"method": "DELETE", "path": "/fapi/v1/order", "symbol": "BTCUSDT", "orderId": order["orderId"]}
    assert code_of(desk.call, **wanted) == -2011
    assert desk.exchange.executed().cancels == ()


def test_an_order_that_never_was_does_not_exist(desk: Desk) -> None:
    wanted = {"method": "GET", "path": "/fapi/v1/order", "symbol": "BTCUSDT", "orderId": 1}
    assert code_of(desk.call, **wanted) == -2013


def test_a_filled_order_is_no_open_order(desk: Desk) -> None:
    order = desk.order()
    wanted = {"method": "GET", "path": "/fapi/v1/openOrder", "symbol": "BTCUSDT", "orderId": order["orderId"]}
    assert code_of(desk.call, **wanted) == -2013


def test_a_modified_order_keeps_its_id_and_may_fill_at_its_new_price(desk: Desk) -> None:
    order = desk.rest()
    changes = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order["orderId"], "quantity": "0.02"}
    changed = desk.call("PUT", "/fapi/v1/order", **changes, price="60000")
    assert (changed["orderId"], changed["status"], desk.position()) == (order["orderId"], "FILLED", Decimal("0.02"))


def test_a_modification_that_changes_nothing_is_refused(desk: Desk) -> None:
    order = desk.rest()
    same = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order["orderId"], "quantity": "0.01", "price": "50000"}
    assert code_of(desk.call, method="PUT", path="/fapi/v1/order", **same) == -5027


def test_each_order_of_a_batch_succeeds_or_fails_by_itself(desk: Desk) -> None:
    good = '{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.01"}'
    bad = '{"symbol":"NOPE","side":"BUY","type":"MARKET","quantity":"0.01"}'
    first, second = desk.call("POST", "/fapi/v1/batchOrders", batchOrders=f"[{good},{bad}]")
    assert (first["symbol"], second["code"]) == ("BTCUSDT", -1121)
    assert desk.position() == Decimal("0.01")


def test_a_batch_of_six_is_too_large(desk: Desk) -> None:
    assert code_of(desk.call, method="POST", path="/fapi/v1/batchOrders", batchOrders="[{},{},{},{},{},{}]") == -4082


def test_a_batch_cancel_tells_the_fate_of_each(desk: Desk) -> None:
    desk.rest(newClientOrderId="one")
    found = desk.call("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", origClientOrderIdList='["one","two"]')
    assert (found[0]["status"], found[1]["code"]) == ("CANCELED", -2011)


def test_cancelling_everything_leaves_nothing_open(desk: Desk) -> None:
    desk.rest()
    desk.rest()
    desk.call("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert desk.call("GET", "/fapi/v1/openOrders") == []
    assert len(desk.exchange.executed().cancels) == 2


def test_the_dead_mans_switch_cancels_when_it_is_not_renewed(desk: Desk) -> None:
    desk.rest()
    desk.call("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=10_000)
    desk.clock.advance(9.9)
    assert len(desk.call("GET", "/fapi/v1/openOrders")) == 1
    desk.clock.advance(0.2)
    assert desk.call("GET", "/fapi/v1/openOrders") == []


def test_the_dead_mans_switch_can_be_taken_off(desk: Desk) -> None:
    desk.rest()
    desk.call("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=10_000)
    desk.call("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=0)
    desk.clock.advance(60)
    assert len(desk.call("GET", "/fapi/v1/openOrders")) == 1


def test_an_order_good_till_a_date_expires_then(desk: Desk) -> None:
    desk.rest(timeInForce="GTD", goodTillDate=int((desk.clock.now() + 700) * 1000))
    desk.clock.advance(701)
    assert desk.call("GET", "/fapi/v1/openOrders") == []


def test_a_stop_closes_the_position_when_its_trigger_is_reached(desk: Desk) -> None:
    desk.order()
    desk.stop(closePosition="true", clientAlgoId="guard")
    desk.move("55000.1")
    assert desk.position() == Decimal("0.01")
    desk.move("55000")
    assert desk.position() == 0
    assert desk.call("GET", "/fapi/v1/algoOrder", clientAlgoId="guard")["algoStatus"] == "FINISHED"


def test_a_take_profit_triggers_on_the_other_side(desk: Desk) -> None:
    desk.order()
    desk.stop(type="TAKE_PROFIT_MARKET", triggerPrice="65000", quantity="0.01", reduceOnly="true")
    desk.move("64999")
    assert desk.position() == Decimal("0.01")
    desk.move("65000")
    assert desk.position() == 0


def test_a_trailing_stop_follows_the_best_price(desk: Desk) -> None:
    desk.order()
    desk.stop(type="TRAILING_STOP_MARKET", quantity="0.01", callbackRate="1", reduceOnly="true")
    for price in ("62000", "61500"):
        desk.move(price)
    assert desk.position() == Decimal("0.01")
    desk.move("61380")
    assert desk.position() == 0


def test_a_stop_without_a_position_expires_when_triggered(desk: Desk) -> None:
    desk.stop(closePosition="true", clientAlgoId="guard")
    desk.move("54000")
    assert desk.call("GET", "/fapi/v1/algoOrder", clientAlgoId="guard")["algoStatus"] == "EXPIRED"
    assert desk.position() == 0


def test_a_stop_that_would_trigger_at_once_is_refused(desk: Desk) -> None:
    assert code_of(desk.stop, triggerPrice="60000", quantity="0.01") == -2021


def test_an_algo_client_id_is_taken_while_its_order_waits(desk: Desk) -> None:
    desk.stop(quantity="0.01", clientAlgoId="guard")
    assert code_of(desk.stop, quantity="0.01", clientAlgoId="guard") == -4116


def test_algo_orders_are_not_found_among_the_plain_ones(desk: Desk) -> None:
    desk.stop(quantity="0.01", clientAlgoId="guard")
    wanted = {"method": "GET", "path": "/fapi/v1/order", "symbol": "BTCUSDT", "origClientOrderId": "guard"}
    assert code_of(desk.call, **wanted) == -2013
    assert [algo["clientAlgoId"] for algo in desk.call("GET", "/fapi/v1/openAlgoOrders")] == ["guard"]


def test_an_algo_order_can_be_cancelled_once(desk: Desk) -> None:
    algo = desk.stop(quantity="0.01")
    wanted = {"method": "DELETE", "path": "/fapi/v1/algoOrder", "algoId": algo["algoId"]}
    assert desk.call(**wanted)["code"] == "200"
    assert code_of(desk.call, **wanted) == -2011


def test_a_hedged_account_holds_both_sides(desk: Desk) -> None:
    desk.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    desk.order(positionSide="LONG")
    desk.order(side="SELL", positionSide="SHORT", quantity="0.02")
    assert (desk.position("LONG"), desk.position("SHORT")) == (Decimal("0.01"), Decimal("-0.02"))


def test_a_hedged_position_cannot_be_closed_beyond_itself(desk: Desk) -> None:
    desk.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    desk.order(positionSide="LONG")
    assert code_of(desk.order, side="SELL", positionSide="LONG", quantity="0.02") == -2022


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("/fapi/v1/marginType", {"symbol": "BTCUSDT", "marginType": "CROSSED"}, -4046),
        ("/fapi/v1/positionSide/dual", {"dualSidePosition": "false"}, -4059),
        ("/fapi/v1/multiAssetsMargin", {"multiAssetsMargin": "false"}, -4171),
        ("/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": "126"}, -4028),
    ],
)
def test_a_setting_that_is_so_already_or_cannot_be_is_refused(
    desk: Desk, path: str, parameters: dict[str, str], code: int
) -> None:
    assert code_of(desk.call, method="POST", path=path, **parameters) == code


def test_the_margin_type_stays_while_a_position_is_open(desk: Desk) -> None:
    desk.order()
    wanted = {"method": "POST", "path": "/fapi/v1/marginType", "symbol": "BTCUSDT", "marginType": "ISOLATED"}
    assert code_of(desk.call, **wanted) == -4048


def test_a_listen_key_lives_an_hour_and_can_be_extended(desk: Desk) -> None:
    key = desk.call("POST", "/fapi/v1/listenKey")["listenKey"]
    desk.clock.advance(3000)
    desk.call("PUT", "/fapi/v1/listenKey")
    desk.clock.advance(3000)
    assert desk.call("POST", "/fapi/v1/listenKey")["listenKey"] == key
    desk.clock.advance(3601)
    assert code_of(desk.call, method="PUT", path="/fapi/v1/listenKey") == -1125


def test_the_truth_lists_what_was_taken_and_nothing_that_was_refused(desk: Desk) -> None:
    desk.order(newClientOrderId="one")
    desk.stop(quantity="0.01", clientAlgoId="two")
    code_of(desk.order, symbol="NOPE", newClientOrderId="three")
    told = [(order.client_id, order.type, order.status) for order in desk.exchange.executed().orders]
    assert told == [("one", "MARKET", "FILLED"), ("two", "STOP_MARKET", "NEW")]


def test_the_last_candle_closes_at_the_current_price(desk: Desk) -> None:
    desk.move("61000")
    candles = desk.call("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=3)
    assert (len(candles), candles[-1][4]) == (3, "61000.00")


def test_the_same_seed_shows_the_same_market() -> None:
    wanted = {"method": "GET", "path": "/fapi/v1/klines", "symbol": "BTCUSDT", "interval": "1m"}
    assert Desk(seed=1).call(**wanted) == Desk(seed=1).call(**wanted) != Desk(seed=2).call(**wanted)


def test_a_spot_order_locks_what_it_may_cost_and_a_cancel_frees_it(desk: Desk) -> None:
    wanted = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    order = desk.call("POST", "/api/v3/order", **wanted, quantity="0.1", price="50000")
    assert desk.account.spot.balances["USDT"].locked == 5000
    desk.call("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=order["orderId"])
    assert desk.account.spot.balances["USDT"].free == 10_000


def test_a_spot_fill_moves_both_assets(desk: Desk) -> None:
    desk.call("POST", "/api/v3/order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.5")
    held = desk.account.spot.balances
    assert [held["BTC"].free, held["BTC"].locked] == [Decimal("0.5"), Decimal(0)]
    assert held["USDT"].free == 40_000


def test_a_spot_order_beyond_the_balance_is_refused(desk: Desk) -> None:
    wanted = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "2"}
    assert code_of(desk.call, method="POST", path="/api/v3/order", **wanted) == -2010
