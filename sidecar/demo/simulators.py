"""What the demo asks of a simulated broker: faults to come, a market that moves, and the truth about its book."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import aiohttp

Fault = Mapping[str, Any]


class Simulator:
    """The control interface of one simulated broker."""

    def __init__(self, name: str, url: str, session: aiohttp.ClientSession) -> None:
        self.name = name
        self.url = url
        self._session = session

    async def plan(self, *faults: Fault) -> None:
        """Let these things go wrong, in this order."""
        await self._ask("POST", "faults", list(faults))

    async def clear(self) -> None:
        """Let nothing go wrong any more."""
        await self._ask("DELETE", "faults")

    async def fired(self, kind: str) -> int:
        """How many requests a kind of fault has hit."""
        answer = await self._ask("GET", "faults")
        return int(answer["fired"].get(kind, 0))

    async def book(self) -> Counter[str]:
        """How often the broker has executed an order of each client id."""
        answer = await self._ask("GET", "executed")
        return Counter(order["client_id"] for order in answer["orders"])

    async def set_price(self, symbol: str, price: float) -> None:
        """Move the market."""
        await self._ask("POST", "price", {"symbol": symbol, "price": price})

    async def _ask(self, method: str, what: str, body: object = None) -> Any:
        async with self._session.request(method, f"{self.url}/_control/{what}", json=body) as answer:
            answer.raise_for_status()
            return await answer.json()
