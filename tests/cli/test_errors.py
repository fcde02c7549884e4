"""`sidecar errors` tells what went wrong, and takes a person's word that it is over."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.alerting.ledger import Ledger
from sidecar.alerting.registry import Registry
from sidecar.alerting.types import ErrorType
from sidecar.api.error_routes import ErrorRoutes
from sidecar.cli import main
from sidecar.clock import VirtualClock
from sidecar.telemetry.events import Bus
from tests.api.support import house

Capture = pytest.CaptureFixture[str]


class Running:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.registry = Registry(Bus(self.clock), self.clock, Ledger(None, self.clock))
        self.socket = folder / "s"

    async def errors(self, *arguments: str) -> int:
        return await asyncio.to_thread(main, ["errors", *arguments, "--socket", str(self.socket)])


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    made = Running(tmp_path)
    async with house(tmp_path, more=ErrorRoutes(made.registry, made.clock).routes()):
        yield made


async def test_none(running: Running, capsys: Capture) -> None:
    assert await running.errors() == 0
    assert capsys.readouterr().out == "0 errors; 0 last\n"


async def test_the_list_says_what_lasts_and_what_to_do(running: Running, capsys: Capture) -> None:
    running.registry.happened(ErrorType.STREAM_LOST, "binance", "prices")
    running.registry.ended(ErrorType.STREAM_LOST, "binance", "prices")
    running.clock.advance(5)
    running.registry.happened(ErrorType.AUTH_FAILED, "oanda", "orders")

    assert await running.errors() == 3

    shown = capsys.readouterr().out
    head, _, _, first, second, *_ = shown.splitlines()
    assert head == "2 errors; 1 last: 1 critical"
    assert first.split()[1:5] == ["critical", "auth_failed", "oanda", "orders"]
    assert first.endswith("lasts")
    assert second.endswith("over (over)")
    assert "auth_failed: Check the key" in shown


async def test_an_error_that_is_not_critical_is_no_bad_exit(running: Running) -> None:
    running.registry.happened(ErrorType.STREAM_LOST, "binance", "prices")
    assert await running.errors() == 0


async def test_the_filters_reach_the_sidecar(running: Running, capsys: Capture) -> None:
    running.registry.happened(ErrorType.STREAM_LOST, "binance", "prices")
    running.registry.happened(ErrorType.LIMIT_NEAR, "oanda", "weight")
    running.registry.ended(ErrorType.LIMIT_NEAR, "oanda")

    filters = ["--lasting", "--severity", "error", "--type", "stream_lost", "--broker", "binance", "--since", "1h"]
    assert await running.errors(*filters, "--json") == 0

    assert [error["type"] for error in json.loads(capsys.readouterr().out)["errors"]] == ["stream_lost"]


async def test_what_makes_no_sense_is_told(running: Running, capsys: Capture) -> None:
    assert await running.errors("--since", "yesterday") == 1
    assert "since takes Unix seconds, ISO 8601, or how long ago" in capsys.readouterr().err


async def test_resolve(running: Running, capsys: Capture) -> None:
    running.registry.happened(ErrorType.ORDER_DEAD, "binance", "order-7")
    (record,) = running.registry.all()

    assert await running.errors("resolve", record.id, "--reason", "filled, says the broker") == 0

    assert capsys.readouterr().out == f"{record.id}: order_dead binance order-7: over (manual)\n"
    assert record.note == "filled, says the broker"


async def test_resolve_what_is_not_there(running: Running, capsys: Capture) -> None:
    assert await running.errors("resolve", "nothing", "--reason", "x") == 1
    assert "no error has this id" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["resolve"], ["resolve", "0123"], ["resolve", "--reason", "x"]])
async def test_resolve_wants_an_id_and_a_reason(running: Running, capsys: Capture, arguments: list[str]) -> None:
    assert await running.errors(*arguments) == 2
    assert "give the error's id, and --reason" in capsys.readouterr().err


async def test_patterns(running: Running, capsys: Capture) -> None:
    running.registry.happened(ErrorType.BROKER_DOWN, "binance")
    running.clock.advance(2)
    running.registry.happened(ErrorType.STREAM_LOST, "binance", "prices")

    assert await running.errors("patterns", "--within", "5") == 0

    shown = capsys.readouterr().out
    assert "within 5 s came" in shown
    assert ["broker_down", "stream_lost", "1", "100%"] in [line.split() for line in shown.splitlines()]


async def test_patterns_of_nothing(running: Running, capsys: Capture) -> None:
    assert await running.errors("patterns") == 0
    assert capsys.readouterr().out == "no errors are remembered\n"


def test_nobody_there(tmp_path: Path, capsys: Capture) -> None:
    assert main(["errors", "--socket", str(tmp_path / "none")]) == 1
    assert "nothing listens at" in capsys.readouterr().err
