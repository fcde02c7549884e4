"""`sidecar top` shows a running sidecar, once or live."""

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sidecar.cli import main
from tests.api.support import House, house

PATIENCE_SECONDS = 30.0


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


async def top(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["top", *arguments])


async def test_once(running: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert await top("--once", "--socket", str(running.socket)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("tester: ready; up 0 s; 6 calls in flight; version ")
    assert "no: rate limited" in shown
    assert "\x1b" not in shown


async def test_without_a_terminal_it_looks_once(running: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert await top("--socket", str(running.socket)) == 0
    assert capsys.readouterr().out.count("tester: ready") == 1


async def test_once_as_json(running: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert await top("--once", "--json", "--socket", str(running.socket)) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["bot"], told["state"], told["orders"], told["errors"]) == ("tester", "ready", None, None)
    assert [(broker["name"], broker["new_orders"]) for broker in told["brokers"]] == [
        ("binance", "no: rate limited"),
        ("oanda", "no: rate limited"),
    ]


async def test_once_before_it_is_ready_is_status_3(running: House, capsys: pytest.CaptureFixture[str]) -> None:
    running.health.ready = (False, "reconciling")
    assert await top("--once", "--socket", str(running.socket)) == 3
    assert capsys.readouterr().out.startswith("tester: not ready (reconciling)")


def test_once_without_a_sidecar_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once", "--socket", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith(f"sidecar top: nothing listens at {tmp_path}/none;")


def test_json_without_once_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--json"]) == 2
    assert capsys.readouterr().err == "sidecar top: --json goes with --once\n"


@pytest.mark.parametrize("text", ["0", "-1", "x", "nan", "9999"])
def test_an_interval_that_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["top", f"--interval={text}"])
    assert ended.value.code == 2
    assert "give seconds from 0.2 to 3600, such as 2" in capsys.readouterr().err


class Terminal:
    """`sidecar top` on a terminal of its own."""

    def __init__(self, socket: Path) -> None:
        self.keyboard, screen = pty.openpty()
        termios.tcsetwinsize(screen, (24, 80))
        self.before = termios.tcgetattr(screen)
        self.screen = screen
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "sidecar", "top", "--socket", str(socket)],
            stdin=screen,
            stdout=screen,
            stderr=screen,
            env=os.environ | {"TERM": "xterm"},
        )
        self.seen = ""

    def until(self, words: str) -> None:
        ends = time.monotonic() + PATIENCE_SECONDS
        while words not in self.seen:
            assert time.monotonic() < ends, f"never shown: {words!r}\n{self.seen}"
            if select.select([self.keyboard], [], [], 0.1)[0]:
                self.seen += os.read(self.keyboard, 65536).decode()

    def press(self, key: bytes) -> None:
        os.write(self.keyboard, key)

    def interrupt(self) -> None:
        """What the shell's terminal makes of Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """The exit status, once the screen has been given back."""
        self.until("\x1b[?1049l")
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.screen)
        os.close(self.keyboard)


@pytest.mark.parametrize(
    "leave",
    [lambda terminal: terminal.press(b"q"), Terminal.interrupt, lambda terminal: terminal.process.terminate()],
    ids=["q", "Ctrl-C", "SIGTERM"],
)
async def test_live_on_a_terminal_until_somebody_leaves(running: House, leave: Callable[[Terminal], None]) -> None:
    def watch() -> int:
        terminal.until("no: rate limited")
        leave(terminal)
        return terminal.end()

    terminal = Terminal(running.socket)
    try:
        assert await asyncio.to_thread(watch) == 0
        assert "Traceback" not in terminal.seen
        assert termios.tcgetattr(terminal.screen) == terminal.before, "the terminal is as it was"
    finally:
        terminal.close()
