"""A bot with asynchronous ccxt over the Unix socket: offers to buy ether below the market, looks, cancels.

Run it against any sidecar: python -m sidecar.demo.bots.ccxt_async unix:/run/sidecar/sidecar.sock
"""

import asyncio
import sys
from typing import Any

import ccxt.async_support as ccxt

from sidecar.client.ccxt import through_sidecar
from sidecar.demo.bots.ccxt_sync import in_doubt
from sidecar.demo.bots.diary import Diary, Told

SYMBOL = "ETH/USDT:USDT"
AMOUNT = 0.05


async def trade(sidecar: str, diary: Diary) -> None:
    """Trade until asked to stop."""
    exchange = ccxt.binanceusdm({"apiKey": "demo-key", "secret": "demo-secret", "enableRateLimit": False})
    through_sidecar(exchange, sidecar, {"fapi.binance.com": "binance"})
    try:
        for turn in diary.turns():
            try:
                await offer_and_withdraw(exchange, diary, f"eth-{turn}")
            except ccxt.BaseError as error:
                diary.failed("turn given up", error)
            await asyncio.sleep(0.5)
    finally:
        await exchange.close()


async def offer_and_withdraw(exchange: Any, diary: Diary, order_id: str) -> None:
    """One turn: price, position and balance at once; then limit order, query, cancel."""
    ticker, positions, balance = await asyncio.gather(
        exchange.fetch_ticker(SYMBOL), exchange.fetch_positions([SYMBOL]), exchange.fetch_balance()
    )
    diary.step(f"ETH is at {ticker['last']:,.2f}, {len(positions)} positions, {balance['USDT']['free']:,.2f} USDT free")
    limit = round(ticker["last"] * 0.98, 1)
    if not await place(exchange, diary, order_id, limit):
        return
    await asyncio.sleep(0.4)
    order = await exchange.fetch_order(None, SYMBOL, {"clientOrderId": order_id})
    diary.step(f"{order_id} is {order['status']} at {order['price']:,.2f}")
    await asyncio.sleep(0.3)
    await exchange.cancel_order(order["id"], SYMBOL)
    diary.step(f"{order_id} is cancelled")


async def place(exchange: Any, diary: Diary, order_id: str, limit: float) -> bool:
    """Place a limit order and learn what became of it; True when it stands in the book."""
    diary.order(order_id, Told.SENDING, f"offer {AMOUNT} ETH")
    exchange.last_response_headers = None
    try:
        await exchange.create_order(SYMBOL, "limit", "buy", AMOUNT, limit, {"clientOrderId": order_id})
    except ccxt.BaseError as error:
        if not in_doubt(exchange):
            diary.order(order_id, Told.NOT_EXECUTED, "offer not placed", error)
            return False
        diary.order(order_id, Told.UNKNOWN, "offer may have been placed", error)
        return await look_up(exchange, diary, order_id)
    diary.order(order_id, Told.EXECUTED, f"bid {limit:,.2f} for {AMOUNT} ETH")
    return True


async def look_up(exchange: Any, diary: Diary, order_id: str) -> bool:
    """Ask for an order by its client id, instead of sending it a second time."""
    try:
        order = await exchange.fetch_order(None, SYMBOL, {"clientOrderId": order_id})
    except ccxt.OrderNotFound:
        diary.order(order_id, Told.MISSING, f"looked {order_id} up: the broker does not know it")
        return False
    diary.order(order_id, Told.FOUND, f"looked {order_id} up: {order['info']['status'].lower()}")
    return True


if __name__ == "__main__":
    asyncio.run(trade(sys.argv[1], Diary()))
