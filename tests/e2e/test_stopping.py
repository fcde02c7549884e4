"""Stops again and again under load, and stops that do not get everything done: in real processes, by real signals."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.carrying import DOOR, binance_order, bot, keys, oanda_order
from tests.e2e.load import ENDPOINT, Load
from tests.e2e.raw import RawBroker
from tests.e2e.stack import QUICK, Sidecar, Simulated, until

pytestmark = pytest.mark.e2e

STOPS = int(os.environ.get("STOPS", "0"))
"""How often it is stopped under load, such as `STOPS=100`; 0: as often as a busy machine has time for."""
USUAL_STOPS, USUAL_SECONDS = 20, 40.0
LONGEST_SECONDS = 10.0


def test_however_often_it_is_stopped_under_load_no_call_is_lost_and_no_order_unaccounted_for(
    tmp_path: Path, oanda: Simulated
) -> None:
    sidecar = Sidecar(tmp_path, {"oanda": {"profile": "oanda", "base_url": oanda.url} | QUICK}, start=False)
    began = time.monotonic()
    stops: list[tuple[float, int]] = []
    while len(stops) < (STOPS or USUAL_STOPS) and (STOPS or time.monotonic() - began < USUAL_SECONDS):
        stops.append(stopped_under_load(sidecar, oanda, after=len(stops) % 10))
    slowest, orders = max(took for took, _ in stops), sum(count for _, count in stops)
    print(f"\n{len(stops)} stops, {orders} orders, the slowest took {slowest:.2f} s")  # noqa: T201 - asked for
    assert slowest < LONGEST_SECONDS


def stopped_under_load(sidecar: Sidecar, oanda: Simulated, after: int) -> tuple[float, int]:
    """One life that ends after so many orders: how long its stop took, and the orders that were answered."""
    oanda.reset()
    oanda.fault("latency", times=None, seconds=0.02)
    sidecar.start()
    with Load.on(sidecar, bots=4) as load:
        until(lambda: len(load.answered) > after, "orders under way")
        began = time.monotonic()
        assert sidecar.stop() == 0
        took = time.monotonic() - began
    assert load.lost == {}
    truth = oanda.executed()
    assert {order["client_id"] for order in truth["orders"]} == set(load.answered)
    assert truth["requests"][ENDPOINT] == len(load.answered)
    return took, len(load.answered)


def patient(url: str) -> dict[str, Any]:
    """A broker whose calls outlast every stop."""
    settings = {"deadline_seconds": 60, "timeouts": {"answer_seconds": 60}, "startup": {"check_seconds": 0.2}}
    return {"oanda": {"profile": "oanda", "base_url": url} | QUICK | settings}


def waiting_for_an_order(silent: RawBroker) -> None:
    until(lambda: any(request.startswith(b"POST") for request in silent.requests), "an order at the broker")


def test_a_second_signal_brings_the_end_forward_and_the_order_in_doubt_is_told(tmp_path: Path) -> None:
    with RawBroker.listening() as silent:
        silent.reply = lambda _: b""
        sidecar = Sidecar(tmp_path, patient(silent.url), stop={"budget_seconds": 60})
        with Load.on(sidecar, bots=1) as load:
            waiting_for_an_order(silent)
            began = time.monotonic()
            sidecar.child.send(signal.SIGTERM)
            time.sleep(0.5)
            assert sidecar.child.stop(signal.SIGINT) == 0
            assert time.monotonic() - began < LONGEST_SECONDS
    assert load.lost == {}
    assert load.answered["load-0-0"].startswith("unknown; attempts=1")


def test_what_was_cut_short_is_told_at_the_next_start(tmp_path: Path) -> None:
    with RawBroker.listening() as silent:
        silent.reply = lambda _: b""
        state = {"path": str(tmp_path / "state.db")}
        sidecar = Sidecar(tmp_path / "s", patient(silent.url), state=state, stop={"budget_seconds": 3})
        with Load.on(sidecar, bots=1):
            waiting_for_an_order(silent)
            began = time.monotonic()
            assert sidecar.stop() == 0
            assert time.monotonic() - began < LONGEST_SECONDS
        sidecar.start()
        assert "The last run left: calls that were cut short: 1" in sidecar.child.text()
        assert sidecar.stop() == 0


def test_a_stop_that_is_to_close_positions_leaves_nothing_at_the_brokers_and_another_does_nothing_more(
    tmp_path: Path, binance: Simulated, oanda: Simulated
) -> None:
    sidecar = closing(tmp_path, binance, oanda)
    orders = bot(sidecar)
    placed = [
        orders.place(**binance_order("long", quantity="0.030"), wait=10),
        orders.place(**oanda_order("short"), wait=10),
        orders.place(**binance_order("entry", type="limit", price="20000"), wait=10),
        orders.place(**binance_order("stop", side="sell", type="stop", stop_price="20000", reduce_only=True), wait=10),
    ]
    assert [order.state for order in placed] == ["filled", "filled", "working", "working"]
    assert sidecar.stop() == 0
    assert "closed before the stop: long 0.030 BTCUSDT" in sidecar.child.text()
    assert {name: executed(broker) for name, broker in (("binance", binance), ("oanda", oanda))} == {
        "binance": [("BUY", "0.030"), ("SELL", "0.030")],
        "oanda": [("SELL", "100"), ("BUY", "100")],
    }
    assert sorted(cancel["client_id"] for cancel in binance.executed()["cancels"]) == ["entry", "stop"]
    before = binance.executed()["orders"], oanda.executed()["orders"]
    sidecar.start()
    assert "The last run left" not in sidecar.child.text()
    assert sidecar.stop() == 0
    assert (binance.executed()["orders"], oanda.executed()["orders"]) == before


def closing(folder: Path, binance: Simulated, oanda: Simulated) -> Sidecar:
    """A sidecar that signs for both brokers, and closes what is held there when it is stopped."""
    files = keys(folder)
    hmac = {"key_file": files["key"], "secret_file": files["secret"]}
    brokers = {
        "binance": {"profile": "binance-usdm", "base_url": binance.url, "credentials": hmac, **QUICK},
        "oanda": {"profile": "oanda", "base_url": oanda.url, "credentials": {"token_file": files["token"]}, **QUICK},
    }
    state = {"path": str(folder / "state.db")}
    return Sidecar(
        folder / "s", brokers, token=DOOR, state=state, stop={"close_positions": list(brokers), "budget_seconds": 11}
    )


def executed(broker: Simulated) -> list[tuple[str, str]]:
    """Side and size of every order that was filled."""
    return [(order["side"], order["quantity"]) for order in broker.executed()["orders"] if order["status"] == "FILLED"]
