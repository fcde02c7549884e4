"""Brackets and pairs at the real simulators, through the real sidecar: in place, cut off by a kill, and undone."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import ACCOUNT, KEY, QUICK, SECRET, TOKEN, Sidecar, Simulated, fetch, until

pytestmark = pytest.mark.e2e

DOOR = "OperationsDoor7"
_numbers = count(1)


@dataclass
class Venue:
    """A broker, and prices that suit its instrument."""

    simulated: Simulated
    sidecar: Sidecar
    where: dict[str, str]
    quantity: str
    middle: str
    low: str
    high: str

    def begin(self, kind: str, **terms: Any) -> dict[str, Any]:
        asked = self.where | {"type": kind, "client_id": f"story-{next(_numbers)}"} | terms
        told: dict[str, Any] = fetch(f"{self.sidecar.url}/v1/operations", asked, token=DOOR)
        return told

    def bracket(self) -> dict[str, Any]:
        prices = {"stop_price": self.low, "target_price": self.high}
        return self.begin("bracket", side="buy", quantity=self.quantity, **prices)

    def ask(self, operation: dict[str, Any], query: str = "wait=20") -> dict[str, Any]:
        url = f"{self.sidecar.url}/v1/operations/{operation['id']}"
        told: dict[str, Any] = fetch(f"{url}?{query}", token=DOOR)
        return told

    def move(self, price: str, beyond: float) -> None:
        """The market moves beyond a price, by a share of it."""
        there = f"{float(price) * (1 + beyond):.5f}"
        fetch(f"{self.simulated.url}/_control/price", {"symbol": self.where["instrument"], "price": there})

    def book(self, operation: dict[str, Any]) -> dict[str, str]:
        """What the broker has of it, by the name of the leg."""
        mine = f"op-{operation['id']}-"
        orders = self.simulated.executed()["orders"]
        return {
            order["client_id"].removeprefix(mine): order["status"]
            for order in orders
            if order["client_id"].startswith(mine)
        }


@pytest.fixture(scope="module")
def _in_front(tmp_path_factory: pytest.TempPathFactory, _binance: Simulated, _oanda: Simulated) -> Iterator[Sidecar]:
    folder: Path = tmp_path_factory.mktemp("operations")
    secrets = {"key_file": KEY, "secret_file": SECRET, "token_file": TOKEN}
    for name, text in secrets.items():
        (folder / name).touch(0o600)
        (folder / name).write_text(text)
    files = {name: str(folder / name) for name in secrets}
    keys = {name: files[name] for name in ("key_file", "secret_file")}
    sidecar = Sidecar(
        folder / "sidecar",
        {
            "binance": {"profile": "binance-usdm", "base_url": _binance.url, "credentials": keys, **QUICK},
            "spot": {"profile": "binance-spot", "base_url": _binance.url, "credentials": keys, **QUICK},
            "oanda": {
                "profile": "oanda",
                "base_url": _oanda.url,
                "stream_url": _oanda.url,
                "credentials": {"token_file": files["token_file"]},
                **QUICK,
            },
        },
        token=DOOR,
        state={"path": str(folder / "state.db")},
        operations={"look_seconds": 0.5},
    )
    yield sidecar
    assert sidecar.stop() == 0


@pytest.fixture(params=["binance", "oanda"])
def venue(request: pytest.FixtureRequest, _in_front: Sidecar, binance: Simulated, oanda: Simulated) -> Venue:
    return _venue(request.param, _in_front, binance, oanda)


@pytest.fixture(params=["spot", "oanda"])
def atomic(request: pytest.FixtureRequest, _in_front: Sidecar, binance: Simulated, oanda: Simulated) -> Venue:
    """A broker that places a bracket in one request."""
    return _venue(request.param, _in_front, binance, oanda)


def _venue(name: str, _in_front: Sidecar, binance: Simulated, oanda: Simulated) -> Venue:
    _in_front.calm()
    if name == "spot":
        where = {"broker": "spot", "instrument": "BTCUSDT", "price": "61000"}
        return Venue(binance, _in_front, where, "0.01", "60000", "50000", "70000")
    if name == "binance":
        price = float(fetch(f"{binance.url}/fapi/v1/ticker/price?symbol=BTCUSDT")["price"])
        where = {"broker": "binance", "instrument": "BTCUSDT"}
        low, high = f"{price * 0.8:.1f}", f"{price * 1.2:.1f}"
        return Venue(binance, _in_front, where, "0.01", f"{price:.1f}", low, high)
    where = {"broker": "oanda", "instrument": "EUR_USD", "account": ACCOUNT}
    return Venue(oanda, _in_front, where, "100", "1.10000", "0.90000", "1.30000")


def test_a_bracket_is_in_place_and_moved_and_its_target_ends_it(venue: Venue) -> None:
    told = venue.ask(venue.bracket())
    assert (told["state"], told["settled"]) == ("in_progress", True), told
    assert {leg["name"]: leg["state"] for leg in told["legs"]} == {
        "entry1": "filled",
        "stop2": "working",
        "target3": "working",
    }
    nearer = f"{float(venue.middle) * 0.9:.{len(venue.middle.partition('.')[2])}f}"
    fetch(f"{venue.sidecar.url}/v1/operations/{told['id']}/modify", {"stop_price": nearer}, token=DOOR)
    told = venue.ask(told)
    assert (told["stop"]["name"], told["stop"]["state"], float(told["stop_price"])) == (
        "stop4",
        "working",
        float(nearer),
    )
    assert {leg["name"]: leg["state"] for leg in told["legs"]}["stop2"] == "cancelled"
    venue.move(venue.high, 0.02)
    told = venue.ask(told, "wait=20&until=final")
    assert (told["state"], told["stop"]["state"], told["target"]["state"]) == ("completed", "cancelled", "filled"), told


def test_a_bracket_cut_off_in_the_middle_is_in_place_after_the_restart(venue: Venue) -> None:
    operation = venue.bracket()
    venue.sidecar.child.stop(signal.SIGKILL)
    venue.sidecar.start()
    told = venue.ask(operation)
    assert (told["state"], told["settled"]) == ("in_progress", True), told
    assert len(venue.book(operation)) == len(told["legs"])
    assert [leg["state"] for leg in told["legs"]].count("working") == 2


def test_what_fills_while_the_sidecar_is_dead_has_its_sibling_cancelled(venue: Venue) -> None:
    operation = venue.bracket()
    assert venue.ask(operation)["settled"]
    venue.sidecar.child.stop(signal.SIGKILL)
    venue.move(venue.low, -0.02)
    venue.sidecar.start()
    told = venue.ask(operation, "wait=20&until=final")
    assert (told["state"], told["stop"]["state"], told["target"]["state"]) == ("completed", "filled", "cancelled"), told


def test_a_pair_is_in_place_and_undone(venue: Venue) -> None:
    leg = {"side": "buy", "quantity": venue.quantity, "type": "limit"}
    far = {"side": "buy", "quantity": venue.quantity, "type": "stop", "stop_price": venue.high}
    operation = venue.begin("oco", first=leg | {"price": venue.low}, second=far)
    assert venue.ask(operation)["settled"]
    url = f"{venue.sidecar.url}/v1/operations/{operation['id']}/rollback"
    fetch(url, method="POST", token=DOOR)
    told = venue.ask(operation, "wait=20&until=final")
    assert told["state"] == "rolled_back", told
    assert {leg["state"] for leg in told["legs"]} == {"cancelled"}


def test_a_stop_that_the_broker_keeps_refusing_leaves_no_position(venue: Venue) -> None:
    # The price has passed the stop before it can be placed.
    above = f"{float(venue.middle) * 1.1:.{len(venue.middle.partition('.')[2])}f}"
    operation = venue.begin("bracket", side="buy", quantity=venue.quantity, stop_price=above)
    told = venue.ask(operation, "wait=30&until=final")
    legs = {leg["role"] for leg in told["legs"] if float(leg["filled"])}
    if told["native"]:
        # Where the stop is a part of the entry, the broker cancels that instead of filling it.
        assert (told["state"], legs) == ("failed", set()), told
        return
    assert told["state"] in {"rolled_back", "completed"}, told
    assert "entry" in legs
    assert legs & {"flatten", "stop"}


def test_a_bracket_in_one_request_whose_answer_is_lost_and_whose_sender_is_killed_is_there_once(atomic: Venue) -> None:
    atomic.simulated.fault("reset_after", method="POST")
    operation = atomic.bracket()
    until(lambda: len(atomic.book(operation)) == 3, "it arrived")
    atomic.sidecar.child.stop(signal.SIGKILL)
    atomic.sidecar.start()
    told = atomic.ask(operation)
    assert (told["native"], told["state"], told["settled"]) == (True, "in_progress", True), told
    atomic.move(atomic.high, 0.02)
    told = atomic.ask(operation, "wait=20&until=final")
    assert (told["state"], told["stop"]["state"], told["target"]["state"]) == ("completed", "cancelled", "filled"), told
    assert len(atomic.simulated.executed()["orders"]) == len(told["legs"])
    assert atomic.simulated.executed()["cancels"] == []


def test_how_operations_have_fared_can_be_asked_and_scraped(venue: Venue) -> None:
    operation = venue.bracket()
    venue.ask(operation)
    statistics = fetch(f"{venue.sidecar.url}/v1/operations/statistics", token=DOOR)
    brackets = next(kind for kind in statistics["types"] if kind["type"] == "bracket")
    assert brackets["active"] >= 1
    broker = venue.where["broker"]
    active = venue.sidecar.metric("sidecar_operations", broker=broker, type="bracket", state="in_progress")
    assert active >= 1
    until(lambda: _audited(venue.sidecar, operation["id"]) >= {"operation_changed", "operation_step"}, "audited")


def _audited(sidecar: Sidecar, operation: str) -> set[str]:
    return {line["event"] for line in sidecar.audit_lines() if line.get("operation") == operation}


def test_a_bracket_whose_prices_are_in_the_wrong_order_is_refused(venue: Venue) -> None:
    asked = venue.where | {"type": "bracket", "side": "buy", "quantity": "1", "stop_price": "5", "target_price": "4"}
    with pytest.raises(OSError, match="400"):
        fetch(f"{venue.sidecar.url}/v1/operations", asked, token=DOOR)
