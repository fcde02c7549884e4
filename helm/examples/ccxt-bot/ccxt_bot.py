"""Offers to buy ether below the market, withdraws that, and begins again. Calls go through the sidecar's socket."""

import asyncio
import json
import os
import signal

import ccxt.async_support as ccxt

from sidecar.client.ccxt import through_sidecar

SYMBOL = "ETH/USDT:USDT"
AMOUNT = 0.05
PAUSE_SECONDS = float(os.environ.get("PAUSE_SECONDS", "5"))
TURNS = int(os.environ.get("TURNS", "-1"))  # for a Job; without it, there is no end


def tell(what: str, order: str, **more: object) -> None:
    """One line of JSON: what the bot knows of an order."""
    print(json.dumps({"what": what, "order": order, **more}), flush=True)


def told(exchange: ccxt.binanceusdm) -> str:
    """What the sidecar says of the last call."""
    headers = {name.lower(): value for name, value in (exchange.last_response_headers or {}).items()}
    return str(headers.get("sidecar-fate", ""))


async def offer_and_withdraw(exchange: ccxt.binanceusdm, order: str) -> None:
    """One turn. What may have been executed is looked up and never sent again."""
    price = (await exchange.fetch_ticker(SYMBOL))["last"] * 0.98
    tell("sending", order)
    exchange.last_response_headers = None
    try:
        await exchange.create_order(SYMBOL, "limit", "buy", AMOUNT, price, {"clientOrderId": order})
    except ccxt.BaseError as error:
        fate = told(exchange)
        if fate and not fate.startswith("unknown"):
            tell("not placed", order, fate=fate, why=str(error))
            return
        tell("in doubt", order, fate=fate)
        await exchange.fetch_order(None, SYMBOL, {"clientOrderId": order})
    tell("placed", order, fate=told(exchange))
    await exchange.cancel_order(None, SYMBOL, {"clientOrderId": order})
    tell("withdrawn", order, fate=told(exchange))


async def main() -> None:
    """Trade until told to stop, or for so many turns; a turn that has begun is ended."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    keys = {"apiKey": os.environ["BINANCE_KEY"], "secret": os.environ["BINANCE_SECRET"]}
    exchange = ccxt.binanceusdm({**keys, "enableRateLimit": False})  # the sidecar limits, for every bot at the address
    through_sidecar(exchange, f"unix:{os.environ['BROKER_SIDECAR_SOCKET']}", {"fapi.binance.com": "binance"})
    turn = 0
    try:
        while not stopping.is_set() and turn != TURNS:
            turn += 1
            try:
                await offer_and_withdraw(exchange, f"{os.environ.get('HOSTNAME', 'bot')[-20:]}-{turn}")
            except ccxt.BaseError as error:
                tell("turn given up", f"turn {turn}", why=str(error))
            try:
                await asyncio.wait_for(stopping.wait(), PAUSE_SECONDS)
            except TimeoutError:
                continue
    finally:
        await exchange.close()
    tell("stopped", "")


if __name__ == "__main__":
    asyncio.run(main())
