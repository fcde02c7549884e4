"""The user-data stream: a WebSocket that a listen key opens, telling what happens in the account's own books.

It looks at the books ten times a second: of an order that changes more than once in between it tells the last state.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from sidecar.clock import SystemClock
from sidecar.simulator.binance.algo import AlgoOrder
from sidecar.simulator.binance.exchange import Account, Exchange
from sidecar.simulator.binance.order import Order
from sidecar.simulator.faults import is_silent

PATHS: Final = ("/ws/{listen_key}", "/private/ws/{listen_key}")
_LOOK_SECONDS: Final = 0.1

States = dict[tuple[str, int], tuple[object, ...]]


def routes(exchange: Exchange) -> list[web.RouteDef]:
    """The address of user-data streams, as it was and as it is since 2026."""

    async def follow(request: web.Request) -> web.StreamResponse:
        key = request.match_info["listen_key"]
        owner = next((each for each in exchange.accounts.values() if each.listen_key == key), None)
        if owner is None:
            return web.Response(status=401)
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        hearing = asyncio.create_task(_hear(stream))
        # A client that goes is how streams end.
        with suppress(ConnectionError):
            async for event in _told(exchange, owner, stream):
                if not is_silent(request, SystemClock()):
                    await stream.send_str(json.dumps(event))
        await stream.close()
        await hearing
        return stream

    return [web.get(path, follow) for path in PATHS]


async def _hear(stream: web.WebSocketResponse) -> None:
    """Answer the client's pings, and hear its goodbye."""
    async for _ in stream:
        pass


async def _told(exchange: Exchange, owner: Account, stream: web.WebSocketResponse) -> AsyncIterator[dict[str, Any]]:
    """What happens in an account, until its key is over, its client gone, or its books are reset."""
    key, told = owner.listen_key, _states(owner)
    while not stream.closed and _current(exchange, owner):
        exchange.time_passed()
        now_ms = exchange.now_ms()
        if owner.listen_key != key or exchange.now() >= owner.listen_key_until:
            yield {"e": "listenKeyExpired", "E": now_ms, "listenKey": key}
            return
        seen = _states(owner)
        for event in _events(owner, told, seen, now_ms):
            yield event
        told = seen
        await asyncio.sleep(_LOOK_SECONDS)


def _current(exchange: Exchange, owner: Account) -> bool:
    """Whether the books have not been reset since."""
    return owner in exchange.accounts.values()


def _states(owner: Account) -> States:
    plain = {("order", order.order_id): (order.status, order.filled) for order in owner.ledger.orders.values()}
    return plain | {("algo", algo.algo_id): (algo.status,) for algo in owner.algo.orders.values()}


def _events(owner: Account, told: States, seen: States, now_ms: int) -> Iterator[dict[str, Any]]:
    for (kind, number), state in seen.items():
        if told.get((kind, number)) == state:
            continue
        if kind == "order":
            yield _order_update(owner.ledger.orders[number], now_ms)
        else:
            yield _algo_update(owner.algo.orders[number], now_ms)


def _order_update(order: Order, now_ms: int) -> dict[str, Any]:
    """[doc] "Event: Order Update"."""
    said = order.as_json()
    fields = {
        "s": said["symbol"],
        "c": said["clientOrderId"],
        "S": said["side"],
        "o": said["type"],
        "f": said["timeInForce"],
        "q": said["origQty"],
        "p": said["price"],
        "ap": said["avgPrice"],
        "x": "TRADE" if order.filled else said["status"],
        "X": said["status"],
        "i": said["orderId"],
        "z": said["executedQty"],
        "T": said["updateTime"],
        "R": said["reduceOnly"],
        "ps": said["positionSide"],
    }
    return {"e": "ORDER_TRADE_UPDATE", "T": order.updated_ms, "E": now_ms, "o": fields}


def _algo_update(algo: AlgoOrder, now_ms: int) -> dict[str, Any]:
    """[doc] "Event: Algo Order Update"."""
    said = algo.as_json()
    fields = {
        "caid": said["clientAlgoId"],
        "aid": said["algoId"],
        "at": said["algoType"],
        "o": said["orderType"],
        "s": said["symbol"],
        "S": said["side"],
        "ps": said["positionSide"],
        "f": said["timeInForce"],
        "q": said["quantity"],
        "X": said["algoStatus"],
        "ai": said["actualOrderId"],
        "tp": said["triggerPrice"],
        "p": said["price"],
        "R": said["reduceOnly"],
    }
    return {"e": "ALGO_UPDATE", "T": algo.updated_ms, "E": now_ms, "o": fields}
