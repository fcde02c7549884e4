"""The command finds its subcommand, answers quickly, and ends quietly."""

import os
import subprocess
import sys
from argparse import Namespace
from importlib import import_module
from pathlib import Path

import pytest

from sidecar import __version__
from sidecar.cli.main import COMMANDS, main
from tests.config.support import BINANCE, written


def test_without_a_command_it_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(f"    {name} " in shown.err for name in COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_shows_how_to_go_on(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 0
    assert f"usage: sidecar {' '.join(arguments[:-1])}".rstrip() in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_gives_itself_to_be_run(name: str) -> None:
    assert callable(import_module(f"sidecar.cli.{name}").run)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"sidecar {__version__}\n"


def test_an_unknown_command_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["chek"])

    assert ended.value.code == 2
    assert "'check'" in capsys.readouterr().err


def test_ctrl_c_ends_it_quietly_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("sidecar.cli.check.run", interrupted)

    assert main(["check", "x"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_has_gone_ends_it_quietly(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "sidecar", "check", str(written(tmp_path, BINANCE))],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr) == (141, b"")


def loaded_by(arguments: list[str]) -> set[str]:
    """The modules that a command has loaded by its end."""
    script = """
import sys
from sidecar.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, sep="\\n", file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)  # noqa: S603
    return set(ran.stderr.split())


def test_help_loads_no_library() -> None:
    modules = loaded_by(["--help"])

    assert "sidecar.cli.main" in modules
    assert not modules & {"pydantic", "yaml", "aiohttp", "asyncio", "opentelemetry"}


def test_a_wrong_configuration_is_told_without_loading_the_server() -> None:
    modules = loaded_by(["run", "--config", "/no/such/file"])

    assert "sidecar.config.load" in modules
    assert not modules & {
        "aiohttp",
        "sidecar.app",
        "sidecar.process",
        "opentelemetry",
        "prometheus_client",
        "sidecar.simulator",
    }
