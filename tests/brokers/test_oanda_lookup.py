"""An OANDA order in doubt: what is asked, and how the transactions become the answer that was lost."""

import json
from typing import Any

import pytest

from sidecar.brokers.oanda import Oanda
from sidecar.brokers.profile import Finding, Look
from sidecar.wire import Answer, Request
from sidecar.words import OrderState, Outcome

OANDA = Oanda()
BEARER = ((b"Authorization", b"Bearer mine"), (b"Accept-Datetime-Format", b"RFC3339"), (b"User-Agent", b"bot"))
NOON = 1_800_000_000.0  # 2027-01-15T08:00:00Z
ORDER = {"id": "41", "createTime": "2027-01-15T08:00:00.123456789Z", "instrument": "EUR_USD", "state": "FILLED"}
CREATED = {"id": "41", "batchID": "41", "type": "MARKET_ORDER"}
FILL = {"id": "42", "batchID": "41", "type": "ORDER_FILL", "orderID": "41"}
LATER = {"id": "43", "batchID": "43", "type": "ORDER_CANCEL", "orderID": "41"}


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, (), json.dumps(body).encode())


def look_at(request: Request) -> Look:
    look = OANDA.look(request, OANDA.understand(request), lambda: NOON)
    assert look is not None
    return look


def placed(client_id: str = "my id") -> Request:
    body = {"order": {"instrument": "EUR_USD", "clientExtensions": {"id": client_id}}}
    return Request("POST", "/v3/accounts/1/orders", BEARER, json.dumps(body).encode())


def outcome(look: Look, *answers: Answer) -> tuple[list[str], Finding | None]:
    """What the look asked, and what it found."""
    asked = [next(look).target]
    try:
        for each in answers:
            asked.append(look.send(each).target)  # noqa: PERF401 - a comprehension may not end in StopIteration
    except StopIteration as end:
        return asked, end.value
    raise AssertionError("the look asks on")


def test_a_placed_order_is_told_by_the_transactions_of_its_own_request() -> None:
    told = answer({"transactions": [CREATED, FILL, LATER], "lastTransactionID": "43"})
    asked, found = outcome(look_at(placed()), answer({"order": ORDER}), told)
    assert asked == ["/v3/accounts/1/orders/@my%20id", "/v3/accounts/1/transactions/sinceid?id=40"]
    assert found is not None
    assert found.answer is not None
    assert found.answer.status == 201
    assert json.loads(found.answer.body) == {
        "orderCreateTransaction": CREATED,
        "orderFillTransaction": FILL,
        "relatedTransactionIDs": ["41", "42"],
        "lastTransactionID": "43",
    }
    assert OANDA.classify(OANDA.understand(placed()), found.answer).outcome is Outcome.OK


def test_the_questions_bear_the_bots_own_token() -> None:
    assert next(look_at(placed())).headers == BEARER[:2]


def test_an_order_that_was_cancelled_at_once_is_the_rejection_that_it_was() -> None:
    stillborn = {**LATER, "batchID": "41", "reason": "MARKET_HALTED"}
    told = answer({"transactions": [CREATED, stillborn]})
    _, found = outcome(look_at(placed()), answer({"order": {**ORDER, "state": "CANCELLED"}}), told)
    assert found is not None
    assert found.answer is not None
    assert OANDA.classify(OANDA.understand(placed()), found.answer).outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    ("state", "transactions", "now"),
    [
        ("FILLED", [CREATED, {**FILL, "batchID": "42"}], OrderState.FILLED),
        ("FILLED", [CREATED], OrderState.FILLED),
        ("CANCELLED", [CREATED], OrderState.CANCELLED),
        ("CANCELLED", [CREATED, {**LATER, "reason": "TIME_IN_FORCE_EXPIRED"}], OrderState.EXPIRED),
        ("PENDING", [CREATED], OrderState.WORKING),
    ],
)
def test_what_became_of_an_order_since_is_told_beside_the_answer(
    state: str, transactions: list[dict[str, str]], now: OrderState
) -> None:
    told = answer({"transactions": transactions})
    _, found = outcome(look_at(placed()), answer({"order": {**ORDER, "state": state}}), told)
    assert found is not None
    assert found.answer is not None
    assert json.loads(found.answer.body).keys() == {
        "orderCreateTransaction",
        "relatedTransactionIDs",
        "lastTransactionID",
    }
    assert found.progress is not None
    assert (found.progress.state, found.progress.broker_order_id) == (now, "41")


