"""Orders that the sidecar carries to OpenAlgo, and what it can find out about them."""

import json
from decimal import Decimal
from typing import Any

import pytest

from sidecar.brokers.openalgo import OpenAlgo
from sidecar.brokers.profile import Finding, Inexpressible, Lane, Look, OrderTerms, Progress
from sidecar.wire import Answer, Request
from sidecar.words import Effect, OrderState, OrderType, Outcome, Side, TimeInForce
from tests.brokers.support import answer, body

PROFILE = OpenAlgo()
KEY = "5d2c7f0a9e"


def terms(**fields: Any) -> OrderTerms:
    usual: dict[str, Any] = {
        "instrument": "NSE:SBIN",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal(10),
        "client_id": "bs-1",
    }
    return OrderTerms(**usual | fields)


def post(path: str, **fields: Any) -> Request:
    return body("POST", f"/api/v1/{path}", fields)


def success(**fields: object) -> Answer:
    return answer(200, {"status": "success", **fields})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (terms(), {"action": "BUY", "pricetype": "MARKET", "quantity": "10", "product": "MIS"}),
        (terms(instrument="NSE:SBIN:CNC"), {"product": "CNC"}),
        (terms(side=Side.SELL, time_in_force=TimeInForce.DAY), {"action": "SELL"}),
        (terms(type=OrderType.LIMIT, price=Decimal("800.50")), {"pricetype": "LIMIT", "price": "800.50"}),
        (terms(type=OrderType.STOP, stop_price=Decimal("1E+3")), {"pricetype": "SL-M", "trigger_price": "1000"}),
        (terms(instrument="CRYPTO:BTCUSDT", quantity=Decimal("0.01")), {"symbol": "BTCUSDT", "quantity": "0.01"}),
    ],
)
def test_an_order_is_expressed(given: OrderTerms, expected: dict[str, str]) -> None:
    request = PROFILE.express(given)

    told = json.loads(request.body)
    assert (request.method, request.path, PROFILE.understand(request).endpoint.name) == (
        "POST",
        "/api/v1/placeorder",
        "place_order",
    )
    assert {name: told[name] for name in expected} == expected
    assert PROFILE.lane(request) == Lane("", given.instrument)


def test_a_client_id_is_written_into_no_field_that_means_something_else() -> None:
    request = PROFILE.express(terms(client_id="bs-unmistakable"))

    assert b"unmistakable" not in request.body
    assert json.loads(request.body)["strategy"] == "broker-sidecar"
    assert b"apikey" not in request.body


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (terms(instrument="SBIN"), "write EXCHANGE:SYMBOL"),
        (terms(instrument="NSE:"), "write EXCHANGE:SYMBOL"),
        (terms(instrument="NSE:SBIN:BO"), "MIS, NRML, CNC"),
        (terms(instrument="NSE:SBIN:MIS:X"), "write EXCHANGE:SYMBOL"),
        (
            terms(type=OrderType.TAKE_PROFIT, stop_price=Decimal(1)),
            "no take_profit orders; it takes limit, market, stop",
        ),
        (terms(time_in_force=TimeInForce.IOC), "leave out ioc"),
        (terms(time_in_force=TimeInForce.GTC), "leave out gtc"),
        (terms(reduce_only=True), "no reduce-only orders"),
        (terms(account="mine"), "leave the account empty"),
        (terms(quantity=Decimal("0.5")), "NSE takes whole quantities only, not 0.5"),
    ],
)
def test_what_openalgo_cannot_take_is_told(given: OrderTerms, why: str) -> None:
    with pytest.raises(Inexpressible, match=why):
        PROFILE.express(given)


@pytest.mark.parametrize(
    ("request_", "instrument"),
    [
        (post("placeorder", exchange="NSE", symbol="SBIN", product="MIS"), "NSE:SBIN"),
        (post("placeorder", exchange="NSE", symbol="SBIN"), "NSE:SBIN"),
        (post("modifyorder", exchange="NSE", symbol="SBIN", product="CNC"), "NSE:SBIN:CNC"),
        (post("cancelorder", orderid="1"), ""),
        (Request("POST", "/api/v1/placeorder", (), b"{"), ""),
    ],
)
def test_a_lane_is_the_instrument_with_its_product(request_: Request, instrument: str) -> None:
    assert PROFILE.lane(request_) == Lane("", instrument)


