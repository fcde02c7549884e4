"""The screen is drawn until somebody leaves, on every kind of terminal."""

import io

import pytest
from rich.console import Console

from sidecar.cli.live.screen import show
from sidecar.cli.live.watch import View
from sidecar.clock import SystemClock
from tests.cli.live.support import glance


class Watching:
    """Always the same."""

    def view(self) -> View:
        return View(glance(), "", ())


class Fingers:
    """Presses keys, one a wait."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)
        self.waits: list[float] = []

    def wait(self, seconds: float) -> str:
        self.waits.append(seconds)
        return self.keys.pop(0)


def console(**kind: object) -> Console:
    environment = {"TERM": str(kind.get("term", "xterm")), "COLUMNS": "80", "LINES": "24"}
    if kind.get("no_color"):
        environment["NO_COLOR"] = "1"
    return Console(file=io.StringIO(), force_terminal=True, _environ=environment, highlight=False)


def drawn(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


@pytest.mark.parametrize("key", ["q", "Q", "\x04", "\x1b"])
def test_a_key_leaves(key: str) -> None:
    fingers = Fingers("", "x", key)
    show(Watching(), fingers, console(), SystemClock(), 2.0)
    assert fingers.keys == []


def test_the_screen_is_taken_and_given_back() -> None:
    on = console()
    show(Watching(), Fingers("q"), on, SystemClock(), 2.0)
    assert drawn(on).startswith("\x1b[?1049h")
    assert "\x1b[?1049l" in drawn(on)
    assert drawn(on).rindex("\x1b[?25h") > drawn(on).index("scalper"), "the cursor is visible again"


def test_a_dumb_terminal_gets_page_after_page_and_nothing_else() -> None:
    on = console(term="dumb")
    fingers = Fingers("", "q")
    show(Watching(), fingers, on, SystemClock(), 7.0)
    assert fingers.waits == [7.0, 7.0]
    assert drawn(on).count("scalper: ready") == 2
    assert "\x1b" not in drawn(on)


def test_without_colour_nothing_is_lost() -> None:
    on = console(no_color=True)
    show(Watching(), Fingers("q"), on, SystemClock(), 2.0)
    assert "no: breaker open" in drawn(on)
    assert not any(f"\x1b[{code}m" in drawn(on) for code in (31, 32, 33))
