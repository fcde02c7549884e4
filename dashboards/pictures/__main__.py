"""Lets the story happen, and draws each board from what Prometheus knows of it."""

import json
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from dashboards.boards import boards
from dashboards.pictures.answers import Asking, answered
from dashboards.pictures.terminal import watched
from dashboards.pictures.town import SCRAPE_SECONDS, trading
from tests.e2e.carrying import DOOR

_ROOT: Final = Path(__file__).parents[2]
_DRAWING: Final = Path(__file__).parent / "drawing"
_WORK: Final = _ROOT / ".cache" / "pictures"
_PICTURES: Final = _ROOT / "docs" / "pictures"
_CHOSEN: Final[dict[str, dict[str, list[str]]]] = {
    "broker.json": {"bot": ["hedger"], "broker": ["oanda"]},
    "limits.json": {"broker": ["binance"]},
}
"""Where a person would look more closely."""
_WATCHED: Final = "hedger"


def main() -> int:
    """Returns the exit status."""
    parser = ArgumentParser(prog="python -m dashboards.pictures", description=__doc__)
    parser.add_argument("--again", action="store_true", help="draw the answers of the last time once more")
    arguments = parser.parse_args()
    answers = _WORK / "answers"
    if not arguments.again:
        _gather(answers)
    return _draw(answers)


def _gather(answers: Path) -> None:
    shutil.rmtree(answers, ignore_errors=True)
    answers.mkdir(parents=True)
    _PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True) as folder, trading(Path(folder)) as town:
        asking = Asking(town.prometheus.url, town.begun, time.time(), SCRAPE_SECONDS)
        for file in boards():
            told = answered(file, asking, _CHOSEN.get(file, {}))
            (answers / file).write_text(json.dumps(told), encoding="utf-8")
        shown = watched(town.sidecars[_WATCHED].socket, DOOR)
    (_PICTURES / "top.svg").write_text(shown, encoding="utf-8")


def _draw(answers: Path) -> int:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        sys.stderr.write("make pictures: Node.js 20 or newer is needed, with npm\n")
        return 1
    shutil.copytree(_DRAWING, _WORK, dirs_exist_ok=True)
    install = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    for command in (install, [node, "draw.mjs", str(answers), str(_PICTURES)]):
        subprocess.run(command, cwd=_WORK, check=True)  # noqa: S603 - programs that are named here
    return 0


if __name__ == "__main__":
    sys.exit(main())
