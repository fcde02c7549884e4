"""Operations where orders are cancelled by the number that the broker gave them: ProjectX and OpenAlgo."""

import json
import signal
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import KEY, QUICK, Sidecar, Simulated, fetch

pytestmark = pytest.mark.e2e

DOOR = "OperationsDoor8"
EP, MES = "CON.F.US.EP.Z26", "CON.F.US.MES.Z26"
SBIN = "NSE:SBIN"


@pytest.fixture(scope="module")
def projectx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    simulated = Simulated("projectx", tmp_path_factory.mktemp("projectx"))
    yield simulated
    simulated.child.stop()


@pytest.fixture(scope="module")
def openalgo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    simulated = Simulated("openalgo", tmp_path_factory.mktemp("openalgo"))
    yield simulated
    simulated.child.stop()


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory, projectx: Simulated, openalgo: Simulated) -> Iterator[Sidecar]:
    folder: Path = tmp_path_factory.mktemp("by-number")
    key = folder / "key"
    key.touch(0o600)
    key.write_text(KEY)
    keys = {"key_file": str(key)}
    brokers = {
        "topstep": {"profile": "projectx", "base_url": projectx.url, "credentials": keys | {"user_name": "demo"}},
        "openalgo": {"profile": "openalgo", "base_url": openalgo.url, "credentials": keys},
    }
    sidecar = Sidecar(
        folder / "sidecar",
        {name: QUICK | broker for name, broker in brokers.items()},
        token=DOOR,
        state={"path": str(folder / "state.db")},
        operations={"look_seconds": 0.5},
    )
    yield sidecar
    assert sidecar.stop() == 0


def call(sidecar: Sidecar, path: str, body: Any = None, method: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = fetch(f"{sidecar.url}/v1/{path}", body, method, token=DOOR)
    return told


def order(sidecar: Sidecar, broker: str, instrument: str, side: str, **terms: Any) -> dict[str, Any]:
    """A single carried order, once the broker has answered."""
    account = {"account": "1"} if broker == "topstep" else {}
    asked = {"broker": broker, "instrument": instrument, "side": side, "quantity": "2"} | account | terms
    return call(sidecar, f"orders/{call(sidecar, 'orders', asked)['id']}?wait=10")


def operation(sidecar: Sidecar, **asked: Any) -> dict[str, Any]:
    account = {"account": "1"} if asked["broker"] == "topstep" and "instrument" in asked else {}
    return call(sidecar, "operations", account | asked)


def held(simulated: Simulated, instrument: str) -> int:
    """What the book adds up to."""
    orders = (one for one in simulated.executed()["orders"] if one["symbol"] == instrument)
    return sum(int(one["filled"]) * (1 if one["side"] == "BUY" else -1) for one in orders)


def test_single_orders_are_filled_and_cancelled_at_projectx(sidecar: Sidecar, projectx: Simulated) -> None:
    bought = order(sidecar, "topstep", EP, "buy")
    assert call(sidecar, f"orders/{bought['id']}?wait=10&until=final")["state"] == "filled"
    resting = order(sidecar, "topstep", EP, "sell", type="limit", price="7900")
    projectx.fault("reset_after", path="/api/Order/cancel")
    cancel = call(sidecar, f"orders/{resting['id']}", method="DELETE")
    assert call(sidecar, f"orders/{cancel['id']}?wait=10&until=final")["state"] == "cancelled"
    assert call(sidecar, f"orders/{resting['id']}?wait=10&until=final")["state"] == "cancelled"
    projectx.fault("reset_after", path="/api/Position/closeContract")
    close = operation(sidecar, type="position_close", broker="topstep", instrument=EP, side="buy", quantity="2")
    told = call(sidecar, f"operations/{close['id']}?wait=20&until=final")
    assert told["state"] == "completed", told
    assert held(projectx, EP) == 0


def test_a_bracket_at_projectx_survives_lost_answers_and_a_kill(sidecar: Sidecar, projectx: Simulated) -> None:
    for kind in ("reset_after", "timeout_unknown", "unavailable_unknown"):
        details = {} if kind == "reset_after" else {"executed": True}
        projectx.fault(kind, path="/api/Order/place", **details)
    asked = {"side": "buy", "quantity": "2", "stop_price": "6100", "target_price": "7700"}
    bracket = operation(sidecar, type="bracket", broker="topstep", instrument=MES, **asked)
    told = call(sidecar, f"operations/{bracket['id']}?wait=20")
    assert told["settled"], told
    mine = [one for one in projectx.executed()["orders"] if one["symbol"] == MES]
    assert sorted(one["type"] for one in mine) == ["LIMIT", "MARKET", "STOP"]
    sidecar.child.stop(signal.SIGKILL)
    fetch(f"{projectx.url}/_control/price", {"symbol": MES, "price": "7750"})
    sidecar.start()
    told = call(sidecar, f"operations/{bracket['id']}?wait=20&until=final")
    assert (told["state"], told["stop"]["state"], told["target"]["state"]) == ("completed", "cancelled", "filled"), told
    assert held(projectx, MES) == 0


def test_openalgo_cancels_what_has_an_id_and_says_why_the_rest_is_refused(
    sidecar: Sidecar, openalgo: Simulated
) -> None:
    bought = order(sidecar, "openalgo", SBIN, "buy")
    assert call(sidecar, f"orders/{bought['id']}?wait=10&until=final")["state"] == "filled"
    resting = [order(sidecar, "openalgo", SBIN, "buy", type="limit", price=price) for price in ("600", "610")]
    openalgo.fault("reset_after", path="/api/v1/cancelorder")
    bulk = operation(sidecar, type="bulk_cancel", broker="openalgo", orders=[one["id"] for one in resting])
    told = call(sidecar, f"operations/{bulk['id']}?wait=20&until=final")
    assert (told["state"], [leg["state"] for leg in told["legs"]]) == ("completed", ["cancelled"] * 2), told
    assert sorted(one["status"] for one in openalgo.executed()["orders"]) == ["cancelled", "cancelled", "complete"]
    ladder = {"side": "buy", "quantity": "2", "stop_price": "700", "target_price": "900"}
    assert "cannot be found with certainty" in refused(sidecar, type="bracket", **ladder)
    assert "closes every position" in refused(sidecar, type="position_close", side="buy", quantity="2")


def refused(sidecar: Sidecar, **asked: Any) -> str:
    with pytest.raises(urllib.error.HTTPError) as no:
        operation(sidecar, broker="openalgo", instrument=SBIN, **asked)
    with no.value:
        assert no.value.code == 409
        return str(json.loads(no.value.read())["detail"])
