"""Opens the curtain: on a terminal as a live screen, elsewhere as plain lines."""

import asyncio
import os
import sys
import time
from collections.abc import Callable

from sidecar.demo.director import Director
from sidecar.demo.narrator import Narrator
from sidecar.demo.options import Options
from sidecar.demo.place import Place
from sidecar.demo.plain import PlainShow
from sidecar.demo.promises import Promises
from sidecar.demo.stage import Show, Stage
from sidecar.demo.troupe import bot_views, require_clients


def show(options: Options) -> int:
    """Show the demo; returns the exit status.

    Raises:
        DemoError: when it cannot begin, or not be shown to its end.
    """
    require_clients()
    place = Place(options.directory)
    with place.taken():
        return asyncio.run(_show(options, place))


async def _show(options: Options, place: Place) -> int:
    began = time.monotonic()
    stage = Stage(bot_views(), now=lambda: time.monotonic() - began, unix_now=time.time)
    shown = _screen(stage) if _on_a_terminal(options) else PlainShow(stage, sys.stdout)

    def narrator(on_deaf: Callable[[], None]) -> Narrator:
        return Narrator(stage, shown, Promises(), on_deaf)

    shown.open()
    try:
        return await Director(options, place, narrator).perform()
    finally:
        shown.close()


def _on_a_terminal(options: Options) -> bool:
    return sys.stdout.isatty() and not options.plain and os.environ.get("TERM", "") not in {"", "dumb"}


def _screen(stage: Stage) -> Show:
    from rich.console import Console  # noqa: PLC0415 - plain lines need no drawing

    from sidecar.demo.screen import ScreenShow  # noqa: PLC0415

    return ScreenShow(stage, Console())
