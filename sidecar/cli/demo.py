"""`sidecar demo`: see bots trade through the sidecar while their brokers misbehave."""

import argparse
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from pathlib import Path
from typing import Final

FOLDER: Final = Path(".demo")

_EPILOG: Final = """\
examples:
  sidecar demo                  # a live screen; trades until Ctrl-C
  sidecar demo --once | tee demo.txt

It needs the client libraries of the bots: pip install 'broker-sidecar[demo]'. Everything stays on this machine, and
what it leaves to look into (configuration, audit log, traces, logs) is in the folder .demo.

Exit status: 0 when it was shown or ended by Ctrl-C, 1 when it could not be shown.
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="see bots trade through the sidecar while their brokers misbehave",
        description="Start two simulated brokers, a sidecar and three bots with real client libraries; then let the "
        "brokers fail in five ways, and tell what the sidecar does about each.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="end when the story is told, after about 75 seconds")
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="end after N seconds, wherever the story is")
    parser.add_argument("--brisk", action="store_true", help="shorter pauses, for those who have seen it before")
    parser.add_argument("--plain", action="store_true", help="plain lines instead of a screen, also on a terminal")
    parser.add_argument(
        "--directory", type=Path, default=FOLDER, metavar="DIR", help="folder to work in (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Show the demo, and return the exit status."""
    # Only who wants the demo needs what it needs.
    from sidecar.demo.errors import DemoError  # noqa: PLC0415
    from sidecar.demo.options import Options  # noqa: PLC0415
    from sidecar.demo.show import show  # noqa: PLC0415

    options = Options(
        directory=arguments.directory,
        once=arguments.once,
        seconds=arguments.seconds,
        brisk=arguments.brisk,
        plain=arguments.plain,
    )
    try:
        return show(options)
    except DemoError as error:
        sys.stderr.write(f"sidecar demo: {error}\n")
        return 1


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no duration; give a number of seconds above 0")
    return seconds
