"""A bot with ccxt over TCP: buys a little bitcoin at the market and closes the position again.

Run it against any sidecar: python -m sidecar.demo.bots.ccxt_sync http://127.0.0.1:8787
"""

import sys
from typing import Any

import ccxt

from sidecar.client.ccxt import through_sidecar
from sidecar.demo.bots.diary import Diary, Told

SYMBOL = "BTC/USDT:USDT"
AMOUNT = 0.002


def trade(sidecar: str, diary: Diary) -> None:
    """Trade until asked to stop."""
    # The sidecar keeps the exchange's limits, for all bots together: ccxt's own brake would only slow down this one.
    exchange = ccxt.binanceusdm({"apiKey": "demo-key", "secret": "demo-secret", "enableRateLimit": False})
    through_sidecar(exchange, sidecar, {"fapi.binance.com": "binance"})
    for turn in diary.turns():
        try:
            price = exchange.fetch_ticker(SYMBOL)["last"]
        except ccxt.BaseError as error:
            diary.failed("no price", error)
        else:
            diary.step(f"BTC is at {price:,.2f}")
            if place(exchange, diary, "buy", f"btc-{turn}-buy"):
                diary.pause(0.4)
                place(exchange, diary, "sell", f"btc-{turn}-sell", reduceOnly=True)
        diary.pause(0.6)


def place(exchange: Any, diary: Diary, side: str, order_id: str, **parameters: Any) -> bool:
    """Place a market order and learn what became of it; True when it was executed."""
    diary.order(order_id, Told.SENDING, f"{side} {AMOUNT} BTC")
    exchange.last_response_headers = None
    try:
        order = exchange.create_order(SYMBOL, "market", side, AMOUNT, params={"clientOrderId": order_id, **parameters})
    except ccxt.BaseError as error:
        if not in_doubt(exchange):
            diary.order(order_id, Told.NOT_EXECUTED, f"{side} not executed", error)
            return False
        diary.order(order_id, Told.UNKNOWN, f"{side} may have been executed", error)
        return look_up(exchange, diary, order_id)
    diary.order(order_id, Told.EXECUTED, f"{side} {AMOUNT} BTC at {order['average']:,.2f}")
    return True


def in_doubt(exchange: Any) -> bool:
    """Whether the failure leaves open if the order was executed: the sidecar says so in one header."""
    headers = exchange.last_response_headers or {}
    # Without any answer not even the sidecar has spoken: that is doubt as well.
    return str(headers.get("Sidecar-Fate", "unknown")).startswith("unknown")


def look_up(exchange: Any, diary: Diary, order_id: str) -> bool:
    """Ask for an order by its client id, instead of sending it a second time."""
    try:
        order = exchange.fetch_order(None, SYMBOL, {"clientOrderId": order_id})
    except ccxt.OrderNotFound:
        diary.order(order_id, Told.MISSING, f"looked {order_id} up: the broker does not know it")
        return False
    except ccxt.BaseError as error:
        diary.failed(f"could not look {order_id} up", error)
        return False
    diary.order(order_id, Told.FOUND, f"looked {order_id} up: {order['info']['status'].lower()}")
    return True


if __name__ == "__main__":
    trade(sys.argv[1], Diary())
