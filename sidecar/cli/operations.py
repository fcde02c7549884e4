"""`sidecar operations`: orders that belong together, one operation with its steps, and undoing one."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from typing import Final
from urllib.parse import quote, urlencode

from sidecar.api.operation_views import AllStatistics, OperationList, OperationView
from sidecar.api.questions import MOST_AT_ONCE
from sidecar.cli.ask import Target, ask, order
from sidecar.cli.operationpage import fared, listing, page
from sidecar.cli.where import TOLD, add_where, asked
from sidecar.words import OperationState, OperationType

FAILED: Final = 4
"""The exit status beside those of `sidecar.cli.where`."""
_USUAL: Final = 20

_EPILOG: Final = """\
examples:
  sidecar operations                             the newest operations
  sidecar operations --state in_progress --type bracket
  sidecar operations --client-id breakout-17
  sidecar operations 3f0a61c29de5b8474c11        one operation: its orders and its steps
  sidecar operations --rollback 3f0a61c29de5b8474c11
  sidecar operations --statistics
  sidecar operations --state failed --json | jq -r '.operations[].reason'

A rollback takes back what waits and closes at the market what was opened; the
stop goes last. It goes on after this command has ended: ask for the operation.

Exit status: 0 when it was told or is being undone, 1 when no sidecar answers,
2 when the question itself cannot be asked, 3 when the sidecar says no (no such
operation, nothing to undo), 4 when the one operation asked for has failed: a
person must look at the account.
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "operations",
        help="see orders that belong together, and undo them",
        description="Show the operations of a running sidecar (brackets, OCO pairs, closes, bulk cancels, "
        "modifications), one of them with its steps, or how they have fared; or undo one.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    one = parser.add_mutually_exclusive_group()
    one.add_argument("id", nargs="?", help="show this operation, its orders and its steps")
    one.add_argument("--rollback", metavar="ID", help="undo this operation")
    one.add_argument("--statistics", action="store_true", help="show how operations have fared, by type")
    parser.add_argument("--broker", action="append", default=[], help="only this broker's; repeatable, like the next")
    for name, words in (("type", OperationType), ("state", OperationState)):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            choices=list(words),
            metavar=name.upper(),
            help=f"only of this {name}: {', '.join(words)}",
        )
    parser.add_argument("--client-id", action="append", default=[], metavar="ID", help="only with this client id")
    parser.add_argument(
        "--limit", type=_count, default=_USUAL, metavar="N", help=f"the newest N at most (default {_USUAL})"
    )
    parser.add_argument("--json", action="store_true", help="print the answer as it came, as JSON")
    add_where(parser)
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Do what the arguments say, and return the exit status."""
    return asked("operations", arguments, _answer)


def _answer(place: Target, arguments: Namespace) -> int:
    if arguments.rollback is not None:
        return _one(order(place, f"{_path(arguments.rollback)}/rollback"), as_json=arguments.json)
    if arguments.id is not None:
        return _one(ask(place, _path(arguments.id)), as_json=arguments.json)
    if arguments.statistics:
        answer = ask(place, "/v1/operations/statistics")
        types = AllStatistics.model_validate_json(answer).types
        _show(answer.decode() if arguments.json else fared(types))
        return TOLD
    names = ("broker", "type", "state", "client_id")
    query = urlencode({name: getattr(arguments, name) for name in names} | {"limit": arguments.limit}, doseq=True)
    answer = ask(place, f"/v1/operations?{query}")
    operations = OperationList.model_validate_json(answer).operations
    _show(answer.decode() if arguments.json else listing(operations))
    if len(operations) == arguments.limit:
        sys.stderr.write(f"The newest {len(operations)}; --limit shows more.\n")
    return TOLD


def _one(answer: bytes, *, as_json: bool) -> int:
    operation = OperationView.model_validate_json(answer)
    _show(answer.decode() if as_json else page(operation))
    return FAILED if operation.state is OperationState.FAILED else TOLD


def _path(operation_id: str) -> str:
    return f"/v1/operations/{quote(operation_id, safe='')}"


def _show(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_AT_ONCE):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_AT_ONCE}")
    return int(text)