@pytest.mark.parametrize(
    "order",
    [
        {**ORDER, "createTime": "2027-01-15T07:59:50.000000000Z"},
        {**ORDER, "createTime": "1799999990.000000000"},
        {**ORDER, "instrument": "USD_JPY"},
        {**ORDER, "createTime": None},
        {**ORDER, "id": None},
        {},
    ],
)
def test_another_order_or_nonsense_is_not_taken_for_it(order: dict[str, Any]) -> None:
    assert outcome(look_at(placed()), answer({"order": order}))[1] is None


def test_an_order_that_is_not_there_is_not_found() -> None:
    assert outcome(look_at(placed()), answer({"errorCode": "NO_SUCH_ORDER"}, 404))[1] is None


def test_a_cancel_is_told_by_its_transaction() -> None:
    request = Request("PUT", "/v3/accounts/1/orders/@mine/cancel", BEARER)
    order = {**ORDER, "state": "CANCELLED", "cancellingTransactionID": "43"}
    told = answer({"transaction": LATER, "lastTransactionID": "43"})
    asked, found = outcome(look_at(request), answer({"order": order}), told)
    assert asked == ["/v3/accounts/1/orders/@mine", "/v3/accounts/1/transactions/43"]
    assert found is not None
    assert found.answer is not None
    assert json.loads(found.answer.body)["orderCancelTransaction"] == LATER


def test_a_cancel_of_an_order_that_has_filled_is_told_as_oanda_would() -> None:
    request = Request("PUT", "/v3/accounts/1/orders/41/cancel", BEARER)
    _, found = outcome(look_at(request), answer({"order": ORDER, "lastTransactionID": "42"}))
    assert found is not None
    assert found.answer is not None
    assert OANDA.classify(OANDA.understand(request), found.answer).outcome is Outcome.REJECTED


def test_a_cancel_of_an_order_that_is_open_settles_nothing() -> None:
    request = Request("PUT", "/v3/accounts/1/orders/41/cancel", BEARER)
    assert outcome(look_at(request), answer({"order": {"state": "PENDING"}}))[1] == Finding("PENDING", None)


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "/v3/accounts/1/orders", BEARER, b'{"order": {"instrument": "EUR_USD"}}'),
        Request("PUT", "/v3/accounts/1/positions/EUR_USD/close", BEARER),
        Request("PUT", "/v3/accounts/1/orders/41", BEARER, b'{"order": {"clientExtensions": {"id": "a"}}}'),
    ],
)
def test_what_names_no_one_order_cannot_be_looked_up(request_: Request) -> None:
    assert OANDA.look(request_, OANDA.understand(request_), lambda: NOON) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"order": {"units": 1.10}}', b'{"order": {"clientExtensions":{"id":"bs-1"},"units": 1.10}}'),
        (b'{"order":{"clientExtensions":{"tag":"t"}}}', b'{"order":{"clientExtensions":{"id":"bs-1","tag":"t"}}}'),
        (b'{"order":{"clientExtensions":{}}}', b'{"order":{"clientExtensions":{"id":"bs-1"}}}'),
        (b'{"order":{}}', b'{"order":{"clientExtensions":{"id":"bs-1"}}}'),
        (b'{"order":{"clientExtensions":{"id":"own"}}}', b'{"order":{"clientExtensions":{"id":"own"}}}'),
        (b'{"a":{"order":{"b":1}},"order":{"c":1}}', b'{"a":{"order":{"b":1}},"order":{"c":1}}'),
        (b"not json", b"not json"),
    ],
)
def test_an_id_is_put_into_the_bytes_and_nothing_else_changes(before: bytes, after: bytes) -> None:
    sent = OANDA.identified(Request("POST", "/v3/accounts/1/orders", (), before), "bs-1")
    assert sent.body == after
