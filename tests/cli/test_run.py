"""`sidecar run` starts with a right configuration only."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sidecar.cli import main
from sidecar.config.model import Config
from tests.config.support import BINANCE, written

Started = list[tuple[Config, Path]]


@pytest.fixture(autouse=True)
def _other_tests_hear_the_signal() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """What the server was started with; it ends at once, with status 7."""
    calls: Started = []

    def run(config: Config, source: Path) -> int:
        calls.append((config, source))
        return 7

    server = ModuleType("sidecar.process")
    server.__dict__["run"] = run
    monkeypatch.setitem(sys.modules, "sidecar.process", server)
    return calls


def test_a_right_configuration_is_served(tmp_path: Path, started: Started) -> None:
    file = written(tmp_path, f"bot: a\n{BINANCE}")

    assert main(["run", "--config", str(file)]) == 7
    ((config, source),) = started
    assert (config.bot, source) == ("a", file)


def test_a_reload_that_is_asked_for_before_there_is_a_server_does_not_end_it(tmp_path: Path, started: Started) -> None:
    main(["run", "--config", str(written(tmp_path, BINANCE))])

    os.kill(os.getpid(), signal.SIGHUP)

    assert started


def test_a_wrong_configuration_is_reported_with_status_2_and_nothing_starts(
    tmp_path: Path, started: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "bot: a\n")

    assert main(["run", "--config", str(file)]) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"{file}:1: brokers\n    wrong: this key is missing" in shown.err
    assert started == []


def test_the_report_is_the_one_of_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, f"bot: no\nlog: {{levle: info}}\n{BINANCE}")

    main(["check", str(file)])
    checked = capsys.readouterr().out
    main(["run", "--config", str(file)])

    assert capsys.readouterr().err == checked


def test_the_configuration_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run"])

    assert ended.value.code == 2
    assert "--config" in capsys.readouterr().err
