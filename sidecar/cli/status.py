"""`sidecar status`: how a running sidecar and its brokers are."""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from typing import Final

from sidecar.api.models import Brokers, Status
from sidecar.cli.ask import AskError, ask
from sidecar.cli.board import as_json, board
from sidecar.cli.where import add_where, target_of
from sidecar.clock import SystemClock
from sidecar.config.report import ConfigError
from sidecar.config.secrets import SecretFileError

READY, NO_ANSWER, INVALID, NOT_READY = 0, 1, 2, 3
"""Exit statuses."""

_EPILOG: Final = """\
examples:
  sidecar status
  sidecar status --config sidecar.yaml
  sidecar status --socket /run/sidecar/sidecar.sock --json | jq '.brokers[].gate'

Exit status: 0 when it is ready, 3 when it answers and is not ready, 1 when it does not answer, 2 when the question
itself cannot be asked (a configuration or token file that is wrong).
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "status",
        help="ask a running sidecar how it and its brokers are",
        description="Tell whether each broker can be traded with, which breakers are not closed, and what is left of "
        "each limit.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_where(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Print how the sidecar is, and return the exit status."""
    try:
        target = target_of(arguments)
        status = Status.model_validate_json(ask(target, "/v1/status"))
        brokers = Brokers.model_validate_json(ask(target, "/v1/brokers")).brokers
        told = as_json(status, brokers) if arguments.json else board(status, brokers, SystemClock().now())
    except ConfigError as error:
        return _complain(str(error), INVALID)
    except SecretFileError as error:
        return _complain(f"--token-file {error}", INVALID)
    except AskError as error:
        return _complain(f"sidecar status: {error}", NO_ANSWER)
    except (ValueError, OverflowError):
        return _complain(f"sidecar status: {target} answered something that no sidecar of this version says", NO_ANSWER)
    sys.stdout.write(f"{told}\n")
    return READY if status.state == "ready" else NOT_READY


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status
