"""What the tests of the simulated OpenAlgo share."""

from typing import Any

import aiohttp

from sidecar.simulator.openalgo import Account

KEY = Account().key


def order(**fields: Any) -> dict[str, Any]:
    """A market order for ten shares, with these fields changed or added."""
    usual = {"strategy": "tests", "exchange": "NSE", "symbol": "SBIN", "action": "BUY", "quantity": "10"}
    return usual | fields


class Desk:
    """Asks the simulator as a bot would, with the right key."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, endpoint: str, status: int = 200, **fields: Any) -> Any:
        """The answer's fields, when it came with this status."""
        async with self._session.post(f"/api/v1/{endpoint}", json={"apikey": KEY} | fields) as answer:
            told = await answer.json()
            assert answer.status == status, told
        return told

    async def place(self, **fields: Any) -> str:
        """The id of an order that was taken."""
        return str((await self.ask("placeorder", **order(**fields)))["orderid"])

    async def status(self, order_id: str) -> str:
        """What an order has come to."""
        return str((await self.ask("orderstatus", orderid=order_id))["data"]["order_status"])

    async def position(self, product: str = "MIS") -> str:
        """The size of the position in SBIN."""
        fields: dict[str, Any] = {"exchange": "NSE", "symbol": "SBIN", "product": product}
        return str((await self.ask("openposition", **fields))["quantity"])
