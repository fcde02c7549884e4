"""Orders that a broker places in one request: how they are written, found again, and what cannot be written."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from sidecar.brokers.groups import Group, Link, TakesGroups
from sidecar.brokers.profile import Finding, Inexpressible, Lane, OrderTerms, Profile
from sidecar.wire import Answer, Request
from sidecar.words import Effect, OrderState, OrderType, Side, TimeInForce
from tests.brokers.orders import ACCOUNT, terms
from tests.brokers.support import answer
from tests.brokers.test_profiles_hold_for_any_bytes import PROFILES

SPOT, OANDA = PROFILES["binance-spot"], PROFILES["oanda"]
GROUPING = pytest.mark.parametrize("broker", ["binance-spot", "oanda"])


def group(broker: str, side: Side = Side.BUY, link: Link = Link.ON_FILL, **changes: Any) -> Group:
    """A bracket whose exits lie on the right sides of the market."""
    reduces = broker == "oanda"
    low, high = Decimal("0.9"), Decimal("1.3")
    stop, target = (low, high) if side is Side.BUY else (high, low)
    entry = terms(broker, side=side, type=OrderType.LIMIT, price=Decimal("1.1"), client_id="op-1-entry1")
    exits = (
        terms(broker, type=OrderType.STOP, stop_price=stop, client_id="op-1-stop2"),
        terms(broker, type=OrderType.TAKE_PROFIT, stop_price=target, client_id="op-1-target3"),
    )
    companions = tuple(replace(exit_, side=side.opposite, reduce_only=reduces) for exit_ in exits)
    return replace(Group(entry, companions, link), **changes)


def pair(side: Side = Side.SELL) -> Group:
    exits = group("binance-spot", side.opposite).companions
    return Group(exits[0], exits[1:], Link.OCO)


def grouping(broker: str) -> TakesGroups:
    profile = PROFILES[broker]
    assert isinstance(profile, TakesGroups)
    return profile


def parameters(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), strict_parsing=True))


def test_only_brokers_that_are_atomic_take_groups() -> None:
    assert {name for name, profile in PROFILES.items() if isinstance(profile, TakesGroups)} >= {"binance-spot", "oanda"}
    assert not isinstance(PROFILES["binance-usdm"], TakesGroups)


def test_oanda_takes_stop_and_target_on_fill() -> None:
    request = grouping("oanda").express_group(group("oanda"))
    assert request.target == f"/v3/accounts/{ACCOUNT}/orders"
    order = json.loads(request.body)["order"]
    assert (order["type"], order["units"], order["price"]) == ("LIMIT", "100", "1.1")
    assert order["clientExtensions"] == order["tradeClientExtensions"] == {"id": "op-1-entry1"}
    assert order["stopLossOnFill"] == {"price": "0.9", "timeInForce": "GTC", "clientExtensions": {"id": "op-1-stop2"}}
    assert order["takeProfitOnFill"]["price"] == "1.3"
    assert order["takeProfitOnFill"]["clientExtensions"] == {"id": "op-1-target3"}


@pytest.mark.parametrize(("side", "above", "below"), [(Side.BUY, "target3", "stop2"), (Side.SELL, "stop2", "target3")])
def test_spot_takes_a_bracket_as_a_list_of_three(side: Side, above: str, below: str) -> None:
    request = grouping("binance-spot").express_group(group("binance-spot", side))
    asked = parameters(request)
    # What was bought pays for what is sold; the other way round, as much is bought back as was sold.
    assert request.path == f"/api/v3/orderList/{'opoco' if side is Side.BUY else 'otoco'}"
    assert asked.get("pendingQuantity") == (None if side is Side.BUY else "0.01")
    assert (asked["workingClientOrderId"], asked["workingSide"], asked["workingTimeInForce"]) == (
        "op-1-entry1",
        side.name,
        "GTC",
    )
    assert asked["pendingSide"] == side.opposite.name
    assert asked["pendingAboveClientOrderId"] == f"op-1-{above}"
    assert asked["pendingBelowClientOrderId"] == f"op-1-{below}"
    assert (asked["pendingAboveStopPrice"], asked["pendingBelowStopPrice"]) == ("1.3", "0.9")
    assert asked["listClientOrderId"] not in {asked[name] for name in asked if name.endswith("gClientOrderId")}


def test_spot_takes_an_entry_with_a_stop_alone_as_a_list_of_two() -> None:
    whole = group("binance-spot")
    asked = grouping("binance-spot").express_group(replace(whole, companions=whole.companions[:1]))
    assert asked.path == "/api/v3/orderList/opo"
    assert parameters(asked)["pendingType"] == "STOP_LOSS"


@pytest.mark.parametrize("side", Side)
def test_spot_takes_a_pair(side: Side) -> None:
    request = grouping("binance-spot").express_group(pair(side))
    asked = parameters(request)
    kinds = ("TAKE_PROFIT", "STOP_LOSS") if side is Side.SELL else ("STOP_LOSS", "TAKE_PROFIT")
    assert request.path == "/api/v3/orderList/oco"
    assert (asked["side"], asked["aboveType"], asked["belowType"]) == (side.name, *kinds)


def test_a_list_counts_as_many_orders_as_it_places() -> None:
    intent = SPOT.understand(grouping("binance-spot").express_group(group("binance-spot")))
    assert dict(intent.costs)["orders_10s"] == 3
    assert intent.effect is Effect.OPENS_RISK


@pytest.mark.parametrize(
    ("broker", "wrong"),
    [
        ("oanda", group("oanda", link=Link.OCO)),
        ("oanda", group("oanda", companions=(terms("oanda", type=OrderType.MARKET, side=Side.SELL),))),
        ("binance-spot", group("binance-spot", first=terms("binance-spot"))),
        ("binance-spot", group("binance-spot", companions=group("binance-spot", Side.SELL).companions)),
        ("binance-spot", replace(pair(), companions=(terms("binance-spot", side=Side.SELL, type=OrderType.MARKET),))),
        ("binance-spot", replace(pair(), first=replace(pair().first, reduce_only=True))),
        ("binance-spot", replace(pair(), first=replace(pair().first, time_in_force=TimeInForce.IOC))),
        ("binance-spot", replace(pair(), first=replace(pair().first, client_id="x" * 36))),
    ],
)
def test_what_a_broker_cannot_keep_together_is_refused(broker: str, wrong: Group) -> None:
    with pytest.raises(Inexpressible):
        grouping(broker).express_group(wrong)


@GROUPING
def test_a_group_is_found_cancelled_and_queued_by_its_first_order(broker: str) -> None:
    profile = PROFILES[broker]
    request = profile.unsigned(grouping(broker).express_group(group(broker)))
    assert profile.lane(request) == profile.lane(profile.express(group(broker).first))
    cancel = profile.cancellation(request)
    assert cancel is not None
    assert "op-1-entry1" in cancel.target
    asked = first_question(profile, request)
    assert "op-1-entry1" in asked.target


@GROUPING
def test_a_companion_is_found_and_cancelled_but_could_not_be_placed(broker: str) -> None:
    profile = PROFILES[broker]
    request = grouping(broker).express_group(group(broker))
    for exit_ in group(broker).companions:
        stand_in = grouping(broker).companion(request, exit_, "7")
        assert profile.lane(stand_in) == Lane(exit_.account, exit_.instrument)
        cancel = profile.cancellation(stand_in)
        assert cancel is not None
        assert exit_.client_id in cancel.target
        assert exit_.client_id in first_question(profile, stand_in).target
        assert b"uantity" not in stand_in.body
        assert b"units" not in stand_in.body
        whole = replace(exit_, quantity=exit_.quantity / 2)
        assert grouping(broker).companion(request, whole, "7") == stand_in


def first_question(profile: Profile, request: Request) -> Request:
    look = profile.look(request, profile.understand(request), lambda: 0.0)
    assert look is not None
    return next(look)


def found(profile: Profile, request: Request, *answers: Answer) -> Finding | None:
    look = profile.look(request, profile.understand(request), lambda: 0.0)
    assert look is not None
    next(look)
    try:
        for told in answers:
            look.send(told)
    except StopIteration as end:
        finding: Finding | None = end.value
        return finding
    raise AssertionError("it asks for more")


REPORT = {"symbol": "BTCUSDT", "orderId": 4, "origQty": "0.01", "executedQty": "0", "side": "BUY", "time": 1000}
STOP_REPORT = REPORT | {"clientOrderId": "op-1-stop2", "side": "SELL"}


def listed(request: Request, **first: Any) -> dict[str, Any]:
    entry = REPORT | {"clientOrderId": "op-1-entry1"} | first
    asked = parameters(request)
    exits = [
        STOP_REPORT | {"clientOrderId": asked[name], "status": "PENDING_NEW"}
        for name in asked
        if name.endswith("AboveClientOrderId")
    ]
    return {"orderListId": 1, "listClientOrderId": asked["listClientOrderId"], "orderReports": [*exits, entry]}


@pytest.mark.parametrize(
    ("first", "state"),
    [
        ({"status": "FILLED", "executedQty": "0.01"}, OrderState.FILLED),
        ({"status": "NEW"}, OrderState.WORKING),
        ({"status": "EXPIRED"}, OrderState.EXPIRED),
    ],
)
def test_the_answer_to_a_list_tells_of_its_first_order(first: dict[str, Any], state: OrderState) -> None:
    request = grouping("binance-spot").express_group(group("binance-spot"))
    progress = SPOT.progress(request, answer(200, listed(request, **first)))
    assert progress is not None
    assert progress.state is state


def test_an_answer_that_does_not_name_the_first_order_says_nothing_of_it() -> None:
    request = grouping("binance-spot").express_group(group("binance-spot"))
    assert SPOT.progress(request, answer(200, listed(request, clientOrderId="another", status="FILLED"))) is None


def test_the_audit_log_keeps_what_each_order_of_a_group_is_for() -> None:
    request = grouping("binance-spot").express_group(group("binance-spot"))
    facts = SPOT.facts(request, answer(200, listed(request, status="FILLED")))
    assert (facts.symbol, facts.request["workingPrice"], facts.request["pendingBelowStopPrice"]) == (
        "BTCUSDT",
        "1.1",
        "0.9",
    )
    assert facts.response["status"] == "PENDING_NEW,FILLED"
    facts = OANDA.facts(grouping("oanda").express_group(group("oanda")), None)
    assert (facts.request["stopLossOnFill.price"], facts.request["takeProfitOnFill.price"]) == ("0.9", "1.3")


def test_a_refused_list_is_a_refused_order() -> None:
    request = grouping("binance-spot").express_group(group("binance-spot"))
    refused = answer(400, {"code": -2010, "msg": "Account has insufficient balance for requested action."})
    progress = SPOT.progress(request, refused)
    assert progress is not None
    assert progress.state is OrderState.REJECTED
    assert SPOT.progress(request, answer(400, {"code": -2010, "msg": "Duplicate order sent."})) is None


def test_a_pending_order_of_a_list_is_not_there_yet() -> None:
    stop = group("binance-spot").companions[0]
    stand_in = grouping("binance-spot").companion(Request("POST", "/", ()), stop, "")
    pending = found(SPOT, stand_in, answer(200, STOP_REPORT | {"status": "PENDING_NEW"}))
    assert pending is not None
    assert (pending.status, pending.answer, pending.progress) == ("PENDING_NEW", None, None)
    working = found(SPOT, stand_in, answer(200, STOP_REPORT | {"status": "NEW"}))
    assert working is not None
    assert working.answer is not None


def test_what_a_companion_is_for_is_told_by_a_look() -> None:
    assert grouping("binance-spot").booked(answer(200, STOP_REPORT | {"origQty": "0.00999"})) == Decimal("0.00999")
    assert grouping("binance-spot").booked(answer(400, {"code": -2013, "msg": "Order does not exist."})) is None
    assert grouping("oanda").booked(answer(200, {"order": {}})) is None


def test_a_list_that_a_bot_made_is_not_looked_up_by_an_id_that_is_not_its_orders() -> None:
    request = grouping("binance-spot").express_group(group("binance-spot"))
    theirs = replace(request, body=request.body.replace(b"entry1-L", b"entry1"))
    assert SPOT.look(theirs, SPOT.understand(theirs), lambda: 0.0) is None
    assert SPOT.cancellation(theirs) is None


def test_a_stop_that_ends_with_its_trade_has_run_out_and_is_not_cancelled_by_anybody() -> None:
    stop: OrderTerms = group("oanda").companions[0]
    stand_in = grouping("oanda").companion(Request("POST", "/", ()), stop, "")
    created = {"id": "9", "type": "STOP_LOSS_ORDER", "batchID": "8", "tradeID": "8", "reason": "ON_FILL"}
    told = {"id": "9", "createTime": "1000.0", "type": "STOP_LOSS", "tradeID": "8", "state": "CANCELLED"}
    for reason, state in (("LINKED_TRADE_CLOSED", OrderState.EXPIRED), ("CLIENT_REQUEST", OrderState.CANCELLED)):
        ended = {"id": "12", "type": "ORDER_CANCEL", "orderID": "9", "reason": reason, "batchID": "12"}
        finding = found(OANDA, stand_in, answer(200, {"order": told}), answer(200, {"transactions": [created, ended]}))
        assert finding is not None
        assert finding.progress is not None
        assert finding.progress.state is state