PLACE, CANCEL = post("placeorder", apikey=KEY), post("cancelorder", apikey=KEY, orderid="7", strategy="Python")
STATUS, SMART, ALL = post("orderstatus"), post("placesmartorder"), post("cancelallorder")
WORKING = OrderState.WORKING

PROGRESS = [
    ("an order that was taken works", PLACE, success(orderid="7"), Progress(WORKING, "7")),
    (
        "one that waits for approval too",
        PLACE,
        success(pending_order_id=3, message="queued"),
        Progress(WORKING, "", "queued"),
    ),
    (
        "a no is a no",
        PLACE,
        answer(400, {"status": "error", "message": "no funds"}),
        Progress(OrderState.REJECTED, "", "no funds"),
    ),
    (
        "a key in the words is taken out",
        PLACE,
        answer(400, {"status": "error", "message": f"no {KEY}"}),
        Progress(OrderState.REJECTED, "", "no [removed]"),
    ),
    ("what is in doubt says nothing", PLACE, success(), None),
    ("a cancel that did its work", CANCEL, success(orderid="7"), Progress(OrderState.CANCELLED, "7")),
    ("a bulk cancel that left some", ALL, success(canceled_orders=["1"], failed_cancellations=[{}]), None),
    (
        "a smart order at its target",
        SMART,
        success(message="No Action needed."),
        Progress(OrderState.FILLED, "", "No Action needed."),
    ),
    ("a triggered trigger", post("placegttorder"), success(trigger_id="9"), Progress(WORKING, "9")),
    ("a modification", post("modifyorder"), success(orderid="7"), Progress(WORKING, "7")),
    *(
        (
            f"an order that is {told}",
            STATUS,
            success(data={"orderid": "7", "order_status": told}),
            Progress(state, "7", told),
        )
        for told, state in {
            "complete": OrderState.FILLED,
            "open": WORKING,
            "trigger pending": WORKING,
            "rejected": OrderState.REJECTED,
            "cancelled": OrderState.CANCELLED,
        }.items()
    ),
    ("an order in a state that nobody knows", STATUS, success(data={"orderid": "7", "order_status": "odd"}), None),
]


@pytest.mark.parametrize(
    ("request_", "given", "expected"), [line[1:] for line in PROGRESS], ids=[line[0] for line in PROGRESS]
)
def test_progress(request_: Request, given: Answer, expected: Progress | None) -> None:
    assert PROFILE.progress(request_, given) == expected


def test_an_order_in_doubt_cannot_be_looked_up_nor_cancelled_by_anything_of_ours() -> None:
    request = PROFILE.express(terms())

    assert PROFILE.look(request, PROFILE.understand(request), lambda: 0.0) is None
    assert PROFILE.cancellation(request) is None


def test_an_order_whose_id_is_known_is_asked_for_and_cancelled_by_it() -> None:
    request = PROFILE.express(terms())
    cancel = PROFILE.cancellation(request, "7")
    assert cancel is not None
    assert (cancel.target, json.loads(cancel.body)) == (
        "/api/v1/cancelorder",
        {"strategy": "broker-sidecar", "orderid": "7"},
    )
    assert PROFILE.cancellation(cancel, "7") is None
    assert PROFILE.understand(cancel).effect is Effect.REDUCES_RISK

    look = PROFILE.look(request, PROFILE.understand(request), lambda: 0.0, "7")
    assert look is not None
    assert next(look).target == "/api/v1/orderstatus"
    with pytest.raises(StopIteration) as end:
        look.send(success(data={"orderid": "7", "order_status": "complete"}))
    assert end.value.value.progress == Progress(OrderState.FILLED, "7", "complete")


