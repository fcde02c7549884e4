"""Bots with real client libraries, behind one small face: what a bot does, and what it was told of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import ccxt
import ccxt.async_support as ccxt_async
import oandapyV20
from binance.error import Error as ConnectorError
from binance.um_futures import UMFutures
from oandapyV20.endpoints import orders, pricing
from oandapyV20.exceptions import V20Error
from requests.exceptions import RequestException

from sidecar.client.ccxt import through_sidecar
from sidecar.client.oanda import through_sidecar as oanda_environment
from tests.e2e.stack import ACCOUNT, KEY, SECRET, TOKEN, Sidecar

SYMBOL = "BTC/USDT:USDT"


class Told(Enum):
    """What a bot could conclude."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Report:
    """What a bot was told of an order."""

    told: Told
    fate: str
    """The `Sidecar-Fate` header of the answer."""
    error: str = ""
    """The exception's text, which a careless bot writes into its log."""


class Bot(Protocol):
    """What every client library can do."""

    broker: str

    def price(self) -> float: ...
    def buy(self, client_id: str) -> Report: ...
    def rest(self, client_id: str) -> Report: ...
    def find(self, client_id: str) -> str: ...
    def cancel(self, client_id: str) -> Report: ...


def _by_fate(fate: str, error: Exception) -> Report:
    """A failure is unknown only when the fate says so; the exception's class must agree (tests look at it)."""
    told = Told.UNKNOWN if fate.startswith("unknown") else Told.FAILED
    return Report(told, fate, f"{type(error).__name__}: {error}")


class CcxtBot:
    """ccxt over TCP."""

    broker = "binance"

    def __init__(self, sidecar: Sidecar) -> None:
        self.exchange: Any = ccxt.binanceusdm({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False})
        through_sidecar(self.exchange, sidecar.url, {"fapi.binance.com": "binance"})

    def price(self) -> float:
        return float(self.exchange.fetch_ticker(SYMBOL)["last"])

    def buy(self, client_id: str) -> Report:
        return self._order(lambda: self.exchange.create_order(SYMBOL, "market", "buy", 0.01, None, _id(client_id)))

    def rest(self, client_id: str) -> Report:
        return self._order(lambda: self.exchange.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, _id(client_id)))

    def find(self, client_id: str) -> str:
        found = self.exchange.fetch_order(None, SYMBOL, {"origClientOrderId": client_id})
        return str(found["status"])

    def cancel(self, client_id: str) -> Report:
        return self._order(lambda: self.exchange.cancel_order(None, SYMBOL, {"origClientOrderId": client_id}))

    def _order(self, act: Callable[[], Any]) -> Report:
        try:
            act()
        except ccxt.BaseError as error:
            return _by_fate(self._fate(), error)
        return Report(Told.DONE, self._fate())

    def _fate(self) -> str:
        headers = {name.lower(): value for name, value in (self.exchange.last_response_headers or {}).items()}
        return str(headers.get("sidecar-fate", ""))


