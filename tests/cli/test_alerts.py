"""`sidecar alerts test` sends one message through each channel and says what came back."""

from pathlib import Path

import pytest

from sidecar.cli import main
from tests.alerting.sink import sink
from tests.config.support import BINANCE, written

Capture = pytest.CaptureFixture[str]


def configured(folder: Path, hook: str, alertmanager: str = "") -> Path:
    (folder / "hook").write_text(f"json://{hook.removeprefix('http://')}/a-secret-path\n")
    (folder / "hook").chmod(0o600)
    url = f"  alertmanager: {{url: '{alertmanager}'}}\n" if alertmanager else ""
    return written(folder, f"alerting:\n  channels: {{hook: {{url_file: {folder / 'hook'}}}}}\n{url}{BINANCE}")


def test_every_channel_gets_one_message(tmp_path: Path, capsys: Capture) -> None:
    with sink() as hook, sink() as alertmanager:
        file = configured(tmp_path, hook.url, alertmanager.url)
        assert main(["alerts", "test", "--config", str(file)]) == 0

    assert capsys.readouterr().out == f"hook: taken\n{alertmanager.url}: taken\n"
    (message,) = hook.bodies
    assert message["title"].startswith("TEST")
    ((alert,),) = alertmanager.bodies
    assert (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("SidecarTest", "info")


def test_a_channel_that_takes_nothing_is_told_without_its_secrets(tmp_path: Path, capsys: Capture) -> None:
    with sink() as hook:
        hook.status = 500
        file = configured(tmp_path, hook.url)
        assert main(["alerts", "test", "--config", str(file)]) == 1

    shown = "".join(capsys.readouterr())
    assert shown.startswith("hook: failed: ")
    assert "500" in shown
    assert "a-secret-path" not in shown


def test_an_alertmanager_that_is_away_is_told(tmp_path: Path, capsys: Capture) -> None:
    with sink() as hook:
        file = configured(tmp_path, hook.url, "http://127.0.0.1:1")
        assert main(["alerts", "test", "--config", str(file)]) == 1

    assert "http://127.0.0.1:1: failed: http://127.0.0.1:1 cannot be reached" in capsys.readouterr().out


def test_nobody_to_tell(tmp_path: Path, capsys: Capture) -> None:
    assert main(["alerts", "test", "--config", str(written(tmp_path, BINANCE))]) == 2
    assert "nobody to tell" in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used(tmp_path: Path, capsys: Capture) -> None:
    assert main(["alerts", "test", "--config", str(tmp_path / "none.yaml")]) == 2
    assert "there is no such file" in capsys.readouterr().err
