"""Orders that the sidecar carries, end to end: real processes, real sockets, a real state file."""

import json
import signal
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import ccxt
import pytest

from sidecar.client.ccxt import through_sidecar
from sidecar.client.orders import OrderRefusedError, Orders
from tests.e2e.bots import SYMBOL
from tests.e2e.carrying import DOOR, away, binance_order, bot, call, carrying, condition, oanda_order
from tests.e2e.load import UnixConnection
from tests.e2e.stack import Sidecar, Simulated, command, until

pytestmark = pytest.mark.e2e

LIMIT = "/fapi/v1/order?symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=20000"
_numbers = count(1)


@pytest.fixture(scope="module")
def _carrier(folder: Path, _binance: Simulated, _oanda: Simulated) -> Iterator[Sidecar]:
    made = carrying(folder / "carrying", _binance, _oanda)
    yield made
    assert made.stop() == 0


@pytest.fixture
def carrier(_carrier: Sidecar, binance: Simulated, oanda: Simulated) -> Sidecar:
    """A sidecar that carries orders for brokers that are well."""
    del binance, oanda
    _carrier.calm()
    until(lambda: all(condition(_carrier, name)["can_trade"] for name in ("binance", "small", "oanda")), "brokers up")
    return _carrier


@pytest.fixture
def orders(carrier: Sidecar) -> Orders:
    return bot(carrier)


@pytest.fixture
def client_id() -> str:
    return f"carried-{next(_numbers)}"


def requests(broker: Simulated, endpoint: str = "POST /fapi/v1/order") -> int:
    """How often something arrived."""
    return int(broker.executed()["requests"].get(endpoint, 0))


@pytest.mark.parametrize("name", ["binance", "oanda"])
def test_a_neutral_order_is_executed_once_and_its_end_is_told(
    name: str, orders: Orders, binance: Simulated, oanda: Simulated, client_id: str
) -> None:
    terms = binance_order(client_id) if name == "binance" else oanda_order(client_id)
    order = orders.place(**terms, wait=10)
    assert (order.state, order.settled, order.final) == ("filled", True, True)
    assert order.told["answer"]["body"]
    again = orders.place(**terms)
    assert (again.id, again.state) == (order.id, "filled")
    assert (binance if name == "binance" else oanda).executions(client_id) == 1
    assert [change["state"] for change in orders.get(order.id).told["changes"]] == [
        "accepted",
        "queued",
        "sending",
        "filled",
    ]


def test_the_same_client_id_for_another_order_is_refused(orders: Orders, binance: Simulated, client_id: str) -> None:
    orders.place(**binance_order(client_id), wait=10)
    with pytest.raises(OrderRefusedError, match="belongs to another order") as refused:
        orders.place(**binance_order(client_id, quantity="0.020"))
    assert refused.value.status == 422
    assert binance.executions(client_id) == 1


def test_an_order_that_was_carried_is_not_sent_again_directly_where_client_ids_count_as_keys(
    carrier: Sidecar, orders: Orders, binance: Simulated, client_id: str
) -> None:
    order = orders.place(**binance_order(client_id, broker="small"), wait=10)
    assert order.state == "filled"
    query = f"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&newClientOrderId={client_id}"
    told = call(carrier, f"/small/fapi/v1/order?{query}", method="POST")
    assert (told.status, told.headers["Sidecar-Fate"].split("; ")[:2]) == (422, ["fatal", "attempts=0"])
    assert f"/v1/orders/{order.id}" in told.json["msg"]
    assert binance.executions(client_id) == 1


def test_a_ccxt_bot_that_prefers_not_to_wait_is_told_at_once_and_can_ask(
    carrier: Sidecar, orders: Orders, binance: Simulated, client_id: str
) -> None:
    exchange = ccxt.binanceusdm({"apiKey": "dummy", "secret": "dummy", "enableRateLimit": False})
    exchange.headers = {"Proxy-Authorization": f"Bearer {DOOR}", "Prefer": "respond-async"}
    through_sidecar(exchange, carrier.url, {"fapi.binance.com": "binance"})
    taken = exchange.create_order(SYMBOL, "market", "buy", 0.01, None, {"newClientOrderId": client_id})["info"]
    headers = {name.lower(): value for name, value in exchange.last_response_headers.items()}
    assert headers["preference-applied"] == "respond-async"
    assert headers["sidecar-fate"].startswith("accepted; state=")
    assert headers["location"] == f"/v1/orders/{taken['id']}"
    assert orders.get(taken["id"], wait=10).state == "filled"
    assert binance.executions(client_id) == 1