class AsyncCcxtBot(CcxtBot):
    """ccxt's asynchronous half, over the Unix socket."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._markets: Any = None

    def price(self) -> float:
        return float(self._run(lambda exchange: exchange.fetch_ticker(SYMBOL))["last"])

    def buy(self, client_id: str) -> Report:
        return self._ask(lambda ex: ex.create_order(SYMBOL, "market", "buy", 0.01, None, _id(client_id)))

    def rest(self, client_id: str) -> Report:
        return self._ask(lambda ex: ex.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, _id(client_id)))

    def find(self, client_id: str) -> str:
        found = self._run(lambda ex: ex.fetch_order(None, SYMBOL, {"origClientOrderId": client_id}))
        return str(found["status"])

    def cancel(self, client_id: str) -> Report:
        return self._ask(lambda ex: ex.cancel_order(None, SYMBOL, {"origClientOrderId": client_id}))

    def _ask(self, act: Callable[[Any], Any]) -> Report:
        try:
            self._run(act)
        except ccxt.BaseError as error:
            return _by_fate(self._fate(), error)
        return Report(Told.DONE, self._fate())

    def _run(self, act: Callable[[Any], Any]) -> Any:
        async def main() -> Any:
            exchange: Any = ccxt_async.binanceusdm({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False})
            through_sidecar(exchange, f"unix:{self._sidecar.socket}", {"fapi.binance.com": "binance"})
            self.exchange = exchange
            try:
                if self._markets is None:
                    self._markets = await exchange.load_markets()
                exchange.set_markets(self._markets)
                return await act(exchange)
            finally:
                await exchange.close()

        return asyncio.run(main())


def _id(client_id: str) -> dict[str, str]:
    return {"newClientOrderId": client_id}


class ConnectorBot:
    """binance-futures-connector: parameters in the query, no client id of its own."""

    broker = "binance"

    def __init__(self, sidecar: Sidecar) -> None:
        self.client: Any = UMFutures(key=KEY, secret=SECRET, base_url=f"{sidecar.url}/binance")
        self.fate = ""
        self.client.session.hooks["response"].append(self._note)

    def price(self) -> float:
        return float(self.client.ticker_price("BTCUSDT")["price"])

    def buy(self, client_id: str) -> Report:
        return self._order("new_order", side="BUY", type="MARKET", quantity=0.01, newClientOrderId=client_id)

    def rest(self, client_id: str) -> Report:
        return self._order(
            "new_order",
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity=0.01,
            price=50000,
            newClientOrderId=client_id,
        )

    def find(self, client_id: str) -> str:
        found = self.client.query_order("BTCUSDT", origClientOrderId=client_id)["status"]
        return {"NEW": "open", "CANCELED": "canceled", "FILLED": "closed"}[found]

    def cancel(self, client_id: str) -> Report:
        return self._order("cancel_order", origClientOrderId=client_id)

    def _order(self, action: str, **parameters: Any) -> Report:
        try:
            getattr(self.client, action)(symbol="BTCUSDT", **parameters)
        except ConnectorError as error:
            return _by_fate(self.fate, error)
        return Report(Told.DONE, self.fate)

    def _note(self, response: Any, *_: Any, **__: Any) -> None:
        self.fate = response.headers.get("Sidecar-Fate", "")


class OandaBot:
    """oandapyV20."""

    broker = "oanda"

    def __init__(self, sidecar: Sidecar) -> None:
        self.fate = ""
        self.api: Any = oandapyV20.API(access_token=TOKEN, environment=oanda_environment(sidecar.url, "oanda"))
        self.api.client.hooks["response"].append(self._note)

    def price(self) -> float:
        request = pricing.PricingInfo(ACCOUNT, params={"instruments": "EUR_USD"})
        return float(self.api.request(request)["prices"][0]["asks"][0]["price"])

    def buy(self, client_id: str) -> Report:
        return self._order(orders.OrderCreate(ACCOUNT, data=_oanda_order("MARKET", client_id)))

    def rest(self, client_id: str) -> Report:
        return self._order(orders.OrderCreate(ACCOUNT, data=_oanda_order("LIMIT", client_id, price="0.5")))

    def find(self, client_id: str) -> str:
        found = self.api.request(orders.OrderDetails(ACCOUNT, f"@{client_id}"))["order"]["state"]
        return {"PENDING": "open", "CANCELLED": "canceled", "FILLED": "closed"}[found]

    def cancel(self, client_id: str) -> Report:
        return self._order(orders.OrderCancel(ACCOUNT, f"@{client_id}"))

    def _order(self, request: Any) -> Report:
        try:
            self.api.request(request)
        except (V20Error, RequestException) as error:
            return _by_fate(self.fate, error)
        except ValueError as error:  # it parses every answer as JSON without asking whether it is
            return _by_fate(self.fate, error)
        return Report(Told.DONE, self.fate)

    def _note(self, response: Any, *_: Any, **__: Any) -> None:
        self.fate = response.headers.get("Sidecar-Fate", "")


def _oanda_order(kind: str, client_id: str, **more: str) -> dict[str, Any]:
    order = {"type": kind, "instrument": "EUR_USD", "units": "100", "clientExtensions": {"id": client_id}, **more}
    return {"order": order}


BOTS: dict[str, Callable[[Sidecar], Bot]] = {
    "ccxt": CcxtBot,
    "ccxt async over the unix socket": AsyncCcxtBot,
    "binance-futures-connector": ConnectorBot,
    "oandapyV20": OandaBot,
}
