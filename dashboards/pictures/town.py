"""Four bots, their sidecars and brokers, and some minutes in which everything goes wrong once."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from signal import SIGKILL
from typing import Any, Final

from tests.e2e.alertmanager import ALERTS, Alertmanager
from tests.e2e.bots import Bot, ConnectorBot, OandaBot
from tests.e2e.carrying import DOOR, keys
from tests.e2e.observed.day import call
from tests.e2e.prometheus import Prometheus
from tests.e2e.sinks import Sinks
from tests.e2e.stack import ACCOUNT, TOKEN, Sidecar, Simulated, fetch

SCRAPE_SECONDS: Final = 2.0
_POLICIES: Final[dict[str, Any]] = {
    "deadline_seconds": 4,
    "timeouts": {"connect_seconds": 1, "answer_seconds": 1.5},
    "retry": {"attempts": 3, "base_seconds": 0.2, "max_seconds": 1},
    "maintenance": {"base_seconds": 4, "max_seconds": 8},
    "breaker": {"failures": 4, "recovery_seconds": 15, "recovery_max_seconds": 60},
    "degradation": {"recovery_seconds": 8},
}
_PRICES: Final = {
    "binance": ("/fapi/v1/ticker/price?symbol=BTCUSDT", "/fapi/v1/depth?symbol=BTCUSDT&limit=500"),
    "oanda": (f"/v3/accounts/{ACCOUNT}/pricing?instruments=EUR_USD", f"/v3/accounts/{ACCOUNT}/summary"),
}
_DOOR: Final = {"Proxy-Authorization": f"Bearer {DOOR}"}
_SHOWN: Final = {"binance": _DOOR, "oanda": _DOOR | {"Authorization": f"Bearer {TOKEN}"}}
_TARGETS: Final = {"binance": ("BTCUSDT", 60_000.0), "oanda": ("EUR_USD", 1.1)}


@dataclass
class Town:
    """Everybody, at the end of the story."""

    prometheus: Prometheus
    sidecars: dict[str, Sidecar]
    brokers: dict[str, Simulated]
    begun: float
    """Unix seconds."""


@contextmanager
def trading(folder: Path) -> Iterator[Town]:
    """The town when its story has been told; bots and sidecars go on until the block ends."""
    with ExitStack() as stack:
        sinks = stack.enter_context(Sinks.listening())
        alertmanager = Alertmanager(folder, sinks)
        alertmanager.start()
        stack.callback(alertmanager.stop)
        brokers = {}
        for name, kind in {"binance": "binance", "oanda": "oanda", "binance-2": "binance", "oanda-2": "oanda"}.items():
            (folder / name).mkdir()
            brokers[name] = Simulated(kind, folder / name)
            stack.callback(brokers[name].child.stop)
        sidecars = {
            "momentum": _sidecar(folder, "momentum", alertmanager, brokers["binance"], brokers["oanda"]),
            "scalper": _sidecar(folder, "scalper", alertmanager, brokers["binance"], brokers["oanda"]),
            "hedger": _sidecar(folder, "hedger", alertmanager, brokers["binance-2"], brokers["oanda-2"]),
            "carry": _sidecar(folder, "carry", alertmanager, None, brokers["oanda"]),
        }
        targets = [f"127.0.0.1:{sidecar.scrape}" for sidecar in sidecars.values()]
        prometheus = stack.enter_context(
            Prometheus.scraping(folder, targets, _rules(folder), alertmanager.address, scrape_seconds=SCRAPE_SECONDS)
        )
        for sidecar in sidecars.values():
            stack.callback(_end, sidecar)
            sidecar.start()
        town = Town(prometheus, sidecars, brokers, time.time())
        stack.enter_context(_bots(town))
        tell(town)
        yield town


def _sidecar(
    folder: Path, name: str, alertmanager: Alertmanager, binance: Simulated | None, oanda: Simulated
) -> Sidecar:
    home = folder / name
    (home / "keys").mkdir(parents=True)
    secrets = keys(home / "keys")
    configured = {
        "oanda": _POLICIES
        | {"profile": "oanda", "base_url": oanda.url, "credentials": {"token_file": secrets["token"]}},
    }
    if binance is not None:
        hmac = {"key_file": secrets["key"], "secret_file": secrets["secret"]}
        cache = {"endpoints": {"get_depth": {"seconds": 0.5, "stale_seconds": 60}}}
        configured["binance"] = _POLICIES | {
            "profile": "binance-usdm",
            "base_url": binance.url,
            "credentials": hmac,
            "cache": cache,
        }
    return Sidecar(
        home,
        configured,
        start=False,
        token=DOOR,
        bot=name,
        state={"path": str(home / "state.db")},
        telemetry={"file": str(home / "traces.jsonl")},
        operations={"look_seconds": 1},
        alerting={"alertmanager": {"url": f"http://{alertmanager.address}"}},
    )


def _end(sidecar: Sidecar) -> None:
    """Stop it, if it was ever started."""
    if hasattr(sidecar, "child"):
        sidecar.stop()


def _rules(folder: Path) -> Path:
    """The shipped rules, looked at more often."""
    rules = folder / "rules"
    rules.mkdir()
    for file in (ALERTS / "rules").glob("*.yaml"):
        text = file.read_text(encoding="utf-8").replace("interval: 30s", "interval: 4s")
        (rules / file.name).write_text(text, encoding="utf-8")
    return rules


@contextmanager
def _bots(town: Town) -> Iterator[None]:
    """Everybody trades until the block ends."""
    # That orders fail is the story.
    logging.getLogger("oandapyV20").setLevel(logging.CRITICAL)
    over = threading.Event()
    work: list[Callable[[threading.Event], None]] = []
    for number, (name, sidecar) in enumerate(town.sidecars.items()):
        traded = ("oanda",) if name == "carry" else ("binance", "oanda")
        work.extend(_trader(sidecar, broker, f"{name}-{broker}", number) for broker in traded)
        work.append(_streamer(sidecar))
    threads = [threading.Thread(target=one, args=(over,), daemon=True) for one in work]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(10)


def _trader(sidecar: Sidecar, broker: str, name: str, seed: int) -> Callable[[threading.Event], None]:
    """Asks for prices, and now and then places an order: by its own hand, or by the sidecar's."""

    def trade(over: threading.Event) -> None:
        chance = Random(seed)
        bot = _bot(sidecar, broker)
        count = 0
        while not over.wait(chance.uniform(0.1, 0.5)):
            count += 1
            with suppress(OSError, HTTPException):
                path = chance.choice(_PRICES[broker])
                call(sidecar, f"/{broker}{path}", _SHOWN[broker])
                if count % 5 == 0:
                    bot.buy(f"{name}-{count}")
                if count % 7 == 0:
                    fetch(f"{sidecar.url}/v1/orders", _order(broker, f"{name}-carried-{count}"), token=DOOR)

    return trade


