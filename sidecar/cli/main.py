"""`sidecar`: finds the command and runs it.

Only the command that is asked for is imported, so that `sidecar --help` answers at once and `sidecar run` loads nothing
that it does not serve with. Each command's module exports `add(subparsers)`, which sets `run=` to what takes the parsed
arguments and returns the exit status.
"""

import os
import sys
from argparse import Action, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Final

from sidecar import __version__

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "run": "serve bots and watch their brokers",
        "check": "tell what is wrong with a configuration, or what it would run",
        "status": "ask a running sidecar how it and its brokers are",
        "orders": "see the orders that the sidecar carries, and take them back",
        "operations": "see orders that belong together, and undo them",
        "top": "watch a running sidecar live",
        "errors": "what went wrong, what lasts, and what comes after what",
        "alerts": "try out whether notifications arrive",
        "audit": "read the audit log, and prove that nobody changed it",
        "simulate": "practise against a simulated broker",
        "demo": "see bots trade through the sidecar while their brokers misbehave",
    }
)

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as shells tell it."""
BROKEN_PIPE: Final = 141
"""Exit status when whoever read the output has gone."""

_INDENT: Final = 4
"""By how many columns argparse indents a command."""

_EPILOG: Final = """\
a first try, in three terminals:
  sidecar simulate binance --port 9001
  sidecar run --config sidecar.yaml      # brokers.binance.base_url: http://127.0.0.1:9001
  sidecar status

before going live:
  sidecar check sidecar.yaml

Every key of the configuration can also be set by the environment: SIDECAR_ and its path in capitals with __ between
keys, such as SIDECAR_BROKERS__BINANCE__RETRY__ATTEMPTS=3. `sidecar COMMAND --help` tells more about each command.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(given)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes standard output once more at its end: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(arguments: Sequence[str]) -> int:
    parser = _parser(next((word for word in arguments if not word.startswith("-")), None))
    parsed = parser.parse_args(arguments)
    if not hasattr(parsed, "run"):
        parser.print_help(sys.stderr)
        return 2
    status = int(parsed.run(parsed))
    sys.stdout.flush()
    return status


class _Formatter(RawDescriptionHelpFormatter):
    """Keeps each command and its words on one line: argparse does not count how far it indents commands."""

    def add_argument(self, action: Action) -> None:
        """Leave room for the longest command."""
        super().add_argument(action)
        self._action_max_length = max(self._action_max_length, _INDENT + max(map(len, COMMANDS)))


def _parser(chosen: str | None) -> ArgumentParser:
    parser = ArgumentParser(
        prog="sidecar",
        description="Stands between a trading bot and its brokers: limits, retries safely, breaks circuits, tells all.",
        epilog=_EPILOG,
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action="version", version=f"sidecar {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        if name == chosen:
            import_module(f"sidecar.cli.{name}").add(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser
