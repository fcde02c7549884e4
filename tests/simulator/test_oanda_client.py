"""The real client library against the simulator."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import islice
from typing import Any

import oandapyV20
import pytest
import requests
from oandapyV20 import API, V20Error
from oandapyV20.endpoints import accounts, instruments, orders, positions, pricing, trades, transactions

from sidecar.clock import VirtualClock
from sidecar.simulator import Fault, FaultKind, Simulator
from sidecar.simulator.oanda import AccountSpec, OandaBroker, Rules

ACCOUNT = AccountSpec().id
TOKEN = AccountSpec().token
ENVIRONMENT = "simulator"
MARKET_ORDER = {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "100"}}

pytestmark = pytest.mark.e2e


@pytest.fixture
def broker() -> OandaBroker:
    return OandaBroker(rules=Rules(moving=False), seed=1)


@pytest.fixture
async def simulator(broker: OandaBroker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    simulator = Simulator(broker, seed=1)
    async with simulator.serving() as url:
        environments = oandapyV20.oandapyV20.TRADING_ENVIRONMENTS
        monkeypatch.setitem(environments, ENVIRONMENT, {"api": url, "stream": url})
        yield simulator


async def ask(*endpoints: Any, token: str = TOKEN, patience: float = 10) -> list[Any]:
    """Send the requests over one connection and return the answers."""

    def send() -> list[Any]:
        with API(token, ENVIRONMENT, request_params={"timeout": patience}) as api:
            return [api.request(item) for item in endpoints]

    return await asyncio.to_thread(send)


def market(units: int = 1000, client_id: str = "mine", **fields: dict[str, str]) -> orders.OrderCreate:
    order: dict[str, Any] = {"type": "MARKET", "instrument": "EUR_USD", "units": str(units)}
    return orders.OrderCreate(ACCOUNT, {"order": order | fields | {"clientExtensions": {"id": client_id}}})


def limit(units: int, price: str, **fields: Any) -> dict[str, Any]:
    order = {"type": "LIMIT", "instrument": "EUR_USD", "units": str(units), "price": price, **fields}
    return {"order": order}


def waiting(client_id: str = "mine") -> orders.OrderCreate:
    return orders.OrderCreate(ACCOUNT, data=limit(1000, "1.09000", clientExtensions={"id": client_id}))


async def test_it_reads_accounts_prices_and_candles(simulator: Simulator) -> None:
    assert simulator.traffic().requests == {}
    listed, summary, tradable, priced, candles = await ask(
        accounts.AccountList(),
        accounts.AccountSummary(ACCOUNT),
        accounts.AccountInstruments(ACCOUNT, {"instruments": "USD_JPY"}),
        pricing.PricingInfo(ACCOUNT, {"instruments": "EUR_USD,USD_JPY"}),
        instruments.InstrumentsCandles("EUR_USD", {"count": 3, "granularity": "M5"}),
    )
    assert [account["id"] for account in listed["accounts"]] == [ACCOUNT]
    assert summary["account"]["balance"] == "100000.0000"
    assert [item["displayPrecision"] for item in tradable["instruments"]] == [3]
    assert [price["instrument"] for price in priced["prices"]] == ["EUR_USD", "USD_JPY"]
    assert [candle["complete"] for candle in candles["candles"]] == [True, True, False]


async def test_it_opens_protects_and_closes_a_trade(simulator: Simulator) -> None:
    take, stop = {"price": "1.12000"}, {"price": "1.09000"}
    (placed,) = await ask(market(takeProfitOnFill=take, stopLossOnFill=stop))
    trade_id = placed["orderFillTransaction"]["tradeOpened"]["tradeID"]
    details, position, closed, left = await ask(
        trades.TradeDetails(ACCOUNT, trade_id),
        positions.PositionDetails(ACCOUNT, "EUR_USD"),
        trades.TradeClose(ACCOUNT, trade_id, {}),
        trades.OpenTrades(ACCOUNT),
    )
    assert details["trade"]["stopLossOrder"]["price"] == "1.09000"
    assert position["position"]["long"]["units"] == "1000"
    assert closed["orderFillTransaction"]["reason"] == "MARKET_ORDER_TRADE_CLOSE"
    assert left["trades"] == []
    assert [item.client_id for item in simulator.executed().orders] == ["mine", ""]


@pytest.mark.usefixtures("simulator")
async def test_it_places_finds_replaces_and_cancels_a_limit_order() -> None:
    (placed,) = await ask(waiting())
    number = placed["orderCreateTransaction"]["id"]
    named, pending, replaced = await ask(
        orders.OrderDetails(ACCOUNT, "@mine"),
        orders.OrdersPending(ACCOUNT),
        orders.OrderReplace(ACCOUNT, number, limit(2000, "1.08000")),
    )
    assert named["order"]["id"] == number
    assert [item["id"] for item in pending["orders"]] == [number]
    cancelled, listed = await ask(
        orders.OrderCancel(ACCOUNT, replaced["orderCreateTransaction"]["id"]),
        orders.OrderList(ACCOUNT, {"state": "CANCELLED"}),
    )
    assert cancelled["orderCancelTransaction"]["reason"] == "CLIENT_REQUEST"
    assert len(listed["orders"]) == 2


@pytest.mark.usefixtures("simulator")
async def test_it_closes_a_position_and_sees_every_transaction() -> None:
    _, _, closed, since, changes, pages, one = await ask(
        market(),
        market(500, "other"),
        positions.PositionClose(ACCOUNT, "EUR_USD", {"longUnits": "ALL"}),
        transactions.TransactionsSinceID(ACCOUNT, {"id": 4}),
        accounts.AccountChanges(ACCOUNT, {"sinceTransactionID": 4}),
        transactions.TransactionList(ACCOUNT, {"pageSize": 5}),
        transactions.TransactionDetails(ACCOUNT, "4"),
    )
    assert closed["longOrderFillTransaction"]["units"] == "-1500"
    assert [item["id"] for item in since["transactions"]] == ["5", "6", "7", "8"]
    assert len(changes["changes"]["tradesClosed"]) == 2
    assert len(pages["pages"]) == 2
    assert one["transaction"]["type"] == "ORDER_FILL"


@pytest.mark.usefixtures("simulator")
async def test_a_page_of_transactions_can_be_followed() -> None:
    pages, between = await ask(
        transactions.TransactionList(ACCOUNT), transactions.TransactionIDRange(ACCOUNT, {"from": 1, "to": 2})
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    followed = await asyncio.to_thread(requests.get, pages["pages"][0], headers=headers, timeout=10)
    assert followed.json() == between


@pytest.mark.usefixtures("simulator")
async def test_it_configures_the_account() -> None:
    _, summary = await ask(
        accounts.AccountConfiguration(ACCOUNT, {"marginRate": "0.05"}), accounts.AccountSummary(ACCOUNT)
    )
    assert summary["account"]["marginRate"] == "0.05"


@pytest.mark.usefixtures("simulator")
async def test_an_order_without_the_margin_for_it_is_answered_201_with_its_cancellation() -> None:
    request = market(50_000_000)
    (told,) = await ask(request)
    assert request.status_code == 201
    assert told["orderCancelTransaction"]["reason"] == "INSUFFICIENT_MARGIN"


@pytest.mark.usefixtures("simulator")
async def test_a_repeated_client_id_is_a_400_that_names_it() -> None:
    with pytest.raises(V20Error, match="CLIENT_ORDER_ID_ALREADY_EXISTS") as caught:
        await ask(waiting(), waiting())
    assert caught.value.code == 400


@pytest.mark.usefixtures("simulator")
async def test_an_order_that_does_not_exist_is_a_404() -> None:
    with pytest.raises(V20Error, match="NO_SUCH_ORDER") as caught:
        await ask(orders.OrderDetails(ACCOUNT, "@nobody"))
    assert caught.value.code == 404


@pytest.mark.usefixtures("simulator")
async def test_a_wrong_token_is_a_401_in_the_brokers_words() -> None:
    with pytest.raises(V20Error) as caught:
        await ask(accounts.AccountList(), token="wrong")
    assert caught.value.code == 401
    assert caught.value.msg == '{"errorMessage":"Insufficient authorization to perform request."}'


@pytest.mark.usefixtures("simulator")
async def test_it_streams_prices() -> None:
    def listen() -> list[Any]:
        with API(TOKEN, ENVIRONMENT) as api:
            stream = api.request(pricing.PricingStream(ACCOUNT, {"instruments": "EUR_USD,GBP_USD"}))
            told = list(islice(stream, 2))
            stream.close()
            return told

    told = await asyncio.to_thread(listen)
    assert [(item["type"], item["instrument"]) for item in told] == [
        ("PRICE", "EUR_USD"),
        ("PRICE", "GBP_USD"),
    ]


@pytest.mark.usefixtures("simulator")
async def test_it_streams_transactions(broker: OandaBroker) -> None:
    def listen() -> list[Any]:
        with API(TOKEN, ENVIRONMENT) as api:
            stream = api.request(transactions.TransactionsStream(ACCOUNT))
            told = list(islice(stream, 2))
            stream.close()
            return told

    listening = asyncio.create_task(asyncio.to_thread(listen))
    # The stream tells only what comes after it: go on trading until it has begun.
    async with asyncio.timeout(10):
        while not listening.done():
            broker.exchange.ledgers[ACCOUNT].place(MARKET_ORDER)
            await asyncio.sleep(0.05)
    assert [item["type"] for item in await listening] == ["MARKET_ORDER", "ORDER_FILL"]


@pytest.mark.parametrize(
    ("fault", "status", "said", "executed"),
    [
        (Fault(FaultKind.MAINTENANCE), 503, "System under maintenance, please try again later.", 0),
        (Fault(FaultKind.UNAVAILABLE_DEFINITE), 503, "System under maintenance", 0),
        (Fault(FaultKind.TIMEOUT_UNKNOWN, executed=True), 504, "Timeout waiting for response.", 1),
        (Fault(FaultKind.TIMEOUT_UNKNOWN, executed=False), 504, "Timeout waiting for response.", 0),
        (Fault(FaultKind.UNAVAILABLE_UNKNOWN, executed=True), 504, "Timeout waiting for response.", 1),
        (Fault(FaultKind.UNAVAILABLE_UNKNOWN, executed=False), 504, "Timeout waiting for response.", 0),
        (Fault(FaultKind.RATE_LIMITED), 429, "Too many requests", 0),
        (Fault(FaultKind.THROTTLED), 429, "Too many requests", 0),
        (Fault(FaultKind.BANNED), 403, "forbidden", 0),
        (Fault(FaultKind.INTERNAL), 500, "Internal Server Error", 0),
        (Fault(FaultKind.HTML), 502, "<html>", 0),
    ],
    ids=lambda value: f"{value.kind}-{value.executed}" if isinstance(value, Fault) else "",
)
async def test_a_fault_that_answers_says_so_and_the_book_keeps_the_truth(
    simulator: Simulator, fault: Fault, status: int, said: str, executed: int
) -> None:
    simulator.plan.add(fault)
    with pytest.raises(V20Error) as caught:
        await ask(market())
    assert caught.value.code == status
    assert said in caught.value.msg
    assert len(simulator.executed().orders) == executed


@pytest.mark.parametrize(
    ("fault", "executed"),
    [
        (Fault(FaultKind.RESET_BEFORE), 0),
        (Fault(FaultKind.RESET_AFTER), 1),
        (Fault(FaultKind.ANSWER_LOST), 1),
        (Fault(FaultKind.TRUNCATED), 1),
        (Fault(FaultKind.WRONG_LENGTH, longer=True), 1),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_a_fault_on_the_wire_fails_the_client_and_the_book_keeps_the_truth(
    simulator: Simulator, fault: Fault, executed: int
) -> None:
    simulator.plan.add(fault)
    with pytest.raises(requests.RequestException):
        await ask(market(), patience=0.5)
    assert len(simulator.executed().orders) == executed


async def test_an_answer_announced_too_short_cannot_be_read(simulator: Simulator) -> None:
    simulator.plan.add(Fault(FaultKind.WRONG_LENGTH, longer=False))
    with pytest.raises((ValueError, requests.RequestException, V20Error)):
        await ask(market())
    assert len(simulator.executed().orders) == 1


@pytest.mark.parametrize("kind", [FaultKind.LATENCY, FaultKind.TRICKLE, FaultKind.CLOCK_SKEW])
async def test_a_fault_that_only_delays_or_misdates_leaves_the_answer_whole(
    simulator: Simulator, kind: FaultKind
) -> None:
    simulator.plan.add(Fault(kind, seconds=0.05))
    (told,) = await ask(market())
    assert told["orderFillTransaction"]["units"] == "1000"
    assert simulator.plan.fired == {kind: 1}


async def test_a_refused_connection_leaves_no_order(simulator: Simulator) -> None:
    simulator.plan.add(Fault(FaultKind.REFUSED, seconds=30))
    with pytest.raises(requests.ConnectionError):
        await ask(market())
    assert simulator.executed().orders == ()


async def test_a_lost_answer_is_found_again_by_client_id_and_by_transactions(simulator: Simulator) -> None:
    (before,) = await ask(accounts.AccountSummary(ACCOUNT))
    simulator.plan.add(Fault(FaultKind.RESET_AFTER))
    with pytest.raises(requests.RequestException):
        await ask(market(client_id="lost"))
    named, since = await ask(
        orders.OrderDetails(ACCOUNT, "@lost"),
        transactions.TransactionsSinceID(ACCOUNT, {"id": before["lastTransactionID"]}),
    )
    assert named["order"]["state"] == "FILLED"
    assert [item["type"] for item in since["transactions"]] == ["MARKET_ORDER", "ORDER_FILL"]


async def test_a_new_order_can_be_hidden_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = VirtualClock()
    broker = OandaBroker(rules=Rules(moving=False, visibility_seconds=0.5), clock=clock)
    async with Simulator(broker).serving() as url:
        environments = oandapyV20.oandapyV20.TRADING_ENVIRONMENTS
        monkeypatch.setitem(environments, ENVIRONMENT, {"api": url, "stream": url})
        with pytest.raises(V20Error, match="NO_SUCH_ORDER"):
            await ask(market(), orders.OrderDetails(ACCOUNT, "@mine"))
        clock.advance(0.5)
        (told,) = await ask(orders.OrderDetails(ACCOUNT, "@mine"))
    assert told["order"]["state"] == "FILLED"


async def test_the_control_interface_moves_the_market(simulator: Simulator) -> None:
    await ask(waiting())
    simulator.set_price("EUR_USD", Decimal("1.08"))
    (told,) = await ask(orders.OrderDetails(ACCOUNT, "@mine"))
    assert told["order"]["state"] == "FILLED"
