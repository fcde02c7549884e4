"""Somebody is told when the real thing fails: once, over a restart, and when it is over."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.alerting.sink import Sink
from tests.alerting.sink import sink as listening
from tests.e2e.bots import ConnectorBot
from tests.e2e.raw import RawBroker, answer
from tests.e2e.stack import QUICK, Sidecar, Simulated, command, fetch, until

pytestmark = pytest.mark.e2e

SECRET = "hook-secret-4711"


@pytest.fixture
def hook() -> Iterator[Sink]:
    with listening() as made:
        yield made


@pytest.fixture
def alertmanager() -> Iterator[Sink]:
    with listening() as made:
        yield made


def settings(folder: Path, hook: Sink, alertmanager: Sink) -> dict[str, Any]:
    url = folder / "hook-url"
    url.write_text(f"json://{hook.url.removeprefix('http://')}/{SECRET}")
    url.chmod(0o600)
    channel = {"url_file": str(url), "severities": ["critical"], "aggregate_seconds": 0}
    return {
        "state": {"path": str(folder / "state.db")},
        "alerting": {"channels": {"hook": channel}, "alertmanager": {"url": alertmanager.url}},
    }


def errors(sidecar: Sidecar, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = fetch(f"{sidecar.url}/v1/errors{query}")["errors"]
    return found


def test_a_refused_key_is_told_once_and_told_when_it_is_over(tmp_path: Path, hook: Sink, alertmanager: Sink) -> None:
    with RawBroker.listening() as broker:
        broker.reply = lambda _: answer(401, {})
        own = QUICK | {"profile": "generic", "base_url": broker.url}
        sidecar = Sidecar(tmp_path, {"mine": own}, **settings(tmp_path, hook, alertmanager))
        try:
            for _ in range(5):
                _called(sidecar, 401)
            until(lambda: bool(hook.bodies and alertmanager.bodies), "told")
            assert sidecar.stop() == 0
            sidecar.start()
            _called(sidecar, 401)
            assert [(error["type"], error["count"]) for error in errors(sidecar)] == [("auth_failed", 6)]

            broker.reply = lambda _: answer(200, {})
            _called(sidecar, 200)
            until(lambda: len(hook.bodies) == 2, "told that it is over")
            until(lambda: alertmanager.bodies[-1][0]["endsAt"] < alertmanager.bodies[0][0]["endsAt"], "ended")
        finally:
            sidecar.stop()

    assert [body["type"] for body in hook.bodies] == ["failure", "success"]
    assert set(hook.paths) == {f"/{SECRET}"}
    labels = alertmanager.bodies[0][0]["labels"]
    assert (labels["alertname"], labels["bot"], labels["broker"]) == ("SidecarAuthFailed", "tester", "mine")
    (line,) = [line for line in sidecar.audit_lines() if line["event"] == "error_resolved"]
    assert (line["error_type"], line["reason"]) == ("auth_failed", "over")
    for written in (sidecar.child.text(), str(sidecar.audit_lines())):
        assert SECRET not in written


def test_an_order_in_doubt_stays_an_error_until_a_person_has_looked(
    tmp_path: Path, binance: Simulated, hook: Sink, alertmanager: Sink
) -> None:
    own = QUICK | {"profile": "binance-usdm", "base_url": binance.url}
    sidecar = Sidecar(tmp_path, {"binance": own}, **settings(tmp_path, hook, alertmanager))
    try:
        binance.fault("reset_before", method="POST")
        ConnectorBot(sidecar).buy("doubtful-1")
        until(lambda: bool(hook.bodies and alertmanager.bodies), "told")
        (error,) = errors(sidecar, "?type=order_outcome_unknown")
        assert (error["subject"], error["resolved"]) == ("doubtful-1", False)
        assert error["context"]["client_id"] == "doubtful-1"

        said = command("errors", "resolve", error["id"], "--reason", "not there", "--config", str(sidecar.config))
        assert said.returncode == 0, said.stdout
        assert [error["resolution"] for error in errors(sidecar, "?resolved=true")] == ["manual"]
        until(lambda: len(hook.bodies) == 2, "told that it is over")
    finally:
        sidecar.stop()


def _called(sidecar: Sidecar, status: int) -> None:
    connection = HTTPConnection("127.0.0.1", sidecar.tcp, timeout=30)
    try:
        connection.request("GET", "/mine/x")
        told = connection.getresponse()
        told.read()
    finally:
        connection.close()
    assert told.status == status
