"""`sidecar top` as a picture: what it would show in a terminal, as SVG."""

import io
import re
import time
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from rich.console import Console

from sidecar.cli.ask import Target
from sidecar.cli.live.page import page
from sidecar.cli.live.watch import Watch
from sidecar.clock import SystemClock

_WIDTH, _HEIGHT = 100, 34
_WATCHED_SECONDS: Final = 10.0
_FONT: Final = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
"""What would be fetched from elsewhere."""


def watched(socket: Path, token: str) -> str:
    """What is seen after some seconds of watching the sidecar at this socket."""
    clock = SystemClock()
    with Watch(Target(socket=socket, token=SecretStr(token)), clock, 1.0) as watch:
        time.sleep(_WATCHED_SECONDS)
        shown = page(watch.view(), clock.now(), _WIDTH, _HEIGHT)
    console = Console(record=True, file=io.StringIO(), width=_WIDTH, force_terminal=True, color_system="truecolor")
    console.print(shown)
    return _FONT.sub("", console.export_svg(title="sidecar top"))
