"""The market's price, as brokers tell it, and what is not taken for one."""

from decimal import Decimal
from typing import Any

import pytest

from sidecar.words import Side
from tests.brokers.orders import BROKERS, terms
from tests.brokers.support import answer
from tests.brokers.test_profiles_hold_for_any_bytes import PROFILES

TICKER = {"symbol": "BTCUSDT", "bidPrice": "59999.90", "askPrice": "60000.10"}
PRICE = {"instrument": "EUR_USD", "bids": [{"price": "1.09993"}], "asks": [{"price": "1.10007"}], "tradeable": True}


def prices(**changes: Any) -> dict[str, Any]:
    return {"prices": [{**PRICE, **changes}]}


TOLD = [
    ("binance-usdm", TICKER, Side.BUY, "60000.10"),
    ("binance-spot", TICKER, Side.SELL, "59999.90"),
    ("oanda", prices(), Side.BUY, "1.10007"),
    ("oanda", prices(), Side.SELL, "1.09993"),
]


@pytest.mark.parametrize(("broker", "said", "side", "price"), TOLD)
def test_the_price_that_the_order_would_meet(broker: str, said: Any, side: Side, price: str) -> None:
    assert PROFILES[broker].told_price(terms(broker, side=side), answer(200, said)) == Decimal(price)


UNTOLD = [
    ("binance-usdm", 200, {**TICKER, "symbol": "ETHUSDT"}),
    ("binance-usdm", 200, {**TICKER, "askPrice": "0.00000000"}),
    ("binance-usdm", 200, {**TICKER, "askPrice": "NaN"}),
    ("binance-usdm", 200, {**TICKER, "askPrice": None}),
    ("binance-usdm", 200, [TICKER]),
    ("binance-usdm", 400, TICKER),
    ("oanda", 200, prices(instrument="USD_JPY")),
    ("oanda", 200, prices(tradeable=False)),
    ("oanda", 200, prices(asks=[])),
    ("oanda", 200, prices(asks=["1.1"])),
    ("oanda", 200, {"prices": None}),
    ("oanda", 401, prices()),
    ("generic", 200, TICKER),
]


@pytest.mark.parametrize(("broker", "status", "said"), UNTOLD)
def test_what_is_no_price_is_not_taken_for_one(broker: str, status: int, said: Any) -> None:
    assert PROFILES[broker].told_price(terms(broker), answer(status, said)) is None


@pytest.mark.parametrize("broker", BROKERS)
def test_an_instrument_s_name_cannot_change_the_question(broker: str) -> None:
    question = PROFILES[broker].price_request(terms(broker, instrument="A&b=/c d\r\n?"))
    assert question is not None
    assert question.target.endswith("=A%26b%3D%2Fc%20d%0D%0A%3F")


def test_prices_are_asked_of_no_broker_that_cannot_be_asked() -> None:
    assert PROFILES["generic"].price_request(terms("generic")) is None
    assert PROFILES["oanda"].price_request(terms("oanda", account="")) is None
