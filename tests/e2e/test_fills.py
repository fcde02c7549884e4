"""Fills by the broker's own stream: a stop follows its entry at once, however seldom the sidecar would look."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import ACCOUNT, QUICK, TOKEN, Sidecar, Simulated, fetch, until

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
}
BELOW = {"oanda": "0.99000"}


@pytest.fixture(scope="module")
def _followed(tmp_path_factory: pytest.TempPathFactory, _oanda: Simulated) -> Iterator[Sidecar]:
    folder: Path = tmp_path_factory.mktemp("fills")
    (folder / "token_file").touch(0o600)
    (folder / "token_file").write_text(TOKEN)
    oanda = {"profile": "oanda", "credentials": {"token_file": str(folder / "token_file")}}
    sidecar = Sidecar(
        folder / "sidecar",
        {"oanda": oanda | {"base_url": _oanda.url, "stream_url": _oanda.url} | QUICK},
        token=DOOR,
        state={"path": str(folder / "state.db")},
        operations={"look_seconds": LOOK_SECONDS, "fill_seconds": LOOK_SECONDS},
    )
    yield sidecar
    assert sidecar.stop() == 0


def streams(sidecar: Sidecar, broker: str) -> list[str]:
    """The streams that a broker's status shows as open."""
    found: list[str] = next(each["streams"] for each in sidecar.status()["brokers"] if each["name"] == broker)
    return found


@pytest.mark.parametrize("name", ["oanda"])
def test_a_fill_is_known_though_nobody_asks(name: str, _followed: Sidecar, oanda: Simulated) -> None:
    _followed.calm()
    terms = BRACKETS[name]
    entry = {key: terms[key] for key in ("instrument", "account", "quantity", "price") if key in terms}
    asked = entry | {"broker": name, "side": "buy", "type": "limit", "client_id": f"alone-{name}"}
    fetch(f"{_followed.url}/v1/orders", asked, token=DOOR)
    until(lambda: "fills" in streams(_followed, name), "followed")
    assert _followed.metric("sidecar_orders_total", broker=name, result="filled") == 0
    fetch(f"{oanda.url}/_control/price", {"symbol": terms["instrument"], "price": BELOW[name]})
    until(lambda: _followed.metric("sidecar_orders_total", broker=name, result="filled") == 1, "the fill known")


@pytest.mark.parametrize("name", ["oanda"])
def test_a_stop_follows_its_entry_though_nobody_looks(name: str, _followed: Sidecar, oanda: Simulated) -> None:
    _followed.calm()
    asked = {"type": "bracket", "broker": name, "side": "buy", "client_id": f"followed-{name}"} | BRACKETS[name]
    operation = fetch(f"{_followed.url}/v1/operations", asked, token=DOOR)
    until(lambda: "fills" in streams(_followed, name), "followed")
    opened = _followed.metric("sidecar_streams_open", broker=name, stream="fills")
    fetch(f"{oanda.url}/_control/price", {"symbol": asked["instrument"], "price": BELOW[name]})
    told = fetch(f"{_followed.url}/v1/operations/{operation['id']}?wait=9", token=DOOR)
    assert opened == 1
    assert (told["state"], told["settled"]) == ("in_progress", True), told
    assert told["stop"]["state"] == "working"
    fetch(f"{_followed.url}/v1/operations/{operation['id']}/rollback", method="POST", token=DOOR)
    told = fetch(f"{_followed.url}/v1/operations/{operation['id']}?wait=9&until=final", token=DOOR)
    assert told["state"] == "rolled_back", told