def test_during_maintenance_orders_wait_and_are_sent_once_each_when_it_is_over(
    carrier: Sidecar, orders: Orders, binance: Simulated, client_id: str
) -> None:
    with away(carrier, binance):
        waiting = [orders.place(**binance_order(f"{client_id}-{n}")) for n in range(3)]
        stale = orders.place(**binance_order(f"{client_id}-stale", ttl_seconds=0.2))
        assert orders.get(stale.id, wait=10).state == "expired"
        assert {orders.get(order.id).state for order in waiting} == {"queued"}
    ended = [orders.get(order.id, wait=20) for order in waiting]
    assert [order.state for order in ended] == ["filled"] * 3
    assert [binance.executions(f"{client_id}-{n}") for n in range(3)] == [1, 1, 1]
    assert binance.executions(f"{client_id}-stale") == 0


def test_an_order_that_waits_can_be_taken_back(
    carrier: Sidecar, orders: Orders, binance: Simulated, client_id: str
) -> None:
    with away(carrier, binance):
        by_delete = orders.place(**binance_order(f"{client_id}-a"))
        by_command = orders.place(**binance_order(f"{client_id}-b"))
        by_bot = orders.place(**binance_order(f"{client_id}-c"))
        assert orders.cancel(by_delete.id).state == "cancelled"
        assert _command(carrier, "--cancel", by_command.id)[0] == 0
        cancel = f"/binance/fapi/v1/order?symbol=BTCUSDT&origClientOrderId={client_id}-c"
        call(carrier, cancel, method="DELETE", headers={"Sidecar-Deadline": "0.5"})
        after = orders.place(**binance_order(f"{client_id}-d"))
    assert orders.get(after.id, wait=20).state == "filled"
    assert [orders.get(order.id).state for order in (by_delete, by_command, by_bot)] == ["cancelled"] * 3
    assert [binance.executions(f"{client_id}-{which}") for which in "abcd"] == [0, 0, 0, 1]
    with pytest.raises(OrderRefusedError, match="nothing to cancel") as refused:
        orders.cancel(by_delete.id)
    assert refused.value.status == 409


def test_an_order_in_the_brokers_book_is_cancelled_there(
    carrier: Sidecar, orders: Orders, binance: Simulated, client_id: str
) -> None:
    del binance
    order = orders.place(**binance_order(client_id, type="limit", price="20000"), wait=10)
    assert (order.state, order.settled, order.final) == ("working", True, False)
    cancel = orders.cancel(order.id)
    assert cancel.told["kind"] == "cancel"
    assert orders.get(order.id, wait=20, final=True).state == "cancelled"
    assert orders.get(cancel.id, wait=10).state == "cancelled"
    status, shown = _command(carrier, order.id)
    assert (status, shown.splitlines()[0]) == (0, f"order {order.id}: cancelled")


def test_whoever_follows_an_order_hears_of_each_change_until_its_end(
    carrier: Sidecar, orders: Orders, binance: Simulated, client_id: str
) -> None:
    with away(carrier, binance):
        order = orders.place(**binance_order(client_id))
        events: list[str] = []
        begun = threading.Event()
        listener = threading.Thread(target=_listen, args=(carrier, order.id, events, begun))
        listener.start()
        assert begun.wait(10)
    listener.join(20)
    assert not listener.is_alive()
    assert events[0] == "queued"
    assert events[-1] == "filled"
    status, shown = _command(carrier, "--follow", order.id)
    assert (status, shown.splitlines()[-1]) == (0, f"order {order.id}: filled")


def test_an_order_on_its_way_when_the_sidecar_is_killed_is_looked_up_and_one_that_waits_is_sent(
    tmp_path: Path, binance: Simulated, oanda: Simulated, client_id: str
) -> None:
    # Long enough for the kill to come first, however busy the machine is.
    patient = {"deadline_seconds": 60, "timeouts": {"answer_seconds": 50}}
    carrier = carrying(tmp_path / "killed", binance, oanda, **patient)
    orders = bot(carrier)
    try:
        binance.fault("answer_lost", method="POST")
        sent = orders.place(**binance_order(f"{client_id}-sent"))
        until(lambda: binance.executions(f"{client_id}-sent") == 1, "the order in the book")
        behind = orders.place(**binance_order(f"{client_id}-behind"))
        carrier.child.stop(signal.SIGKILL)
        carrier.start()
        assert carrier.metric("sidecar_orders", broker="binance", state="in_doubt") == 0
        assert orders.get(sent.id, wait=20).state == "filled"
        assert orders.get(behind.id, wait=20).state == "filled"
        assert [binance.executions(f"{client_id}-{which}") for which in ("sent", "behind")] == [1, 1]
        assert requests(binance) == 2
        changes = [change["state"] for change in orders.get(sent.id).told["changes"]]
        assert changes == ["accepted", "queued", "sending", "in_doubt", "filled"]
    finally:
        assert carrier.child.stop() == 0


