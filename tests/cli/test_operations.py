"""`sidecar operations` shows operations and their steps, how they have fared, and undoes one."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from sidecar.api.operation_views import AllStatistics, OperationList, OperationView, Statistics
from sidecar.cli import main
from sidecar.words import OperationState, OperationType
from tests.cli.test_orders import Sidecar, serving

ID = "3f0a61c29de5b8474c11"
LONG = "the stop stays at 58000; it could not be moved to 61000: -2021 Order would immediately trigger. " * 2


def leg(name: str, state: str = "filled", **details: Any) -> dict[str, Any]:
    told = {"name": name, "role": name[:-1], "order": f"{name}-id", "state": state, "reason": "", "filled": "0"}
    return told | {"undo": "cancel it"} | details


def an_operation(state: OperationState = OperationState.IN_PROGRESS, **details: Any) -> OperationView:
    told: dict[str, Any] = {
        "id": ID,
        "type": "bracket",
        "broker": "binance",
        "client_id": "breakout-17",
        "native": False,
        "state": state,
        "settled": True,
        "final": state.final,
        "reason": "",
        "created_at": 1_795_327_261.3,
        "updated_at": 1_795_327_262.8,
        "intent": {"type": "bracket", "broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "0.01"},
        "stop_price": "58000",
        "legs": [leg("entry1", filled="0.01"), leg("stop2", "working")],
        "failed": [],
        "errors": [],
        "recoveries": [],
    }
    return OperationView.model_validate(told | details)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Sidecar]:
    async with serving(tmp_path / "s") as sidecar:
        yield sidecar


def tells(sidecar: Sidecar, answer: BaseModel) -> None:
    sidecar.body = answer.model_dump_json(exclude_none=True).encode()


async def operations(sidecar: Sidecar, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["operations", "--socket", str(sidecar.socket), *arguments])


async def test_the_newest_operations_take_two_lines_each(running: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    failed = an_operation(OperationState.FAILED, type="position_close", client_id="", reason="nobody knows")
    tells(running, OperationList(operations=[an_operation(), failed]))

    assert await operations(running) == 0

    assert running.asked == ["GET /v1/operations?limit=20"]
    assert capsys.readouterr().out.splitlines() == [
        "CHANGED          STATE        BROKER   TYPE",
        "11-22 06:01:02Z  in progress  binance  bracket",
        f"  {ID} breakout-17: all is in place and watched",
        "11-22 06:01:02Z  failed       binance  position close",
        f"  {ID}: nobody knows",
    ]


async def test_filters_are_asked_of_the_sidecar(running: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    tells(running, OperationList(operations=[]))
    filters = ["--broker", "a", "--type", "oco", "--state", "failed", "--client-id", "x/1", "--limit", "5"]

    assert await operations(running, *filters) == 0

    assert running.asked == ["GET /v1/operations?broker=a&type=oco&state=failed&client_id=x%2F1&limit=5"]
    assert capsys.readouterr().out == "no such operations\n"


async def test_that_there_may_be_more_is_told(running: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    tells(running, OperationList(operations=[an_operation()]))

    assert await operations(running, "--limit", "1") == 0
    assert capsys.readouterr().err == "The newest 1; --limit shows more.\n"


async def test_one_operation_is_shown_with_its_orders_and_steps(
    running: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [{"at": 1_795_327_261.0, "step": "plan", "detail": "entry1: buy 0.01 BTCUSDT, market"}]
    tells(running, an_operation(steps=steps))

    assert await operations(running, ID) == 0

    assert running.asked == [f"GET /v1/operations/{ID}"]
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"bracket {ID}: in progress, all is in place and watched"
    assert "  asked for    instrument BTCUSDT, side buy, quantity 0.01" in shown
    assert "  stop at      58000" in shown
    assert shown[-4:] == [
        "  entry1       filled, 0.01 traded, order entry1-id",
        "  stop2        working, order stop2-id",
        "",
        "11-22 06:01:01Z  plan      entry1: buy 0.01 BTCUSDT, market",
    ]


@pytest.mark.parametrize("native", [True, False])
async def test_it_is_told_whether_the_broker_keeps_its_orders_together(
    running: Sidecar, capsys: pytest.CaptureFixture[str], *, native: bool
) -> None:
    tells(running, an_operation(native=native))
    await operations(running, ID)
    assert ("which the broker keeps together" in capsys.readouterr().out) is native


async def test_one_that_has_failed_is_status_4_and_says_what_to_do(
    running: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    tells(running, an_operation(OperationState.FAILED, errors=["no stop works"]))

    assert await operations(running, ID) == 4
    assert "look at the account" in capsys.readouterr().out


@pytest.mark.parametrize("one", [True, False])
async def test_nothing_is_wider_than_80_columns_or_commands_the_terminal(
    running: Sidecar, capsys: pytest.CaptureFixture[str], *, one: bool
) -> None:
    wide = {"broker": "b" * 40, "client_id": "c" * 64, "reason": f"\x1b[2J {LONG}", "errors": [LONG], "type": "bracket"}
    operation = an_operation(OperationState.PARTIALLY_COMPLETED, **wide, legs=[leg("stop2", reason=LONG)])
    tells(running, operation if one else OperationList(operations=[operation]))

    await operations(running, *([ID] if one else []))

    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown


async def test_a_rollback_is_asked_for_and_what_is_being_undone_is_shown(
    running: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    running.head = "202 Accepted\r\nContent-Type: application/json"
    tells(running, an_operation(OperationState.ROLLING_BACK, settled=False, reason="somebody asked for it"))

    assert await operations(running, "--rollback", ID) == 0

    assert running.asked == [f"POST /v1/operations/{ID}/rollback"]
    assert capsys.readouterr().out.startswith(f"bracket {ID}: rolling back\n")


async def test_how_they_have_fared_is_a_table(running: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = {"started": 9, "active": 1, "completed": 6, "partially_completed": 0, "failed": 1, "rolled_back": 1}
    rates = {"success_rate": 0.75, "recovery_attempts": 2, "recovery_success_rate": None}
    bracket = Statistics.model_validate({"type": OperationType.BRACKET} | numbers | rates)
    tells(running, AllStatistics(types=[bracket]))

    assert await operations(running, "--statistics") == 0

    assert running.asked == ["GET /v1/operations/statistics"]
    assert capsys.readouterr().out.splitlines() == [
        "TYPE     STARTED  ACTIVE  DONE  PARTLY  FAILED  UNDONE  SUCCESS  TROUBLE  MENDED",
        "bracket  9        1       6     0       1       1       75%      2        -",
    ]


@pytest.mark.parametrize("arguments", [[ID], ["--statistics"], []])
async def test_as_json_the_answer_is_printed_as_it_came(
    running: Sidecar, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    several = AllStatistics(types=[]) if arguments == ["--statistics"] else OperationList(operations=[])
    tells(running, an_operation() if arguments == [ID] else several)

    await operations(running, *arguments, "--json")

    assert json.loads(capsys.readouterr().out) == json.loads(running.body)


async def test_what_the_sidecar_refuses_is_told_in_its_words(
    running: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    running.refuses("409 Conflict", "operation is completed: there is nothing to undo")

    assert await operations(running, "--rollback", ID) == 3
    assert "there is nothing to undo" in capsys.readouterr().err


async def test_without_a_sidecar_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["operations", "--socket", str(tmp_path / "none")]) == 1
    assert "nothing listens" in capsys.readouterr().err
