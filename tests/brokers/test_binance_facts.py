import json

from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.brokers.profile import OrderFacts
from tests.brokers.support import API_KEY, SIGNATURE, answer, error, form, query

PROFILE = BinanceUsdm()


def test_an_order_leaves_what_was_asked_and_what_was_answered() -> None:
    request = form(
        "POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="LIMIT", quantity="0.5", price="100",
        newClientOrderId="bot:1", reduceOnly="false",
    )  # fmt: skip
    told = {"orderId": 7, "clientOrderId": "bot:1", "status": "NEW", "executedQty": "0", "avgPrice": "0.00"}

    facts = PROFILE.facts(request, answer(200, {**told, "cumQuote": "0", "updateTime": 1}))

    assert facts == OrderFacts(
        "BTCUSDT",
        {
            "side": "BUY",
            "type": "LIMIT",
            "quantity": "0.5",
            "price": "100",
            "newClientOrderId": "bot:1",
            "reduceOnly": "false",
        },
        {"orderId": "7", "clientOrderId": "bot:1", "status": "NEW", "executedQty": "0", "avgPrice": "0.00"},
    )


def test_a_refusal_leaves_code_and_message() -> None:
    facts = PROFILE.facts(form("POST", "/fapi/v1/order"), error(400, -2019, "Margin is insufficient."))

    assert facts.response == {"code": "-2019", "msg": "Margin is insufficient."}


def test_a_long_message_is_trimmed() -> None:
    facts = PROFILE.facts(form("POST", "/fapi/v1/order"), error(400, -1, "word " * 100))

    assert len(facts.response["msg"]) == 200


def test_a_message_that_quotes_a_secret_loses_it() -> None:
    facts = PROFILE.facts(form("POST", "/fapi/v1/order"), error(400, -1, f"bad key {API_KEY} or {SIGNATURE}"))

    assert facts.response["msg"] == "bad key [removed] or [removed]"


def test_nothing_of_the_key_and_the_signature_is_kept() -> None:
    for request in (form("POST", "/fapi/v1/order", symbol="A"), query("GET", "/fapi/v1/order", symbol="A")):
        kept = repr(PROFILE.facts(request, answer(200, {"orderId": 1, "listenKey": API_KEY})))
        assert "symbol='A'" in kept
        assert SIGNATURE not in kept
        assert API_KEY not in kept


def test_a_batch_leaves_its_orders_and_its_first_error() -> None:
    request = form("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([{"symbol": "ETHUSDT"}, {}, {}]))
    items = [{"orderId": 1, "status": "NEW"}, {"code": -2022, "msg": "no"}, {"orderId": 3, "status": "NEW"}]

    facts = PROFILE.facts(request, answer(200, items))

    assert (facts.symbol, facts.request["orders"]) == ("ETHUSDT", "3")
    assert facts.response == {"orderId": "1,3", "status": "NEW,NEW", "failed": "1", "code": "-2022", "msg": "no"}


def test_a_list_of_positions_leaves_nothing() -> None:
    facts = PROFILE.facts(query("GET", "/fapi/v3/positionRisk"), answer(200, [{"symbol": "BTCUSDT", "orderId": 1}]))

    assert facts.response == {}


def test_a_call_without_an_answer_leaves_what_was_asked() -> None:
    facts = PROFILE.facts(form("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=5), None)

    assert facts == OrderFacts("BTCUSDT", {"leverage": "5"}, {})


def test_what_utf_8_cannot_carry_is_not_kept() -> None:
    facts = PROFILE.facts(
        form("POST", "/fapi/v1/order"), answer(400, rb'{"code": -1, "msg": "\ud800 no", "status": "\udcff"}')
    )

    assert facts.response == {"status": "?", "code": "-1", "msg": "? no"}
