"""What the brokers' streams say names the orders that it is about, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.brokers.following import Heard
from sidecar.brokers.oanda import Oanda

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


@given(st.binary())
def test_whatever_comes_names_nobody(line: bytes) -> None:
    assert OANDA.heard(line) == Heard()