@pytest.mark.parametrize(("changes", "why"), [({}, "nothing may depend"), ({"reduce_only": True}, "closes every")])
def test_an_operation_is_told_why_it_cannot_be_kept(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Inexpressible, match=why):
        PROFILE.express(terms(watched=True, **changes))


def test_only_market_orders_end_by_themselves() -> None:
    limit = terms(type=OrderType.LIMIT, price=Decimal(700))
    assert PROFILE.at_market(PROFILE.express(terms()))
    assert not PROFILE.at_market(PROFILE.express(limit))


def test_a_smart_order_in_doubt_cannot_be_looked_up_either() -> None:
    assert PROFILE.look(SMART, PROFILE.understand(SMART), lambda: 0.0) is None


def look_at(request: Request) -> Look:
    look = PROFILE.look(request, PROFILE.understand(request), lambda: 0.0)
    assert look is not None
    return look


def found(told: Answer) -> Finding | None:
    look = look_at(CANCEL)
    next(look)
    with pytest.raises(StopIteration) as end:
        look.send(told)
    finding: Finding | None = end.value.value
    return finding


def test_a_cancel_in_doubt_is_asked_for_by_the_orders_own_id_with_the_bots_own_key() -> None:
    question = next(look_at(CANCEL))

    assert question.target == "/api/v1/orderstatus"
    assert json.loads(question.body) == {"apikey": KEY, "orderid": "7", "strategy": "Python"}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("cancelled", Outcome.OK), ("complete", Outcome.REJECTED), ("rejected", Outcome.REJECTED)],
)
def test_a_cancel_in_doubt_is_told_by_the_orders_state(status: str, outcome: Outcome) -> None:
    finding = found(success(data={"orderid": "7", "order_status": status}))

    assert finding is not None
    assert finding.status == status
    assert finding.answer is not None
    assert PROFILE.classify(PROFILE.understand(CANCEL), finding.answer).outcome is outcome


def test_an_order_that_still_stands_leaves_its_cancel_in_doubt() -> None:
    assert found(success(data={"orderid": "7", "order_status": "open"})) == Finding("open", None)


@pytest.mark.parametrize(
    "told",
    [
        answer(404, {"status": "error", "message": "Order 7 not found"}),
        success(data={"orderid": "8", "order_status": "cancelled"}),
        success(data={"orderid": "7"}),
        success(data=[]),
        answer(200, b"<html>"),
    ],
)
def test_what_does_not_tell_of_that_order_settles_nothing(told: Answer) -> None:
    assert found(told) is None


def test_a_cancel_that_was_declined_may_have_come_too_late() -> None:
    intent = PROFILE.understand(CANCEL)
    declined = PROFILE.classify(intent, answer(400, {"status": "error", "message": "whatever the broker says"}))

    assert PROFILE.gone(intent, declined)
    assert not PROFILE.gone(PROFILE.understand(PLACE), declined)


def test_the_price_is_asked_for_and_told_to_the_digit() -> None:
    question = PROFILE.price_request(terms(instrument="NSE:SBIN:CNC"))
    assert question is not None
    assert (question.path, json.loads(question.body)) == ("/api/v1/quotes", {"symbol": "SBIN", "exchange": "NSE"})

    told = answer(200, b'{"status":"success","data":{"ask":1188.10,"bid":1187,"ltp":1}}')
    assert PROFILE.told_price(terms(), told) == Decimal("1188.10")
    assert PROFILE.told_price(terms(side=Side.SELL), told) == 1187


@pytest.mark.parametrize(
    "told",
    [
        b'{"status":"success","data":{"ask":0}}',
        b'{"status":"success","data":{"ask":NaN}}',
        b'{"status":"success","data":{"ask":"much"}}',
        b'{"status":"success","data":{}}',
        b'{"status":"success","data":[]}',
        b'{"status":"error","data":{"ask":1}}',
        b"[",
    ],
)
def test_where_nobody_offers_there_is_no_price(told: bytes) -> None:
    assert PROFILE.told_price(terms(), answer(200, told)) is None


def test_what_names_no_instrument_has_no_price() -> None:
    assert PROFILE.price_request(terms(instrument="SBIN")) is None