def test_a_full_queue_refuses_in_words_that_the_bots_library_reads(
    carrier: Sidecar, orders: Orders, binance: Simulated, client_id: str
) -> None:
    with away(carrier, binance):
        first = orders.place(**binance_order(client_id, broker="small"))
        with pytest.raises(OrderRefusedError, match=r"brokers\.small\.queue\.size is 1") as refused:
            orders.place(**binance_order(f"{client_id}-b", broker="small"))
        assert refused.value.status == 429
        told = call(
            carrier, f"/small{LIMIT}&newClientOrderId={client_id}-c", method="POST", headers={"Prefer": "respond-async"}
        )
        assert (told.status, told.json["code"]) == (429, -1003)
        assert told.headers["Sidecar-Fate"].startswith("transient; attempts=0; ")
    assert orders.get(first.id, wait=20).state == "filled"
    assert [binance.executions(f"{client_id}-{which}") for which in "bc"] == [0, 0]


def test_an_order_is_not_sent_into_another_market_than_it_was_meant_for(
    orders: Orders, binance: Simulated, oanda: Simulated, client_id: str
) -> None:
    far = {"price_guard": {"reference": "1", "tolerance": "0.005"}}
    near = {"price_guard": {"reference": "60000", "tolerance": "0.005"}}
    refused = orders.place(**binance_order(f"{client_id}-far", **far), wait=10)
    assert (refused.state, "is worse than 1 by more than" in refused.reason) == ("expired", True)
    assert orders.place(**binance_order(f"{client_id}-near", **near), wait=10).state == "filled"
    # For who sells, a price above the reference is better.
    assert orders.place(**oanda_order(f"{client_id}-sell", **far), wait=10).state == "filled"
    assert [binance.executions(f"{client_id}-{which}") for which in ("far", "near")] == [0, 1]
    assert oanda.executions(f"{client_id}-sell") == 1


def test_an_order_that_the_broker_declines_is_rejected_in_its_words(
    orders: Orders, binance: Simulated, client_id: str
) -> None:
    order = orders.place(**binance_order(client_id, quantity="100000"), wait=10)
    assert (order.state, order.may_have_been_executed) == ("rejected", False)
    assert order.told["answer"]["body"]["code"] < 0
    assert binance.executions(client_id) == 0


@pytest.mark.parametrize("token", ["", "wrong"])
def test_without_the_doors_token_no_order_is_taken(
    token: str, carrier: Sidecar, orders: Orders, binance: Simulated, client_id: str
) -> None:
    neutral = call(carrier, "/v1/orders", binance_order(client_id), method="POST", token=token)
    proxied = call(
        carrier,
        f"/binance{LIMIT}&newClientOrderId={client_id}",
        method="POST",
        token=token,
        headers={"Prefer": "respond-async"},
    )
    assert (neutral.status, proxied.status) == (401, 407)
    assert orders.find(client_id) is None
    assert binance.executions(client_id) == 0


def test_without_a_state_file_orders_are_refused_with_what_is_missing(
    sidecar: Sidecar, binance: Simulated, client_id: str
) -> None:
    with pytest.raises(OrderRefusedError, match=r"set state\.path") as refused:
        Orders(f"unix:{sidecar.socket}").place(**binance_order(client_id))
    assert refused.value.status == 409
    assert binance.executions(client_id) == 0


def _command(sidecar: Sidecar, *arguments: str) -> tuple[int, str]:
    ended = command("orders", "--config", str(sidecar.config), *arguments)
    return ended.returncode, ended.stdout


def _listen(sidecar: Sidecar, order_id: str, events: list[str], begun: threading.Event) -> None:
    connection = UnixConnection(sidecar.socket, timeout=30)
    connection.request("GET", f"/v1/orders/{order_id}/events", headers={"Authorization": f"Bearer {DOOR}"})
    stream: Any = connection.getresponse()
    while line := stream.readline():
        if line.startswith(b"data: "):
            events.append(json.loads(line[6:])["state"])
            begun.set()
    connection.close()
