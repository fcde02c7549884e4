"""Starting while a broker is away or refuses the keys, and new configurations without a restart: in real processes."""

import signal
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.load import Load
from tests.e2e.stack import ACCOUNT, QUICK, TOKEN, Child, Sidecar, Simulated, fetch, free_port, until
from tests.e2e.test_process import probe

pytestmark = pytest.mark.e2e

DOOR = "door"
SOON: dict[str, Any] = {"attempts": 2, "delay_seconds": [0.2], "waiting_interval_seconds": 0.3}
READ = f"/oanda/v3/accounts/{ACCOUNT}/summary"


def written(path: Path, text: str) -> str:
    path.write_text(f"{text}\n")
    return str(path)


@contextmanager
def running(folder: Path, brokers: dict[str, Any], **settings: Any) -> Iterator[Sidecar]:
    sidecar = Sidecar(folder / "sidecar", brokers, token=DOOR, **settings)
    try:
        yield sidecar
    finally:
        sidecar.child.stop(signal.SIGKILL)


def signing(url: str, token_file: str, **settings: Any) -> dict[str, Any]:
    credentials = {"token_file": token_file}
    return {"oanda": {"profile": "oanda", "base_url": url, "credentials": credentials} | QUICK | settings}


def state(sidecar: Sidecar) -> str:
    told: str = sidecar.status()["operational"]["state"]
    return told


