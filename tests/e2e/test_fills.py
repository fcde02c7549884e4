"""Fills by the broker's own stream: a stop follows its entry at once, however seldom the sidecar would look."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.carrying import keys
from tests.e2e.stack import ACCOUNT, KEY, QUICK, Sidecar, Simulated, fetch, until

pytestmark = pytest.mark.e2e

DOOR = "FillsDoor7"
LOOK_SECONDS = 600
"""Nobody would wait for that here."""
BRACKETS: dict[str, dict[str, Any]] = {
    "oanda": {
        "instrument": "EUR_USD",
        "account": ACCOUNT,
        "quantity": "100",
        "price": "1.00000",
        "stop_price": "0.90000",
        "target_price": "1.30000",
    },
    "binance": {
        "instrument": "BTCUSDT",
        "quantity": "0.010",
        "price": "20000.0",
        "stop_price": "10000.0",
        "target_price": "90000.0",
    },
}
BELOW = {"oanda": "0.99000", "binance": "19000"}


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory, _binance: Simulated, _oanda: Simulated) -> Iterator[Sidecar]:
    folder: Path = tmp_path_factory.mktemp("fills")
    files = keys(folder)
    oanda = {"profile": "oanda", "credentials": {"token_file": files["token"]}}
    hmac = {"key_file": files["key"], "secret_file": files["secret"]}
    binance = {"profile": "binance-usdm", "credentials": hmac}
    sidecar = Sidecar(
        folder / "sidecar",
        {
            "oanda": oanda | {"base_url": _oanda.url, "stream_url": _oanda.url} | QUICK,
            "binance": binance | {"base_url": _binance.url, "stream_url": f"{_binance.url}/private"} | QUICK,
        },
        token=DOOR,
        state={"path": str(folder / "state.db")},
        operations={"look_seconds": LOOK_SECONDS, "fill_seconds": LOOK_SECONDS},
    )
    yield sidecar
    assert sidecar.stop() == 0


@pytest.fixture(params=["oanda", "binance"])
def venue(request: pytest.FixtureRequest, oanda: Simulated, binance: Simulated) -> Simulated:
    return {"oanda": oanda, "binance": binance}[request.param]


def streams(sidecar: Sidecar, broker: str) -> list[str]:
    """The streams that a broker's status shows as open."""
    found: list[str] = next(each["streams"] for each in sidecar.status()["brokers"] if each["name"] == broker)
    return found


def _entry(name: str) -> dict[str, Any]:
    """A limit order that waits."""
    terms = BRACKETS[name]
    named = {key: terms[key] for key in ("instrument", "account", "quantity", "price") if key in terms}
    return named | {"broker": name, "side": "buy", "type": "limit"}


def test_a_fill_is_known_though_nobody_asks(venue: Simulated, followed: Sidecar) -> None:
    name = venue.name
    followed.calm()
    entry = _entry(name)
    fetch(f"{followed.url}/v1/orders", entry | {"client_id": f"alone-{name}"}, token=DOOR)
    until(lambda: "fills" in streams(followed, name), "followed")
    assert followed.metric("sidecar_orders_total", broker=name, result="filled") == 0
    fetch(f"{venue.url}/_control/price", {"symbol": entry["instrument"], "price": BELOW[name]})
    until(lambda: followed.metric("sidecar_orders_total", broker=name, result="filled") == 1, "the fill known")


def test_the_key_of_binances_stream_is_nowhere_to_be_read(followed: Sidecar, binance: Simulated) -> None:
    fetch(f"{followed.url}/v1/orders", _entry("binance") | {"client_id": "secretive"}, token=DOOR)
    until(lambda: "fills" in streams(followed, "binance"), "followed")
    url = f"{binance.url}/fapi/v1/listenKey"  # the key that is alive is told again
    request = urllib.request.Request(url, method="POST", headers={"X-MBX-APIKEY": KEY})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        key = json.loads(answer.read())["listenKey"]
    written = [path.read_bytes() for path in followed.folder.rglob("*") if path.is_file()]
    told = [json.dumps(fetch(f"{followed.url}/v1/{what}", token=DOOR)) for what in ("status", "brokers", "errors")]
    assert len(key) > 20
    assert not any(key.encode() in text for text in written)
    assert key not in "".join([followed.metrics(), *told])


def test_a_stop_follows_its_entry_though_nobody_looks(venue: Simulated, followed: Sidecar) -> None:
    name = venue.name
    followed.calm()
    asked = {"type": "bracket", "broker": name, "side": "buy", "client_id": f"followed-{name}"} | BRACKETS[name]
    operation = fetch(f"{followed.url}/v1/operations", asked, token=DOOR)
    until(lambda: "fills" in streams(followed, name), "followed")
    opened = followed.metric("sidecar_streams_open", broker=name, stream="fills")
    fetch(f"{venue.url}/_control/price", {"symbol": asked["instrument"], "price": BELOW[name]})
    told = fetch(f"{followed.url}/v1/operations/{operation['id']}?wait=9", token=DOOR)
    assert opened == 1
    assert (told["state"], told["settled"]) == ("in_progress", True), told
    assert told["stop"]["state"] == "working"
    fetch(f"{followed.url}/v1/operations/{operation['id']}/rollback", method="POST", token=DOOR)
    told = fetch(f"{followed.url}/v1/operations/{operation['id']}?wait=9&until=final", token=DOOR)
    assert told["state"] == "rolled_back", told
