import argparse
import json
from pathlib import Path

import pytest

from sidecar.cli import audit
from sidecar.telemetry.audit.files import day_of
from sidecar.telemetry.audit.lines import lines_of
from tests.telemetry.audit_samples import NOON, call, journal

FILE = "audit-2026-11-22.jsonl"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    log = journal(tmp_path / "audit")
    for number in range(3):
        event = call(id=f"call-{number}", symbol=f"SYM{number}", response=(("msg", "bad\x1b[2J\x9b"),))
        log.append(day_of(NOON), list(lines_of(NOON + number, event)))
    log.close()
    return tmp_path / "audit"


def sidecar(*words: object) -> int:
    parser = argparse.ArgumentParser(prog="sidecar")
    audit.add(parser.add_subparsers(required=True))
    args = parser.parse_args(["audit", *map(str, words)])
    status: int = args.run(args)
    return status


def test_a_person_reads_one_aligned_line_an_event(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sidecar("--directory", directory) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("2026-11-22 12:00:00.000000Z  order_placed ")
    assert {line.index("SYM") for line in lines} == {lines[0].index("SYM")}


def test_what_a_broker_wrote_cannot_steer_the_terminal(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar("--directory", directory)
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


def test_json_prints_the_lines_of_the_file(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sidecar("--directory", directory, "--json") == 0
    assert capsys.readouterr().out == (directory / FILE).read_text()


def test_options_narrow_the_lines_down(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--symbol", "SYM1", "--event", "order_placed", "--broker", "binance", "--id", "call-1")
    sidecar("--directory", directory, "--json", *options, "--since", "2026-11-22T12:00Z", "--until", "2026-11-23")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["correlation_id"] == "call-1"


def test_a_limit_that_was_reached_is_told(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar("--directory", directory, "--limit", 2)
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert "--limit 0" in captured.err


def test_a_whole_log_verifies_with_its_hash(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sidecar("verify", "--directory", directory) == 0
    newest = json.loads((directory / FILE).read_text().splitlines()[-1])
    assert f"whole: 3 lines in 1 files; line 3 has hash {newest['hash']}" in capsys.readouterr().out


def test_a_broken_log_is_told_with_file_and_line(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = directory / FILE
    file.write_text(file.read_text().replace("SYM1", "SYM9"))
    assert sidecar("verify", "--directory", directory) == 1
    assert f"{file}:2: altered" in capsys.readouterr().out


def test_the_directory_comes_from_the_configuration(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "sidecar.yaml"
    config.write_text(
        f"audit:\n  directory: {directory}\n"
        "brokers:\n  binance:\n    profile: binance-usdm\n    base_url: https://fapi.example.com\n"
    )
    assert sidecar("verify", "--config", config) == 0
    assert "3 lines" in capsys.readouterr().out


def test_a_bad_configuration_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sidecar("verify", "--config", tmp_path / "none.yaml") == 2
    assert "none.yaml" in capsys.readouterr().err


def test_a_missing_directory_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sidecar("--directory", tmp_path / "none") == 2
    assert "none: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--limit", "-1"), ("erase",)])
def test_misspelt_options_are_usage_errors(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        sidecar(*words)
    assert stopped.value.code == 2


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("2h", 7200), ("1.5d", 129600), ("1w", 604800)])
def test_a_time_may_be_how_long_ago(text: str, seconds: float) -> None:
    assert audit._moment("0s") - audit._moment(text) == pytest.approx(seconds, abs=5)


def test_a_time_without_a_zone_is_utc() -> None:
    assert audit._moment("2026-11-22T12:00:00") == audit._moment("2026-11-22T13:00:00+01:00") == NOON
