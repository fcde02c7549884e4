"""Buys a hundred euros and sells them again. Calls go through the sidecar, by TCP inside the pod."""

import json
import os
import signal
import threading
from pathlib import Path

import requests
from oandapyV20 import API, V20Error
from oandapyV20.endpoints import orders, pricing

from sidecar.client.oanda import through_sidecar

PAIR = "EUR_USD"
PAUSE_SECONDS = float(os.environ.get("PAUSE_SECONDS", "30"))


def tell(what: str, order: str, **more: object) -> None:
    """One line of JSON: what the bot knows of an order."""
    print(json.dumps({"what": what, "order": order, **more}), flush=True)


class Bot:
    """One account."""

    def __init__(self) -> None:
        self._account = os.environ["OANDA_ACCOUNT"]
        environment = through_sidecar(os.environ["BROKER_SIDECAR_URL"], "oanda")
        # The sidecar signs: oandapyV20 wants a token, and what it sends is replaced by the real one.
        self._api = API(access_token="the sidecar's", environment=environment)  # noqa: S106 - see above
        own = Path(os.environ["BROKER_SIDECAR_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
        self._api.client.headers["Proxy-Authorization"] = f"Bearer {own}"
        self._fate = ""
        self._api.client.hooks["response"].append(self._remember)

    def turn(self, name: str) -> None:
        """Buy, and sell what was bought."""
        prices = self._api.request(pricing.PricingInfo(self._account, {"instruments": PAIR}))["prices"]
        tell("price", "", ask=prices[0]["asks"][0]["price"])
        if self._market(f"{name}-buy", "100"):
            self._market(f"{name}-sell", "-100")

    def _market(self, order: str, units: str) -> bool:
        wanted = {"type": "MARKET", "instrument": PAIR, "units": units, "clientExtensions": {"id": order}}
        self._fate = ""
        tell("sending", order)
        try:
            self._api.request(orders.OrderCreate(self._account, {"order": wanted}))
        except (V20Error, requests.RequestException) as error:
            if self._fate and not self._fate.startswith("unknown"):
                tell("not executed", order, fate=self._fate, why=str(error))
                return False
            tell("in doubt", order, fate=self._fate)
            # Looked up by its client id, never sent again.
            self._api.request(orders.OrderDetails(self._account, f"@{order}"))
        tell("executed", order, fate=self._fate)
        return True

    def _remember(self, response: requests.Response, **_: object) -> None:
        self._fate = response.headers.get("Sidecar-Fate", "")


def main() -> None:
    """Trade until told to stop; a turn that has begun is ended."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    bot, turn = Bot(), 0
    while not stopping.is_set():
        turn += 1
        try:
            bot.turn(f"{os.environ.get('HOSTNAME', 'bot')[-20:]}-{turn}")
        except (V20Error, requests.RequestException) as error:
            tell("turn given up", f"turn {turn}", why=str(error))
        stopping.wait(PAUSE_SECONDS)
    tell("stopped", "")


if __name__ == "__main__":
    main()
