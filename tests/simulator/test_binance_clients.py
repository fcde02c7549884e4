"""Real client libraries trade against the simulator, unaware that it is one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import ccxt
import ccxt.async_support
import pytest
from binance.error import ClientError, ServerError
from binance.um_futures import UMFutures

from sidecar.simulator.faults import Fault, FaultKind
from tests.simulator.binance_support import Floor, trading

pytestmark = pytest.mark.e2e
SYMBOL = "BTC/USDT:USDT"
KEYS = {"apiKey": "demo-key", "secret": "demo-secret"}


def redirect(exchange: Any, url: str) -> Any:
    for name, original in exchange.urls["api"].items():
        path = original.partition("://")[2].partition("/")[2]
        exchange.urls["api"][name] = f"{url}/{path}"
    return exchange


@pytest.fixture
async def floor() -> AsyncIterator[Floor]:
    async with trading() as floor:
        yield floor


async def with_ccxt(floor: Floor, act: Callable[[Any], Any], client: str = "binanceusdm") -> Any:
    def work() -> Any:
        exchange = redirect(getattr(ccxt, client)(KEYS), floor.trader.url)
        try:
            return act(exchange)
        finally:
            exchange.session.close()

    return await asyncio.to_thread(work)


async def with_connector(floor: Floor, act: Callable[[UMFutures], Any]) -> Any:
    def work() -> Any:
        client = UMFutures(key="demo-key", secret="demo-secret", base_url=floor.trader.url, show_limit_usage=True)
        try:
            return act(client)
        finally:
            client.session.close()

    return await asyncio.to_thread(work)


async def test_ccxt_opens_and_closes_a_position(floor: Floor) -> None:
    def trade(exchange: Any) -> tuple[Any, Any, Any, Any]:
        bought = exchange.create_order(SYMBOL, "market", "buy", 0.01)
        held = exchange.fetch_positions([SYMBOL])
        exchange.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})
        return bought, held, exchange.fetch_positions([SYMBOL]), exchange.fetch_balance()

    bought, held, after, balance = await with_ccxt(floor, trade)
    assert (bought["status"], bought["filled"], bought["average"]) == ("closed", 0.01, 60_000)
    assert [(position["side"], position["contracts"]) for position in held] == [("long", 0.01)]
    assert after == []
    assert balance["USDT"]["total"] == pytest.approx(9_999.4)


async def test_ccxt_places_edits_finds_and_cancels_a_limit_order(floor: Floor) -> None:
    def trade(exchange: Any) -> list[Any]:
        placed = exchange.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
        edited = exchange.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.02, 51_000)
        listed = exchange.fetch_open_orders(SYMBOL)
        exchange.cancel_order(placed["id"], SYMBOL)
        return [placed, edited, *listed, exchange.fetch_order(placed["id"], SYMBOL)]

    placed, edited, listed, found = await with_ccxt(floor, trade)
    assert placed["status"] == "open"
    assert (edited["amount"], edited["price"]) == (0.02, 51_000)
    assert listed["id"] == placed["id"]
    assert found["status"] == "canceled"


async def test_ccxt_guards_a_position_with_a_stop(floor: Floor) -> None:
    def trade(exchange: Any) -> Any:
        exchange.create_order(SYMBOL, "market", "buy", 0.01)
        return exchange.create_order(
            SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": 55_000, "reduceOnly": True}
        )

    stop = await with_ccxt(floor, trade)
    assert stop["status"] == "open"
    await floor.trader.control("POST", "price", {"symbol": "BTCUSDT", "price": 54_000})
    assert await with_ccxt(floor, lambda exchange: exchange.fetch_positions([SYMBOL])) == []


async def test_ccxt_reads_the_market(floor: Floor) -> None:
    def read(exchange: Any) -> tuple[Any, ...]:
        return (
            exchange.fetch_ticker(SYMBOL)["last"],
            len(exchange.fetch_order_book(SYMBOL, 5)["bids"]),
            len(exchange.fetch_ohlcv(SYMBOL, "1m", limit=10)),
            len(exchange.fetch_trades(SYMBOL, limit=5)),
            exchange.fetch_funding_rate(SYMBOL)["fundingRate"],
            exchange.fetch_leverage_tiers()[SYMBOL][0]["maxLeverage"],
        )

    assert await with_ccxt(floor, read) == (60_000, 5, 10, 5, 0.0001, 125)


async def test_ccxt_understands_a_margin_setting_that_is_so_already(floor: Floor) -> None:
    with pytest.raises(ccxt.MarginModeAlreadySet):
        await with_ccxt(floor, lambda exchange: exchange.set_margin_mode("cross", SYMBOL))


async def test_ccxt_trades_spot(floor: Floor) -> None:
    def trade(exchange: Any) -> Any:
        exchange.options["fetchMarkets"] = {"types": ["spot"]}
        exchange.create_order("BTC/USDT", "market", "buy", 0.01)
        return exchange.fetch_balance()

    balance = await with_ccxt(floor, trade, "binance")
    assert balance["BTC"]["free"] == 1.01


async def test_ccxt_takes_an_ambiguous_answer_for_an_unavailable_exchange(floor: Floor) -> None:
    floor.simulator.plan.add(Fault(FaultKind.UNAVAILABLE_UNKNOWN, method="POST", executed=True))
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await with_ccxt(floor, lambda exchange: exchange.create_order(SYMBOL, "market", "buy", 0.01))
    assert len(floor.simulator.executed().orders) == 1


async def test_asynchronous_ccxt_trades(floor: Floor) -> None:
    exchange = redirect(ccxt.async_support.binanceusdm(KEYS), floor.trader.url)
    try:
        order = await exchange.create_order("ETH/USDT:USDT", "market", "buy", 0.1)
    finally:
        await exchange.close()
    assert order["status"] == "closed"
    assert floor.simulator.executed().orders[0].client_id == order["clientOrderId"]


async def test_the_official_connector_places_finds_and_cancels(floor: Floor) -> None:
    def trade(client: UMFutures) -> tuple[Any, Any, Any]:
        placed = client.new_order(
            symbol="ETHUSDT", side="BUY", type="LIMIT", quantity="0.1", price="2000", timeInForce="GTC"
        )
        found = client.query_order(symbol="ETHUSDT", orderId=placed["data"]["orderId"])
        return placed, found, client.cancel_order(symbol="ETHUSDT", orderId=placed["data"]["orderId"])

    placed, found, cancelled = await with_connector(floor, trade)
    assert placed["limit_usage"]["x-mbx-order-count-10s"] == "1"
    assert (found["data"]["status"], cancelled["data"]["status"]) == ("NEW", "CANCELED")


async def test_the_official_connector_sends_a_batch(floor: Floor) -> None:
    order = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    answer = await with_connector(floor, lambda client: client.new_batch_order([order, order]))
    assert [item["symbol"] for item in answer["data"]] == ["ETHUSDT", "ETHUSDT"]
    assert len(floor.simulator.executed().orders) == 2


async def test_the_official_connector_reads_the_account(floor: Floor) -> None:
    def read(client: UMFutures) -> tuple[Any, ...]:
        account, balance, info = client.account(), client.balance(), client.exchange_info()
        return (
            account["data"]["availableBalance"],
            balance["data"][0]["balance"],
            len(info["data"]["symbols"]),
            client.commission_rate("BTCUSDT")["data"]["takerCommissionRate"],
            client.get_position_mode()["data"]["dualSidePosition"],
        )

    assert await with_connector(floor, read) == ("10000.00000000", "10000.00000000", 2, "0.000500", False)


async def test_the_official_connector_meets_the_exchanges_errors(floor: Floor) -> None:
    with pytest.raises(ClientError) as refusal:
        await with_connector(floor, lambda client: client.query_order(symbol="BTCUSDT", orderId=1))
    assert refusal.value.error_code == -2013


async def test_the_official_connector_meets_maintenance(floor: Floor) -> None:
    floor.simulator.plan.add(Fault(FaultKind.MAINTENANCE))
    with pytest.raises(ServerError, match="maintenance"):
        await with_connector(floor, lambda client: client.account())
