"""A caller that signs by itself, so that nothing but the simulator is under test."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from sidecar.simulator.binance import BinanceBroker, Credentials
from sidecar.simulator.binance.signing import sign
from sidecar.simulator.faults import Fault
from sidecar.simulator.server import Simulator


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> int:
        return int(self.body["code"])


class Trader:
    def __init__(
        self, session: aiohttp.ClientSession, url: str, key: str = "demo-key", secret: str | None = None
    ) -> None:
        self.url = url
        self.session = session
        self.key = key
        self.secret = secret or Credentials().secret

    async def signed(self, method: str, path: str, **parameters: Any) -> Reply:
        query = urlencode({"timestamp": int(time.time() * 1000), **parameters})
        return await self.send(method, f"{path}?{query}&signature={sign(self.secret, query)}")

    async def send(self, method: str, target: str, body: str = "", headers: Mapping[str, str] | None = None) -> Reply:
        sent = {"X-MBX-APIKEY": self.key, "Content-Type": "application/x-www-form-urlencoded"}
        async with self.session.request(
            method,
            URL(self.url + target, encoded=True),
            data=body.encode() if body else None,
            headers=sent | dict(headers or {}),
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def buy(self, **parameters: Any) -> Reply:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        return await self.signed("POST", "/fapi/v1/order", **(order | parameters))

    async def rest(self, **parameters: Any) -> Reply:
        order = {"type": "LIMIT", "timeInForce": "GTC", "price": "50000"}
        return await self.buy(**(order | parameters))

    async def control(self, method: str, name: str, body: Any = None) -> Reply:
        async with self.session.request(method, f"{self.url}/_control/{name}", json=body) as response:
            return Reply(response.status, response.headers, await response.read())


@dataclass(frozen=True)
class Floor:
    simulator: Simulator
    broker: BinanceBroker
    trader: Trader


@asynccontextmanager
async def trading(*faults: Fault, broker: BinanceBroker | None = None, seconds: float = 5.0) -> AsyncIterator[Floor]:
    exchange = broker or BinanceBroker(seed=7)
    simulator = Simulator(exchange, seed=7)
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with simulator.serving() as url, aiohttp.ClientSession(timeout=timeout) as session:
        simulator.plan.add(*faults)
        yield Floor(simulator, exchange, Trader(session, url))
