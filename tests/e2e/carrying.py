"""A sidecar that carries orders for two simulated brokers, and a bot that hands them in."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.client.orders import Orders
from tests.e2e.stack import ACCOUNT, KEY, QUICK, SECRET, TOKEN, Sidecar, Simulated, fetch, until

DOOR = "door-token"


def keys(folder: Path) -> dict[str, str]:
    """Files of secrets, as a deployment would mount them."""
    files = {"key": KEY, "secret": SECRET, "token": TOKEN}
    for name, text in files.items():
        path = folder / name
        path.touch(0o600)
        path.write_text(f"{text}\n")
    return {name: str(folder / name) for name in files}


def carrying(folder: Path, binance: Simulated, oanda: Simulated, **settings: Any) -> Sidecar:
    """Start one. `small` is Binance once more, with a queue for one order, and client ids count as keys there.

    `settings` are those of each broker.
    """
    folder.mkdir(parents=True)
    files = keys(folder)
    usual = QUICK | settings
    hmac = {"key_file": files["key"], "secret_file": files["secret"]}
    usdm = {"profile": "binance-usdm", "base_url": binance.url, "credentials": hmac, **usual}
    brokers: Mapping[str, Mapping[str, Any]] = {
        "binance": usdm,
        "small": usdm | {"queue": {"size": 1}, "client_id_seconds": 600},
        "oanda": {"profile": "oanda", "base_url": oanda.url, "credentials": {"token_file": files["token"]}, **usual},
    }
    state = {"path": str(folder / "state.db"), "recovery_seconds": 30}
    return Sidecar(folder / "sidecar", brokers, token=DOOR, state=state)


@contextmanager
def away(sidecar: Sidecar, broker: Simulated) -> Iterator[None]:
    """The broker is under maintenance, and the sidecar knows."""
    broker.fault("maintenance", times=None)
    ping = f"/{broker.name}/fapi/v1/ping"

    def known() -> bool:
        call(sidecar, ping)
        return not condition(sidecar, broker.name)["can_trade"]

    until(known, "maintenance noticed")
    try:
        yield
    finally:
        fetch(f"{broker.url}/_control/faults", method="DELETE")


def condition(sidecar: Sidecar, broker: str) -> dict[str, Any]:
    """What the status tells of a broker."""
    found: dict[str, Any] = next(each for each in sidecar.status()["brokers"] if each["name"] == broker)
    return found


def bot(sidecar: Sidecar) -> Orders:
    """A bot that knows the door's token."""
    return Orders(sidecar.url, token=DOOR)


def binance_order(client_id: str, **terms: Any) -> dict[str, Any]:
    usual = {"broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "0.010", "client_id": client_id}
    return usual | terms


def oanda_order(client_id: str, **terms: Any) -> dict[str, Any]:
    usual = {"broker": "oanda", "instrument": "EUR_USD", "side": "sell", "quantity": "100", "account": ACCOUNT}
    return usual | {"client_id": client_id} | terms


@dataclass(frozen=True)
class Told:
    """An answer, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    sidecar: Sidecar,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    method: str = "GET",
    token: str = DOOR,
    headers: Mapping[str, str] | None = None,
) -> Told:
    """One request, whatever its answer is."""
    shown = {"Authorization": f"Bearer {token}", "Proxy-Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    all_headers = {"Content-Type": "application/json"} | shown | dict(headers or {})
    request = urllib.request.Request(f"{sidecar.url}{path}", data, all_headers, method=method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return Told(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Told(error.code, dict(error.headers), error.read())
