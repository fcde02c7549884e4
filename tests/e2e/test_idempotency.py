"""`Idempotency-Key` end to end: real sockets, a real state file, a process that is killed."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest

from tests.e2e.load import ENDPOINT, PATH, market_order
from tests.e2e.stack import QUICK, TOKEN, Sidecar, Simulated, command, until

pytestmark = pytest.mark.e2e

PATIENT = QUICK | {"deadline_seconds": 20, "timeouts": {"answer_seconds": 15}}


@dataclass(frozen=True)
class Told:
    status: int
    headers: tuple[tuple[str, str], ...]
    fate: str
    body: bytes


def send(sidecar: Sidecar, client_id: str, key: str) -> Told:
    """An order with a key, and everything that the bot is told."""
    connection = HTTPConnection("127.0.0.1", sidecar.tcp, timeout=30)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "Idempotency-Key": key}
    connection.request("POST", PATH, json.dumps(market_order(client_id)), headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    kept = tuple(pair for pair in answer.getheaders() if pair[0] != "Sidecar-Fate")
    return Told(answer.status, kept, answer.headers["Sidecar-Fate"], body)


@pytest.fixture
def own(tmp_path: Path, oanda: Simulated) -> Iterator[Sidecar]:
    broker = {"profile": "oanda", "base_url": oanda.url} | PATIENT
    sidecar = Sidecar(tmp_path / "sidecar", {"oanda": broker}, state={"path": str(tmp_path / "state.db")})
    yield sidecar
    sidecar.child.stop(signal.SIGKILL)


def test_an_order_whose_sidecar_was_killed_before_the_answer_is_in_doubt_and_not_sent_again(
    own: Sidecar, oanda: Simulated
) -> None:
    oanda.fault("answer_lost", method="POST")

    def lost() -> None:
        with suppress(OSError):
            send(own, "killed", "key-1")

    bot = Thread(target=lost)
    bot.start()
    until(lambda: oanda.executions("killed") == 1, "the order in the book")
    own.child.stop(signal.SIGKILL)
    bot.join()
    own.start()
    told = send(own, "killed", "key-1")
    assert (told.status, told.fate) == (504, "unknown; attempts=1; why=unknown; from=store")
    assert b"sent once, outcome unknown" in told.body
    assert (oanda.executions("killed"), oanda.executed()["requests"][ENDPOINT]) == (1, 1)
    assert own.metric("sidecar_idempotent_calls_total", result="in_doubt") == 1


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_an_answer_outlives_its_sidecar_byte_for_byte(own: Sidecar, oanda: Simulated, end: signal.Signals) -> None:
    first = send(own, "kept", "key-1")
    assert (first.status, first.fate) == (201, "ok; attempts=1")
    own.child.stop(end)
    own.start()
    again = send(own, "kept", "key-1")
    assert again.fate == "ok; attempts=1; from=store"
    assert (again.status, again.headers, again.body) == (first.status, first.headers, first.body)
    other = send(own, "other", "key-1")
    assert (other.status, b"used for another request" in other.body) == (422, True)
    assert oanda.executed()["requests"][ENDPOINT] == 1
    until(lambda: results(own) == ["replayed", "conflict"], "both in the audit log")


def results(sidecar: Sidecar) -> list[str]:
    return [line["result"] for line in sidecar.audit_lines() if line["event"] == "call_replayed"]


def test_twenty_resends_at_once_are_executed_once_and_told_the_same(own: Sidecar, oanda: Simulated) -> None:
    oanda.fault("latency", method="POST", seconds=0.5)
    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(lambda _: send(own, "many", "key-1"), range(20)))
    assert {(each.status, each.body) for each in told} == {(201, told[0].body)}
    assert sorted(each.fate for each in told) == ["ok; attempts=1"] + ["ok; attempts=1; from=store"] * 19
    assert (oanda.executions("many"), oanda.executed()["requests"][ENDPOINT]) == (1, 1)
    assert own.metric("sidecar_idempotent_calls_total", result="replayed") == 19


def test_without_a_state_file_a_key_is_refused_and_never_ignored(sidecar: Sidecar, oanda: Simulated) -> None:
    told = send(sidecar, "stateless", "key-1")
    assert (told.status, b"set state.path" in told.body) == (400, True)
    assert oanda.executions("stateless") == 0


def test_a_second_sidecar_on_the_same_state_file_does_not_start(own: Sidecar, tmp_path: Path, oanda: Simulated) -> None:
    broker = {"profile": "oanda", "base_url": oanda.url}
    state = {"path": str(tmp_path / "state.db")}
    second = Sidecar(tmp_path / "second", {"oanda": broker}, state=state, start=False)
    ended = command("run", "--config", str(second.config))
    assert ended.returncode == 1
    assert "The sidecar cannot start" in ended.stdout
    assert "state.db" in ended.stdout
    assert own.metric("sidecar_idempotent_calls_total") == 0


def test_a_damaged_state_file_stops_the_start_and_stays_as_it_is(tmp_path: Path, oanda: Simulated) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"no database at all" * 100)
    broker = {"profile": "oanda", "base_url": oanda.url}
    sidecar = Sidecar(tmp_path / "sidecar", {"oanda": broker}, state={"path": str(path)}, start=False)
    ended = command("run", "--config", str(sidecar.config))
    assert (ended.returncode, "The sidecar cannot start" in ended.stdout) == (1, True), ended.stdout
    assert path.read_bytes() == b"no database at all" * 100
