"""`sidecar errors`: what went wrong, what lasts, and what comes after what."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter

from sidecar.alerting.report import ErrorEntry, ErrorList, Patterns
from sidecar.alerting.types import ErrorType
from sidecar.cli.ask import AskError, ask, order
from sidecar.cli.board import printable_lines
from sidecar.cli.outline import table
from sidecar.cli.where import add_where, target_of
from sidecar.config.report import ConfigError
from sidecar.config.secrets import SecretFileError
from sidecar.words import Severity

DONE, NO_ANSWER, INVALID, LASTING = 0, 1, 2, 3
"""Exit statuses."""

_EPILOG: Final = """\
examples:
  sidecar errors
  sidecar errors --lasting --severity critical
  sidecar errors --since 2h --broker binance --json | jq '.errors[].type'
  sidecar errors patterns
  sidecar errors resolve 4f1c2a9be07d5310 --reason "looked up at the broker: filled"

Exit status: 0 when no critical error lasts, 3 when one does, 1 when the sidecar does not answer or refuses, 2 when the
question itself cannot be asked. `patterns` and `resolve` end with 0 when they are done.
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "errors",
        help="tell what went wrong, and what lasts",
        description="List what went wrong, the newest first; or show patterns; or say that an error is over.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "action", nargs="?", choices=("list", "patterns", "resolve"), default="list", help="what to do (default: list)"
    )
    parser.add_argument("id", nargs="?", default="", help="the error that is over, for resolve")
    add_where(parser)
    parser.add_argument("--type", action="append", choices=[*ErrorType], default=[], metavar="TYPE", help="this type")
    parser.add_argument("--broker", action="append", default=[], help="this broker's")
    parser.add_argument("--severity", action="append", choices=[*Severity], default=[], help="this severity")
    parser.add_argument("--lasting", action="store_true", help="only what is not over")
    parser.add_argument("--since", default="", metavar="TIME", help="seen since then: 2h (ago), or ISO 8601")
    parser.add_argument("--limit", type=_count, default=20, metavar="N", help="the newest N (default 20)")
    parser.add_argument("--within", type=float, default=30.0, metavar="SECONDS", help="for patterns: what follows what")
    parser.add_argument("--reason", default="", help="for resolve: why it is over; it is put on record")
    parser.add_argument("--json", action="store_true", help="print the answer as it came, as JSON")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Print what the sidecar tells, and return the exit status."""
    if arguments.action == "resolve" and not (arguments.id and arguments.reason):
        return _complain("sidecar errors resolve: give the error's id, and --reason", INVALID)
    try:
        target = target_of(arguments)
        if arguments.action == "resolve":
            path = f"/v1/errors/{quote(arguments.id, safe='')}/resolve"
            told, status = order(target, path, {"reason": arguments.reason}), DONE
            text = _entry(TypeAdapter(ErrorEntry).validate_json(told))
        elif arguments.action == "patterns":
            told, status = ask(target, f"/v1/errors/patterns?{urlencode({'within': arguments.within})}"), DONE
            text = _patterns(TypeAdapter(Patterns).validate_json(told))
        else:
            told = ask(target, f"/v1/errors?{_query(arguments)}")
            found = TypeAdapter(ErrorList).validate_json(told)
            text = _list(found)
            status = LASTING if found.summary.unresolved_by_severity.get(Severity.CRITICAL) else DONE
    except ConfigError as error:
        return _complain(str(error), INVALID)
    except SecretFileError as error:
        return _complain(f"--token-file {error}", INVALID)
    except AskError as error:
        return _complain(f"sidecar errors: {error}", NO_ANSWER)
    except ValueError:
        return _complain("sidecar errors: the answer is none that a sidecar of this version gives", NO_ANSWER)
    sys.stdout.write(f"{told.decode() if arguments.json else printable_lines(text)}\n")
    return status


def _query(arguments: Namespace) -> str:
    query: list[tuple[str, str]] = [("limit", str(arguments.limit))]
    for name in ("type", "broker", "severity"):
        query += [(name, value) for value in getattr(arguments, name)]
    if arguments.lasting:
        query.append(("resolved", "false"))
    if arguments.since:
        query.append(("since", arguments.since))
    return urlencode(query)


def _list(found: ErrorList) -> str:
    summary = found.summary
    worst = ", ".join(f"{count} {name}" for name, count in summary.unresolved_by_severity.items() if count)
    head = f"{summary.total} errors; {summary.unresolved} last" + (f": {worst}" if worst else "")
    if not found.errors:
        return head
    rows = [("id", "severity", "type", "broker", "about", "count", "last seen", "state")]
    rows += [
        (
            error.id,
            error.severity,
            error.type,
            error.broker or "-",
            error.subject or "-",
            str(error.count),
            _moment(error.last),
            f"over ({error.resolution})" if error.resolved else "lasts",
        )
        for error in found.errors
    ]
    advice = dict.fromkeys(f"{error.type}: {error.suggestion}" for error in found.errors if not error.resolved)
    return "\n\n".join([f"{head}\n\n{table(rows)}", *(["\n".join(advice)] if advice else [])])


def _entry(error: ErrorEntry) -> str:
    state = f"over ({error.resolution})" if error.resolved else "lasts"
    return f"{error.id}: {error.type} {error.broker} {error.subject}: {state}"


def _patterns(found: Patterns) -> str:
    rates = [("type", "broker", "last hour", "an hour, on average")]
    rates += [(rate.type, rate.broker or "-", str(rate.last_hour), f"{rate.per_hour:g}") for rate in found.rates]
    pairs = [("after", f"within {found.within_seconds:g} s came", "times", "share")]
    pairs += [(pair.first, pair.then, str(pair.times), f"{pair.share:.0%}") for pair in found.correlated]
    return f"{table(rates)}\n\n{table(pairs)}" if found.rates else "no errors are remembered"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is no number of errors: write 1 or more")
    return int(text)


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status