def read(sidecar: Sidecar) -> int:
    """What a bot is answered that reads its account, with a made-up key of its own at OANDA."""
    connection = HTTPConnection("127.0.0.1", sidecar.tcp, timeout=30)
    connection.request("GET", READ, headers={"Proxy-Authorization": f"Bearer {DOOR}", "Authorization": "Bearer none"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def events(sidecar: Sidecar, kind: str, at_least: int = 1) -> list[dict[str, Any]]:
    """The audit lines of a kind, waited for: they are written off the event's path."""

    def found() -> list[dict[str, Any]]:
        return [line for line in sidecar.audit_lines() if line["event"] == kind]

    until(lambda: len(found()) >= at_least, f"{at_least} audit lines {kind}")
    return found()


# A broker that is away


def test_with_a_dead_broker_it_waits_says_so_once_and_goes_on_by_itself(tmp_path: Path) -> None:
    port = free_port()
    dead = {"oanda": {"profile": "oanda", "base_url": f"http://127.0.0.1:{port}", "startup": SOON} | QUICK}
    with running(tmp_path, dead) as sidecar:
        until(lambda: state(sidecar) == "waiting", "waiting")
        assert probe(sidecar, "startupz") == (200, "started")
        assert probe(sidecar, "livez") == (200, "alive")
        status, why = probe(sidecar, "readyz")
        assert (status, "no connection comes about" in why) == (503, True)
        assert sidecar.metric("sidecar_operational_state", state="waiting") == 1
        time.sleep(1)  # several further rounds
        assert sidecar.child.text().count('"oanda: waiting') == 1
        back = Child(["simulate", "oanda", "--port", str(port)], tmp_path / "oanda.log")
        try:
            until(lambda: probe(sidecar, "readyz") == (200, "ready"), "ready by itself")
        finally:
            back.stop()
        entered = [line["to_state"] for line in events(sidecar, "operational_state_changed", at_least=2)]
        assert entered == ["waiting", "active"]


def test_a_broker_that_is_away_does_not_keep_the_others_from_trading(tmp_path: Path, oanda: Simulated) -> None:
    both = {
        "oanda": {"profile": "oanda", "base_url": oanda.url} | QUICK,
        "dead": {"profile": "oanda", "base_url": f"http://127.0.0.1:{free_port()}", "startup": SOON} | QUICK,
    }
    with running(tmp_path, both) as sidecar:
        until(lambda: sidecar.metric("sidecar_broker_readiness", broker="dead", state="waiting") == 1, "one waits")
        assert probe(sidecar, "readyz") == (200, "ready")


# Keys that the broker refuses


def test_with_a_wrong_key_it_is_idle_says_so_once_and_shows_the_key_once(tmp_path: Path, oanda: Simulated) -> None:
    key = tmp_path / "key"
    with running(tmp_path, signing(oanda.url, written(key, "wrong"), startup=SOON)) as sidecar:
        until(lambda: state(sidecar) == "error", "an error")
        asked = oanda.executed()["requests"]
        time.sleep(1)
        assert oanda.executed()["requests"] == asked
        assert sidecar.child.text().count("oanda: not traded with") == 1
        assert probe(sidecar, "startupz") == (200, "started")
        assert probe(sidecar, "readyz")[0] == 503
        assert [line["to_state"] for line in events(sidecar, "broker_checked")] == ["error"]

        written(key, TOKEN)
        fetch(f"{sidecar.url}/v1/startup/retry", {}, token=DOOR)
        until(lambda: oanda.executed()["requests"] != asked, "another round")
        assert state(sidecar) == "error"  # the file is read by a reload alone

        sidecar.child.send(signal.SIGHUP)
        until(lambda: probe(sidecar, "readyz") == (200, "ready"), "ready with the new key")
        assert read(sidecar) == 200


# Reloads


def rewrite(sidecar: Sidecar, **changes: Any) -> None:
    """Change the first broker's keys in the configuration file; those with a dot are the whole tree's."""
    data = yaml.safe_load(sidecar.config.read_text())
    for key, value in changes.items():
        part, _, name = key.rpartition("__")
        target = data[part] if part else data["brokers"]["oanda"]
        target[name] = value
    sidecar.config.write_text(yaml.safe_dump(data))


def reloads(sidecar: Sidecar, at_least: int = 1) -> list[dict[str, Any]]:
    return events(sidecar, "configuration_reloaded", at_least)


def test_rotated_keys_are_picked_up_by_a_signal_without_dropping_a_call(tmp_path: Path, oanda: Simulated) -> None:
    key = tmp_path / "key"
    with running(tmp_path, signing(oanda.url, written(key, TOKEN))) as sidecar:
        statuses: list[int] = []
        over = threading.Event()

        def trade() -> None:
            while not over.is_set():
                statuses.append(read(sidecar))

        bot = threading.Thread(target=trade)
        bot.start()
        try:
            until(lambda: len(statuses) > 3, "calls")
            written(key, "another")
            sidecar.child.send(signal.SIGHUP)
            until(lambda: statuses[-1] == 401, "the new key, which is wrong")
            written(key, TOKEN)
            sidecar.child.send(signal.SIGHUP)
            until(lambda: statuses[-1] == 200, "the old key again")
        finally:
            over.set()
            bot.join()
        assert set(statuses) == {200, 401}
        assert [line["changed"] for line in reloads(sidecar, 2)] == [["brokers.oanda.credentials"]] * 2


def test_a_reload_by_the_api_says_what_has_changed_and_what_cannot(tmp_path: Path, oanda: Simulated) -> None:
    with running(tmp_path, {"oanda": {"profile": "oanda", "base_url": oanda.url} | QUICK}) as sidecar:
        rewrite(sidecar, retry={"attempts": 1}, listen__tcp=f"127.0.0.1:{free_port()}", log__level="debug")
        told = fetch(f"{sidecar.url}/v1/reload", {}, token=DOOR)
        assert "brokers.oanda.retry.attempts" in told["changed"]
        assert "log.level" in told["changed"]
        assert told["needs_restart"] == ["listen.tcp"]
        assert sidecar.metric("sidecar_reloads_total", result="ok") == 1


def test_a_new_policy_is_in_force_after_a_reload(tmp_path: Path, oanda: Simulated) -> None:
    once = QUICK | {"retry": {"attempts": 1}}
    with running(tmp_path, {"oanda": {"profile": "oanda", "base_url": oanda.url} | once}) as sidecar:
        oanda.fault("internal", method="GET")
        assert attempts(sidecar) == 1
        rewrite(sidecar, retry=QUICK["retry"])
        fetch(f"{sidecar.url}/v1/reload", {}, token=DOOR)
        oanda.fault("internal", method="GET")
        assert attempts(sidecar) == 2


def attempts(sidecar: Sidecar) -> float:
    """How many attempts a read takes."""
    before = sidecar.metric("sidecar_attempts_total")
    read(sidecar)
    return sidecar.metric("sidecar_attempts_total") - before


def test_a_bad_file_keeps_the_old_configuration_and_says_everything_that_is_wrong(
    tmp_path: Path, oanda: Simulated
) -> None:
    with running(tmp_path, signing(oanda.url, written(tmp_path / "key", TOKEN))) as sidecar:
        good = sidecar.config.read_text()
        rewrite(sidecar, retry={"attempts": 0}, scrape__adress="127.0.0.1:1")
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetch(f"{sidecar.url}/v1/reload", {}, token=DOOR)
        with refused.value as answer:
            told = answer.read().decode()
        assert refused.value.code == 422
        assert "brokers.oanda.retry.attempts" in told
        assert "scrape.adress" in told
        sidecar.child.send(signal.SIGHUP)
        until(lambda: sidecar.child.text().count("the old one stays") == 2, "the log says so")
        assert sidecar.metric("sidecar_reloads_total", result="refused") == 2
        assert read(sidecar) == 200
        sidecar.config.write_text(good)
        assert fetch(f"{sidecar.url}/v1/reload", {}, token=DOOR) == {"changed": [], "needs_restart": []}


def test_a_reload_under_load_loses_no_call(tmp_path: Path, oanda: Simulated) -> None:
    sidecar = Sidecar(tmp_path, {"oanda": {"profile": "oanda", "base_url": oanda.url} | QUICK})
    with Load.on(sidecar) as load:
        for _ in range(5):
            sidecar.child.send(signal.SIGHUP)
            time.sleep(0.1)
        until(lambda: len(load.answered) > 40, "40 orders")
        assert sidecar.stop() == 0
    assert load.lost == {}
    assert len(reloads(sidecar)) >= 1
    assert all(fate.startswith("ok; attempts=1") for fate in load.answered.values())


# What the last run left


def test_a_run_that_was_killed_is_told_of_at_the_next_start_and_one_that_was_stopped_is_not(
    tmp_path: Path, oanda: Simulated
) -> None:
    brokers = {"oanda": {"profile": "oanda", "base_url": oanda.url} | QUICK}
    sidecar = Sidecar(tmp_path / "s", brokers, state={"path": str(tmp_path / "state.db")})
    assert "The last run" not in sidecar.child.text()
    sidecar.child.stop(signal.SIGKILL)
    sidecar.start()
    assert "The last run was not stopped but ended suddenly" in sidecar.child.text()
    assert sidecar.stop() == 0
    sidecar.start()
    assert "The last run" not in sidecar.child.text()
    assert sidecar.stop() == 0
