"""Draws the view again and again, until somebody leaves."""

from typing import Final, Protocol

from rich.console import Console
from rich.live import Live
from rich.rule import Rule

from sidecar.cli.live.page import page
from sidecar.cli.live.watch import View
from sidecar.clock import Clock

_REDRAW_SECONDS: Final = 1.0
"""Countdowns go on between two looks."""
_LEAVE: Final = frozenset("qQ\x04\x1b")
"""q, Ctrl-D and Escape."""


class Watching(Protocol):
    """Whoever knows what there is to draw."""

    def view(self) -> View:
        """What is known now."""


class Listening(Protocol):
    """Whoever hears the keys."""

    def wait(self, seconds: float) -> str:
        """The key that is pressed within so many seconds; empty when none is."""


def show(watch: Watching, keys: Listening, console: Console, clock: Clock, interval: float) -> None:
    """Draw until a key asks to leave; a terminal that cannot move its cursor gets page after page."""
    if console.is_dumb_terminal:
        _page_after_page(watch, keys, console, clock, interval)
        return
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            live.update(page(watch.view(), clock.now(), console.width, console.height), refresh=True)
            if keys.wait(_REDRAW_SECONDS) in _LEAVE:
                return


def _page_after_page(watch: Watching, keys: Listening, console: Console, clock: Clock, interval: float) -> None:
    while True:
        console.print(page(watch.view(), clock.now(), console.width), Rule(characters="-"))
        if keys.wait(interval) in _LEAVE:
            return
