"""`sidecar check` tells everything that is wrong, or what would run."""

import json
from pathlib import Path

import pytest

from sidecar.cli import main
from tests.config.support import BINANCE, written


def test_a_wrong_configuration_is_reported_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, f"bot: no\n{BINANCE}    retry: {{atempts: 3}}\n")

    assert main(["check", str(file)]) == 2

    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.splitlines()[:3] == [f"{file}: 2 problems", "", f"{file}:1: bot: no"]
    assert f"{file}:6: brokers.binance.retry.atempts" in shown.out
    assert "did you mean attempts?" in shown.out


def test_a_wrong_configuration_is_reported_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, f"{BINANCE}    retry: {{attempts: 0}}\n")

    assert main(["check", str(file), "--json"]) == 2

    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "file": str(file),
        "problems": [
            {
                "source": str(file),
                "line": 5,
                "key": "brokers.binance.retry.attempts",
                "value": "0",
                "wrong": "is too small",
                "right": "a whole number from 1 to 20, or null",
            }
        ],
    }


def test_the_environment_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIDECAR_BOT", "a b")

    assert main(["check", str(written(tmp_path, BINANCE))]) == 2
    assert "environment variable SIDECAR_BOT: bot: a b" in capsys.readouterr().out


def test_a_right_configuration_shows_what_would_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:hunter2@collector")
    (tmp_path / "token").touch(0o600)
    (tmp_path / "token").write_text("hunter2")
    file = written(
        tmp_path,
        f"bot: scalper\nlisten: {{unix: {tmp_path}/s, allowed_uids: [7, 8], token_file: {tmp_path}/token}}\n"
        f"{BINANCE}    retry: {{endpoints: {{place_order: {{attempts: 1}}}}}}\n"
        "    limits: {windows: {weight_1m: {capacity: 1200}}}\n",
    )

    assert main(["check", str(file)]) == 0

    shown = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[0] == f"{file}: valid; sidecar run --config {file} would run this:"
    for line in (
        "bot scalper",
        f"socket {tmp_path}/s (mode 0660, users 7 and 8 only)",
        "tcp http://127.0.0.1:8787",
        "token every call must carry it",
        "metrics http://0.0.0.0:9464/metrics",
        "traces where OTEL_EXPORTER_OTLP_ENDPOINT says (http/protobuf), 100 % of plain reads",
        "audit log audit, kept 30 days",
        "calls /binance/... -> https://fapi.binance.com/...",
        "deadline 9 s; connect 3 s, answer 6 s, silent stream 30 s",
        "retry preset binance: 4 attempts, after 1, 2 and 4 s, give or take 20 %",
        "place_order: 1 attempt, no retry",
        "opens after 5 failures in a row,",
        "1 at a time may try after 60 s, growing to 900 s",
        "weight_1m 1200 in 60 s per address told by x-mbx-used-weight-1m as configured",
        "orders_10s 300 in 10 s per account told by x-mbx-order-count-10s",
    ):
        assert line in lines
    assert "hunter2" not in shown


def test_a_right_configuration_shows_what_would_run_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    oanda = "  oanda: {profile: oanda, base_url: https://api-fxtrade.oanda.com}\n"

    assert main(["check", str(written(tmp_path, BINANCE + oanda)), "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert [warning["key"] for warning in told["warnings"]] == ["brokers.oanda.stream_url"]
    first, second = told["plan"]["brokers"]
    assert first["retry"]["delays_seconds"] == [1, 2, 4]
    assert first["breaker"]["recovery_seconds"] == 60
    assert {limit["name"] for limit in second["limits"]["planned"]} >= {"global", "orders"}


def test_warnings_come_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(written(tmp_path, BINANCE.replace("https", "http")))]) == 0

    *_, heading, _, _, wrong, right = capsys.readouterr().out.splitlines()
    assert heading == "1 warning:"
    assert wrong == "    wrong: keys and orders would cross the network in clear text"
    assert right == "    right: https://fapi.binance.com"


def test_what_is_shown_is_ascii(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(written(tmp_path, f"bot: ä\n{BINANCE}"))])

    shown = capsys.readouterr().out
    assert shown.isascii()
    assert "bot: \\u00e4" in shown


@pytest.mark.parametrize("as_json", [True, False])
def test_a_state_file_that_would_end_the_start_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    state = tmp_path / "state.db"
    state.write_bytes(b"no database" * 100)
    file = written(tmp_path, f"state: {{path: {state}}}\n{BINANCE}")
    assert main(["check", str(file), *(["--json"] if as_json else [])]) == 2
    told = capsys.readouterr().out
    assert state.read_bytes() == b"no database" * 100
    if as_json:
        (check,) = json.loads(told)["checks"]
        assert (check["check"], check["passed"], "damaged" in check["detail"]) == ("state_file", False, True)
    else:
        assert "start-up check state_file fails: " in told


def test_a_state_file_that_is_not_there_yet_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(written(tmp_path, f"state: {{path: {tmp_path}/state.db}}\n{BINANCE}"))]) == 0
    assert "start-up check state_file: " in capsys.readouterr().out
