"""Bots at OpenAlgo: with its own client library, and with plain HTTP where the library hides what is looked at."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openalgo import api

from tests.e2e.stack import KEY, QUICK, Sidecar, Simulated, fetch, until

pytestmark = pytest.mark.e2e

TOKEN = "SidecarToken9Pf3"
PLACE = "POST /api/v1/placeorder"
ORDER = {"strategy": "tests", "exchange": "NSE", "symbol": "SBIN", "action": "BUY", "quantity": "10"}


@pytest.fixture(scope="module")
def _openalgo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    simulated = Simulated("openalgo", tmp_path_factory.mktemp("openalgo"))
    yield simulated
    simulated.child.stop()


@pytest.fixture(scope="module")
def _in_front(tmp_path_factory: pytest.TempPathFactory, _openalgo: Simulated) -> Iterator[Sidecar]:
    folder: Path = tmp_path_factory.mktemp("sidecar")
    key = folder / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    broker = QUICK | {"profile": "openalgo", "base_url": _openalgo.url}
    brokers = {"openalgo": broker, "signed": broker | {"credentials": {"key_file": str(key)}}}
    sidecar = Sidecar(folder, brokers, token=TOKEN, state={"path": str(folder / "state.db")})
    yield sidecar
    assert sidecar.stop() == 0


@pytest.fixture
def openalgo(_openalgo: Simulated) -> Simulated:
    _openalgo.reset()
    return _openalgo


@pytest.fixture
def sidecar(_in_front: Sidecar) -> Sidecar:
    _in_front.calm()
    return _in_front


@pytest.fixture
def client(sidecar: Sidecar) -> Any:
    """The client library."""
    found: Any = api(api_key=KEY, host=f"{sidecar.url}/openalgo")
    found.headers["Proxy-Authorization"] = f"Bearer {TOKEN}"
    return found


@dataclass(frozen=True)
class Told:
    """What a bot was told."""

    status: int
    fate: str
    fields: dict[str, Any]


def post(sidecar: Sidecar, endpoint: str, broker: str = "openalgo", key: str = KEY, **fields: Any) -> Told:
    headers = {"Content-Type": "application/json", "Proxy-Authorization": f"Bearer {TOKEN}"}
    body = json.dumps({"apikey": key} | fields).encode()
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{sidecar.url}/{broker}/api/v1/{endpoint}", body, headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return Told(answer.status, answer.headers["Sidecar-Fate"], json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Told(error.code, error.headers["Sidecar-Fate"], json.loads(error.read()))


def placed(openalgo: Simulated) -> tuple[int, int]:
    """How many orders are in the book, and how many requests came to place one."""
    told = openalgo.executed()
    return len(told["orders"]), told["requests"].get(PLACE, 0)


def test_the_real_client_trades(client: Any, openalgo: Simulated) -> None:
    order = {"strategy": "tests", "symbol": "SBIN", "exchange": "NSE", "product": "MIS"}
    bought = client.placeorder(**order, action="BUY", price_type="MARKET", quantity=10)
    resting = client.placeorder(**order, action="SELL", price_type="LIMIT", quantity=5, price=900)
    cancelled = client.cancelorder(order_id=resting["orderid"], strategy="tests")

    assert [told["status"] for told in (bought, resting, cancelled)] == ["success"] * 3
    found = client.orderstatus(order_id=resting["orderid"], strategy="tests")
    assert found["data"]["order_status"] == "cancelled"
    assert client.openposition(strategy="tests", symbol="SBIN", exchange="NSE", product="MIS")["quantity"] == "10"
    assert client.quotes(symbol="SBIN", exchange="NSE")["data"]["ltp"] == 800.0
    assert client.closeposition(strategy="tests")["message"] == "All Open Positions Squared Off"
    assert [item["status"] for item in openalgo.executed()["orders"]] == ["complete", "cancelled", "complete"]


def test_the_real_client_is_told_that_an_order_may_have_been_executed(client: Any, openalgo: Simulated) -> None:
    openalgo.fault("reset_after", path="/api/v1/placeorder")

    told = client.placeorder(**ORDER)

    assert (told["status"], told["code"]) == ("error", 504)
    assert "sent, may have been executed" in told["message"]
    assert placed(openalgo) == (1, 1)


@pytest.mark.parametrize(
    ("endpoint", "fields"),
    [
        ("placeorder", ORDER),
        ("placesmartorder", ORDER | {"position_size": "10"}),
        ("splitorder", ORDER | {"splitsize": "10"}),
        ("basketorder", {"strategy": "tests", "orders": [ORDER]}),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_after"},
        {"kind": "answer_lost"},
        {"kind": "truncated"},
        {"kind": "unavailable_unknown", "executed": True},
        {"kind": "timeout_unknown", "executed": True},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_an_order_in_doubt_is_told_as_unknown_and_never_sent_again(
    sidecar: Sidecar, openalgo: Simulated, fault: dict[str, Any], endpoint: str, fields: dict[str, Any]
) -> None:
    openalgo.fault(path=f"/api/v1/{endpoint}", **fault)

    told = post(sidecar, endpoint, **fields)

    assert told.fate.startswith("unknown; attempts=1; why=")
    assert (told.status >= 500, told.fields["status"]) == (True, "error")
    book = openalgo.executed()
    assert (len(book["orders"]), book["requests"]) == (1, {f"POST /api/v1/{endpoint}": 1})


@pytest.mark.parametrize("kind", ["rate_limited", "throttled", "refused"])
def test_an_order_that_was_definitely_not_executed_is_sent_again(
    sidecar: Sidecar, openalgo: Simulated, kind: str
) -> None:
    path = {} if kind == "refused" else {"path": "/api/v1/placeorder"}
    openalgo.fault(kind, seconds=0.3, **path)

    told = post(sidecar, "placeorder", **ORDER)

    assert (told.status, told.fate.startswith("ok; attempts=")) == (200, True)
    assert placed(openalgo)[0] == 1


def test_an_expired_login_at_the_backing_broker_is_told_at_once(sidecar: Sidecar, openalgo: Simulated) -> None:
    openalgo.fault("unavailable_definite", path="/api/v1/placeorder")

    told = post(sidecar, "placeorder", **ORDER)

    assert (told.status, told.fate) == (403, "fatal; attempts=1; why=fatal")
    assert placed(openalgo) == (0, 1)


def test_a_cancel_in_doubt_is_found_out_by_the_orders_own_id(sidecar: Sidecar, openalgo: Simulated) -> None:
    resting = post(sidecar, "placeorder", **ORDER, pricetype="LIMIT", price="700").fields["orderid"]
    openalgo.fault("reset_after", path="/api/v1/cancelorder")

    told = post(sidecar, "cancelorder", strategy="tests", orderid=resting)

    assert (told.status, told.fate.startswith("ok; attempts=1; ")) == (200, True)
    assert told.fate.endswith("reconciled")
    assert told.fields == {"orderid": resting, "status": "success"}
    assert [item["order_id"] for item in openalgo.executed()["cancels"]] == [resting]


def test_a_cancel_that_came_too_late_is_told_with_what_the_order_came_to(sidecar: Sidecar, openalgo: Simulated) -> None:
    filled = post(sidecar, "placeorder", **ORDER).fields["orderid"]
    assert len(openalgo.executed()["orders"]) == 1

    told = post(sidecar, "cancelorder", strategy="tests", orderid=filled)

    assert (told.status, told.fate) == (400, "rejected; attempts=1; order=complete")


def test_the_sidecars_key_takes_the_place_of_a_made_up_one(sidecar: Sidecar, openalgo: Simulated) -> None:
    refused, told = (post(sidecar, "placeorder", name, "made-up", **ORDER) for name in ("openalgo", "signed"))

    assert (refused.status, refused.fields["message"]) == (403, "Invalid openalgo apikey")
    assert (told.status, told.fate) == (200, "ok; attempts=1")
    assert placed(openalgo)[0] == 1


def carried(sidecar: Sidecar, state: str) -> dict[str, Any]:
    """An order that the sidecar carries itself, once it is in this state."""
    draft = {"broker": "signed", "instrument": "NSE:SBIN", "side": "buy", "quantity": "10"}
    order_id = fetch(f"{sidecar.url}/v1/orders", draft, token=TOKEN)["id"]

    def now() -> dict[str, Any]:
        told: dict[str, Any] = fetch(f"{sidecar.url}/v1/orders/{order_id}", token=TOKEN)
        return told

    until(lambda: now()["state"] == state, f"the order is {state}")
    return now()


def test_an_order_that_the_sidecar_carries_is_followed_to_its_fill(sidecar: Sidecar, openalgo: Simulated) -> None:
    told = carried(sidecar, "filled")

    (order,) = openalgo.executed()["orders"]
    assert told["broker_order_id"] == order["order_id"]


def test_a_carried_order_in_doubt_is_given_up_at_once_and_never_sent_again(
    sidecar: Sidecar, openalgo: Simulated
) -> None:
    openalgo.fault("reset_after", path="/api/v1/placeorder")

    told = carried(sidecar, "dead")

    assert told["may_have_been_executed"]
    assert "look at the account before you send it again" in told["reason"]
    assert placed(openalgo) == (1, 1)


def test_an_order_is_on_the_record_without_its_key(sidecar: Sidecar, openalgo: Simulated) -> None:
    order_id = post(sidecar, "placeorder", **ORDER).fields["orderid"]
    assert placed(openalgo) == (1, 1)

    def lines() -> list[dict[str, Any]]:
        return [line for line in sidecar.audit_lines() if line.get("response", {}).get("orderid") == order_id]

    until(lambda: bool(lines()), "the order in the audit log")
    assert lines()[-1]["event"] == "order_placed"
    assert KEY not in json.dumps(sidecar.audit_lines())
