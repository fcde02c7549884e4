"""A bot with oandapyV20 over TCP: buys a few euros, sells them again, offers and withdraws.

Run it against any sidecar: python -m sidecar.demo.bots.oanda http://127.0.0.1:8787
"""

import sys
from typing import Any

import requests
from oandapyV20 import API, V20Error
from oandapyV20.endpoints import orders, pricing

from sidecar.client.oanda import through_sidecar
from sidecar.demo.bots.diary import Diary, Told

ACCOUNT = "101-001-1234567-001"
PAIR = "EUR_USD"
FAILURES = (V20Error, requests.RequestException)


class Bot:
    """One account at OANDA."""

    def __init__(self, sidecar: str, diary: Diary) -> None:
        self._diary = diary
        self._api = API(access_token="demo-token", environment=through_sidecar(sidecar, "oanda"))  # noqa: S106 - made up
        # oandapyV20 keeps no headers of a failure, and the sidecar says in one of them what became of a call.
        self._fate = ""
        self._api.client.hooks["response"].append(self._remember)

    def trade(self) -> None:
        """Trade until asked to stop."""
        for turn in self._diary.turns():
            try:
                prices = self._api.request(pricing.PricingInfo(ACCOUNT, {"instruments": PAIR}))["prices"]
            except FAILURES as error:
                self._diary.failed("no price", error)
            else:
                ask = float(prices[0]["asks"][0]["price"])
                self._diary.step(f"EUR is at {ask:.5f}")
                self._turn(turn, ask)
            self._diary.pause(0.7)

    def _turn(self, turn: int, ask: float) -> None:
        market = {"type": "MARKET", "instrument": PAIR}
        if self._place(f"eur-{turn}-buy", {**market, "units": "100"}):
            self._diary.pause(0.3)
            self._place(f"eur-{turn}-sell", {**market, "units": "-100"})
        offer = {"type": "LIMIT", "instrument": PAIR, "units": "100", "price": f"{ask * 0.98:.5f}"}
        self._diary.pause(0.3)
        if self._place(f"eur-{turn}-bid", offer):
            self._withdraw(f"eur-{turn}-bid")

    def _place(self, order_id: str, order: dict[str, str]) -> bool:
        what = f"{order['type'].lower()} order for {order['units']} EUR"
        self._diary.order(order_id, Told.SENDING, what)
        self._fate = "unknown"
        request = orders.OrderCreate(ACCOUNT, {"order": {**order, "clientExtensions": {"id": order_id}}})
        try:
            answer = self._api.request(request)
        except FAILURES as error:
            if not self._fate.startswith("unknown"):
                self._diary.order(order_id, Told.NOT_EXECUTED, f"{what} not executed", error)
                return False
            self._diary.order(order_id, Told.UNKNOWN, f"{what} may have been executed", error)
            return self._look_up(order_id)
        fill = answer.get("orderFillTransaction")
        self._diary.order(order_id, Told.EXECUTED, f"{what}" + (f" filled at {fill['price']}" if fill else " placed"))
        return True

    def _look_up(self, order_id: str) -> bool:
        # By its client id, instead of sending it a second time.
        try:
            order = self._api.request(orders.OrderDetails(ACCOUNT, f"@{order_id}"))["order"]
        except V20Error as error:
            if error.code != 404:  # noqa: PLR2004 - no such order
                self._diary.failed(f"could not look {order_id} up", error)
            else:
                self._diary.order(order_id, Told.MISSING, f"looked {order_id} up: the broker does not know it")
            return False
        self._diary.order(order_id, Told.FOUND, f"looked {order_id} up: {order['state'].lower()}")
        return True

    def _withdraw(self, order_id: str) -> None:
        try:
            self._api.request(orders.OrderCancel(ACCOUNT, f"@{order_id}"))
        except FAILURES as error:
            self._diary.failed(f"{order_id} not cancelled", error)
        else:
            self._diary.step(f"{order_id} is cancelled")

    def _remember(self, response: requests.Response, **_: Any) -> None:
        self._fate = response.headers.get("Sidecar-Fate", "unknown")


if __name__ == "__main__":
    Bot(sys.argv[1], Diary()).trade()