def _bot(sidecar: Sidecar, broker: str) -> Bot:
    if broker == "binance":
        connector = ConnectorBot(sidecar)
        connector.client.session.headers.update(_DOOR)
        return connector
    oanda = OandaBot(sidecar)
    oanda.api.client.headers.update(_DOOR)
    return oanda


def _order(broker: str, client_id: str) -> dict[str, Any]:
    shared = {"broker": broker, "side": "buy", "client_id": client_id, "ttl_seconds": 20}
    if broker == "binance":
        return shared | {"instrument": "BTCUSDT", "quantity": "0.01"}
    return shared | {"instrument": "EUR_USD", "quantity": "100", "account": ACCOUNT}


def _streamer(sidecar: Sidecar) -> Callable[[threading.Event], None]:
    """Listens to prices, and begins anew when the stream ends."""

    def listen(over: threading.Event) -> None:
        while not over.wait(1):
            connection = HTTPConnection("127.0.0.1", sidecar.tcp, timeout=8)
            with suppress(OSError, HTTPException):
                target = f"/oanda/v3/accounts/{ACCOUNT}/pricing/stream?instruments=EUR_USD"
                connection.request("GET", target, headers=_SHOWN["oanda"])
                answer = connection.getresponse()
                while not over.is_set() and answer.readline():
                    pass
            connection.close()

    return listen


def tell(town: Town) -> None:
    """The story, at its own pace: it is watched, and what is watched takes time."""
    binance, oanda, other, calm = (town.brokers[name] for name in ("binance", "oanda", "binance-2", "oanda-2"))
    for kind in _TARGETS:
        for name in ("momentum", "hedger"):
            with suppress(OSError):
                fetch(f"{town.sidecars[name].url}/v1/operations", _bracket(kind, f"bracket-{name}-{kind}"), token=DOOR)
    time.sleep(40)
    binance.fault("internal", times=12, probability=0.5)
    binance.fault("latency", times=10, seconds=0.8, probability=0.3)
    time.sleep(25)
    binance.fault("rate_limited", seconds=12)
    time.sleep(30)
    oanda.fault("maintenance", times=None)
    time.sleep(35)
    oanda.end_faults()
    _move(binance, "BTCUSDT", 66_000.0)
    time.sleep(20)
    binance.fault("timeout_unknown", method="POST", times=2, executed=True)
    binance.fault("reset_before", method="POST", times=2)
    calm.fault("html", path=f"/v3/accounts/{ACCOUNT}/pricing", times=12)
    time.sleep(35)
    town.sidecars["carry"].child.stop(SIGKILL)
    flat = {"level": "read_only", "reason": "flat into the weekend"}
    fetch(f"{town.sidecars['hedger'].url}/v1/brokers/binance/degradation", flat, token=DOOR)
    time.sleep(20)
    calm.fault("internal", method="POST", times=None)
    other.fault("latency", times=None, seconds=0.3, probability=0.1)
    time.sleep(20)
    binance.fault("banned", seconds=600)
    time.sleep(30)


def _bracket(broker: str, client_id: str) -> dict[str, Any]:
    asked = _order(broker, client_id) | {"type": "bracket"}
    del asked["ttl_seconds"]
    prices = {"binance": ("50000", "65000"), "oanda": ("0.90000", "1.30000")}[broker]
    return asked | dict(zip(("stop_price", "target_price"), prices, strict=True))


def _move(broker: Simulated, instrument: str, price: float) -> None:
    fetch(f"{broker.url}/_control/price", {"symbol": instrument, "price": str(price)})
