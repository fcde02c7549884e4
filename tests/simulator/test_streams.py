"""Streams of the accounts' own books, and how they break."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sidecar.simulator import Simulator
from sidecar.simulator.faults import Fault, FaultKind
from sidecar.simulator.oanda import AccountSpec, OandaBroker, Rules
from tests.simulator.binance_support import Floor, trading

SECONDS = 10.0
TRANSACTIONS = f"/v3/accounts/{AccountSpec().id}/transactions/stream"
AUTHORISED = {"Authorization": f"Bearer {AccountSpec().token}"}
STOP = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01"}


@asynccontextmanager
async def oanda(*faults: Fault) -> AsyncIterator[tuple[Simulator, aiohttp.ClientSession]]:
    simulator = Simulator(OandaBroker(rules=Rules(moving=False)), faults=faults)
    async with simulator.serving() as url, aiohttp.ClientSession(url, headers=AUTHORISED) as session:
        yield simulator, session


async def listen_key(floor: Floor) -> str:
    key: str = (await floor.trader.send("POST", "/fapi/v1/listenKey")).body["listenKey"]
    return key


async def told(stream: aiohttp.ClientWebSocketResponse, event: str) -> dict[str, Any]:
    """The next event of a kind."""
    while True:
        said: dict[str, Any] = json.loads((await stream.receive(timeout=SECONDS)).data)
        if said["e"] == event:
            return said


async def test_oanda_tells_of_a_fill_and_of_the_order_that_it_is_about() -> None:
    async with oanda() as (simulator, session), session.get(TRANSACTIONS) as stream:
        order = {"type": "LIMIT", "instrument": "EUR_USD", "units": 100, "price": "1.00000"}
        order["clientExtensions"] = {"id": "c1"}
        async with session.post(TRANSACTIONS.replace("transactions/stream", "orders"), json={"order": order}) as answer:
            assert answer.status == 201
        simulator.set_price("EUR_USD", simulator.broker.exchange.market.quotes["EUR_USD"].middle / 2)  # type: ignore[attr-defined] # OANDA's
        async with asyncio.timeout(SECONDS):
            lines = [json.loads(await stream.content.readline()) for _ in range(2)]
    assert [line["type"] for line in lines] == ["LIMIT_ORDER", "ORDER_FILL"]
    assert lines[1]["clientOrderID"] == "c1"


async def test_a_stream_that_is_cut_ends_with_a_reset() -> None:
    async with (
        oanda(Fault(FaultKind.STREAM_CUT, path=TRANSACTIONS, seconds=0.1)) as (_, session),
        session.get(TRANSACTIONS) as stream,
    ):
        with pytest.raises(aiohttp.ClientError):
            await asyncio.wait_for(stream.content.read(), SECONDS)


async def test_a_stream_that_falls_silent_stays_open_and_says_nothing() -> None:
    prices = TRANSACTIONS.replace("transactions/stream", "pricing/stream?instruments=EUR_USD")
    fault = Fault(FaultKind.STREAM_SILENT, path=prices.partition("?")[0], seconds=0)
    async with oanda(fault) as (_, session):
        async with session.get(prices) as stream:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.content.readline(), 0.3)
        async with session.get(prices) as stream:
            assert json.loads(await asyncio.wait_for(stream.content.readline(), SECONDS))["type"] == "PRICE"


async def test_binance_tells_an_account_what_happens_to_its_orders() -> None:
    async with trading() as floor:
        url = f"{floor.trader.url}/private/ws/{await listen_key(floor)}"
        async with floor.trader.session.ws_connect(url) as stream:
            await floor.trader.buy(newClientOrderId="c1")
            update = (await told(stream, "ORDER_TRADE_UPDATE"))["o"]
            assert (update["c"], update["X"], update["z"]) == ("c1", "FILLED", "0.010")
            await floor.trader.signed("POST", "/fapi/v1/algoOrder", **STOP, triggerPrice="1000", clientAlgoId="s1")
            assert (await told(stream, "ALGO_UPDATE"))["o"]["X"] == "NEW"
            await floor.trader.signed("DELETE", "/fapi/v1/algoOrder", clientAlgoId="s1")
            update = (await told(stream, "ALGO_UPDATE"))["o"]
            assert (update["caid"], update["X"]) == ("s1", "CANCELED")


async def test_binance_tells_that_a_key_has_expired() -> None:
    async with trading() as floor:
        key = await listen_key(floor)
        async with floor.trader.session.ws_connect(f"{floor.trader.url}/ws/{key}") as stream:
            await floor.trader.send("DELETE", "/fapi/v1/listenKey")
            assert (await told(stream, "listenKeyExpired"))["listenKey"] == key


async def test_a_key_that_nobody_has_opens_nothing() -> None:
    async with trading() as floor:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await floor.trader.session.ws_connect(f"{floor.trader.url}/ws/0123")
