"""`sidecar top`: a running sidecar, live in the terminal."""

import json
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from dataclasses import asdict
from typing import Final

from rich.console import Console

from sidecar.cli.ask import AskError, Target
from sidecar.cli.board import can_trade
from sidecar.cli.live.glance import Glance, look
from sidecar.cli.live.keys import Keys
from sidecar.cli.live.page import page
from sidecar.cli.live.screen import show
from sidecar.cli.live.watch import View, Watch
from sidecar.cli.where import add_where, target_of
from sidecar.clock import SystemClock
from sidecar.config.report import ConfigError
from sidecar.config.secrets import SecretFileError

READY, NO_ANSWER, INVALID, NOT_READY = 0, 1, 2, 3
"""Exit statuses."""

_INTERVAL: Final = 2.0
_SHORTEST, _LONGEST = 0.2, 3600.0

_EPILOG: Final = """\
examples:
  sidecar top
  kubectl exec -it POD -c sidecar -- sidecar top --config /etc/sidecar/sidecar.yaml
  sidecar top --once --json | jq '.brokers[] | {name, new_orders}'

Leave with q or Ctrl-C. It keeps asking when the sidecar goes away, and goes on when it is back. Without a terminal it
looks once. NO_COLOR=1 leaves out the colours.

Exit status: 0. With --once, that of sidecar status: 0 when it is ready, 3 when it answers and is not ready, 1 when it
does not answer. 2 when the question itself cannot be asked.
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "top",
        help="watch a running sidecar live: who can trade, limits, orders, errors, events",
        description="Show whether each broker can be traded with and why not, breakers, limits with their forecast, "
        "orders, errors, and the last events.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_where(parser)
    parser.add_argument(
        "--interval",
        type=_interval,
        default=_INTERVAL,
        metavar="SECONDS",
        help=f"time between two looks ({_SHORTEST:g} to {_LONGEST:g}; default: {_INTERVAL:g})",
    )
    parser.add_argument("--once", action="store_true", help="look once and end")
    parser.add_argument("--json", action="store_true", help="with --once: print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Show the sidecar and return the exit status."""
    if arguments.json and not arguments.once:
        return _complain("sidecar top: --json goes with --once", INVALID)
    try:
        target = target_of(arguments)
    except ConfigError as error:
        return _complain(str(error), INVALID)
    except SecretFileError as error:
        return _complain(f"--token-file {error}", INVALID)
    console = Console(highlight=False, markup=False, emoji=False)
    if arguments.once or not console.is_terminal:
        return _once(target, console, as_json=arguments.json)
    _live(target, console, arguments.interval)
    return READY


def _once(target: Target, console: Console, *, as_json: bool) -> int:
    now = SystemClock().now()
    try:
        glance = look(target, now)
    except AskError as error:
        return _complain(f"sidecar top: {error}", NO_ANSWER)
    if as_json:
        sys.stdout.write(f"{_json(glance)}\n")
    else:
        console.print(page(View(glance, "", ()), now, console.width))
    return READY if glance.status.state == "ready" else NOT_READY


def _live(target: Target, console: Console, interval: float) -> None:
    # Whatever ends the view, the terminal comes back as it was.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    clock = SystemClock()
    try:
        with Watch(target, clock, interval) as watch, Keys() as keys:
            show(watch, keys, console, clock, interval)
    except KeyboardInterrupt:
        # It is one of the two ways to leave.
        return


def _json(glance: Glance) -> str:
    brokers = [{**asdict(broker), "new_orders": can_trade(broker)} for broker in glance.brokers]
    lists = {
        name: None if lines is None else [line.model_dump() for line in lines]
        for name, lines in (("orders", glance.orders), ("errors", glance.errors))
    }
    return json.dumps({**glance.status.model_dump(), "brokers": brokers, **lists}, indent=2)


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise ArgumentTypeError(f"give seconds from {_SHORTEST:g} to {_LONGEST:g}, such as {_INTERVAL:g}")
    return seconds


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status
