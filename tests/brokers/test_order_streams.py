"""What the brokers' streams say names the orders that it is about, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.brokers.oanda import Oanda
from sidecar.brokers.streams import Heard
from sidecar.wire import Answer

BINANCE = BinanceUsdm().order_stream("")
OANDA = Oanda().order_stream("101-001-1234567-001")


def test_oandas_stream_is_that_of_the_accounts_transactions() -> None:
    assert (OANDA.request.method, OANDA.request.target) == (
        "GET",
        "/v3/accounts/101-001-1234567-001/transactions/stream",
    )
    assert Oanda().understand(OANDA.request).endpoint.stream


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        ({"type": "ORDER_FILL", "id": "12", "orderID": "11", "clientOrderID": "c1"}, Heard(frozenset({"c1"}), 12)),
        ({"type": "ORDER_CANCEL", "id": "13", "orderID": "11", "clientOrderID": "c1"}, Heard(frozenset({"c1"}), 13)),
        ({"type": "LIMIT_ORDER", "id": "14", "clientExtensions": {"id": "c2"}}, Heard(frozenset({"c2"}), 14)),
        ({"type": "DAILY_FINANCING", "id": "15"}, Heard(number=15)),
        ({"type": "HEARTBEAT", "lastTransactionID": "15"}, Heard(newest=15)),
        ({"type": "HEARTBEAT", "lastTransactionID": 15}, Heard()),
        ({"type": "HEARTBEAT", "lastTransactionID": "9" * 5000}, Heard()),
        ({"type": "ORDER_FILL", "id": "-1", "clientOrderID": 7, "clientExtensions": []}, Heard()),
        (["ORDER_FILL"], Heard()),
    ],
)
def test_a_line_of_oanda_names_its_order(told: object, heard: Heard) -> None:
    assert OANDA.heard(json.dumps(told).encode()) == heard


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        ({"e": "ORDER_TRADE_UPDATE", "o": {"c": "c1", "X": "FILLED"}}, Heard(frozenset({"c1"}))),
        ({"e": "ALGO_UPDATE", "o": {"caid": "c2", "X": "TRIGGERED"}}, Heard(frozenset({"c2"}))),
        ({"stream": "key", "data": {"e": "ALGO_UPDATE", "o": {"caid": "c2"}}}, Heard(frozenset({"c2"}))),
        ({"e": "listenKeyExpired", "listenKey": "k"}, Heard(over=True)),
        ({"e": "ACCOUNT_UPDATE", "o": {"c": "c1"}}, Heard()),
        ({"e": "ORDER_TRADE_UPDATE", "o": {"c": 7}}, Heard()),
        ({"e": "ORDER_TRADE_UPDATE", "o": "c1"}, Heard()),
        ({"e": ["ALGO_UPDATE"], "o": {}}, Heard()),
    ],
)
def test_an_event_of_binance_names_its_order(told: object, heard: Heard) -> None:
    assert BINANCE.heard(json.dumps(told).encode()) == heard


def test_the_key_in_binances_answer_opens_a_web_socket_and_shows_nowhere() -> None:
    assert BINANCE.socket is not None
    socket = BINANCE.socket(Answer(200, (), b'{"listenKey":"KEY3d4c"}'))
    assert socket is not None
    assert socket.target == "/ws/KEY3d4c"
    assert socket.renewal is not None
    assert (socket.renewal.request.method, socket.renewal.request.target) == ("PUT", "/fapi/v1/listenKey")
    assert "KEY3d4c" not in repr(socket)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"listenKey":7}', b'{"listenKey":"../elsewhere"}'])
def test_an_answer_without_a_key_opens_nothing(body: bytes) -> None:
    assert BINANCE.socket is not None
    assert BINANCE.socket(Answer(200, (), body)) is None


@given(st.binary())
def test_whatever_comes_names_nobody(line: bytes) -> None:
    assert OANDA.heard(line) == BINANCE.heard(line) == Heard()
