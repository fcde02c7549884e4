"""`sidecar audit`: find lines of the audit log, or prove that it is whole."""

import argparse
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sidecar.clock import SystemClock
from sidecar.config.load import load
from sidecar.config.model import Audit
from sidecar.config.report import ConfigError
from sidecar.telemetry.audit import Report, Wanted, query, verify

WHOLE, BROKEN, USAGE = 0, 1, 2
"""Exit statuses."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGO = re.compile(r"^(\d+(?:\.\d+)?)([smhdw])$")
_COLUMNS = (("event", 18), ("broker", 10), ("operation", 18), ("symbol", 10), ("outcome", 12))
_CHAIN = {"seq", "prev", "hash", "ts", "bot"}
_LIMIT = 100

_DESCRIPTION = """\
Show the newest lines of the audit log that match every option, oldest first.
`sidecar audit verify` reads the whole log instead and tells whether a line was altered, removed, moved or cut off."""
_EPILOG = """\
Exit status: 0 when the log is whole (or lines were shown), 1 when it is not, 2 when it cannot be read."""


def add(subparsers: Any) -> None:
    """Add the `audit` command to the parser of `sidecar`; its `run` is left in the parsed arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "audit",
        help="find lines of the audit log, or verify it",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", nargs="?", choices=("show", "verify"), default="show", help="what to do")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", type=Path, metavar="FILE", help="take audit.directory from this configuration")
    where.add_argument("--directory", type=Path, metavar="DIR", help="the audit directory")
    parser.add_argument("--since", type=_moment, metavar="TIME", help="from then on: 2h (ago), or ISO 8601")
    parser.add_argument("--until", type=_moment, metavar="TIME", help="before then: 30m (ago), or ISO 8601")
    parser.add_argument("--event", default="", help="event type, such as order_placed")
    parser.add_argument("--broker", default="")
    parser.add_argument("--symbol", default="")
    parser.add_argument("--id", default="", help="order id, client order id, correlation id or trace id")
    parser.add_argument(
        "--limit", type=_count, default=_LIMIT, metavar="N", help=f"newest N lines, 0 for all (default {_LIMIT})"
    )
    parser.add_argument("--json", action="store_true", help="print the lines as they stand in the file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do what the arguments say; returns the exit status."""
    try:
        directory = _directory(args)
        return _verify(directory) if args.action == "verify" else _show(directory, args)
    except ConfigError as error:
        return _complain("\n".join(str(problem) for problem in error.problems))
    except BrokenPipeError:
        # The reader (`head`, a pager) has seen enough. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WHOLE
    except OSError as error:
        return _complain(
            f"sidecar audit: {error.filename or directory}: {error.strerror}; name the directory with --directory, "
            "or a configuration that holds audit.directory with --config"
        )


def _directory(args: argparse.Namespace) -> Path:
    if args.directory is not None:
        return Path(args.directory)
    if args.config is not None:
        return load(args.config, os.environ).audit.directory
    return Audit().directory


def _verify(directory: Path) -> int:
    report = verify(directory)
    sys.stdout.write(_verdict(directory, report) + "\n")
    return WHOLE if report.ok else BROKEN


def _verdict(directory: Path, report: Report) -> str:
    problem = report.problem
    read = f"{report.lines} lines in {report.files} files"
    if problem is None:
        head = f"; line {report.newest.seq} has hash {report.newest.hash}" if report.newest else ""
        return f"{directory}: whole: {read}{head}"
    return f"{directory / problem.file}:{problem.line}: {problem.fault}: {problem.message} ({read} fit until here)"


def _show(directory: Path, args: argparse.Namespace) -> int:
    wanted = Wanted(
        since=args.since, until=args.until, event=args.event, broker=args.broker, symbol=args.symbol, id=args.id
    )
    shown = 0
    for entry in query(directory, wanted, limit=args.limit or None):
        sys.stdout.write((entry.raw if args.json else human(entry.fields)) + "\n")
        shown += 1
    sys.stdout.flush()
    if args.limit and shown == args.limit:
        sys.stderr.write(f"The newest {shown} lines; --limit 0 shows all.\n")
    return WHOLE


def human(fields: Mapping[str, Any]) -> str:
    """One line for a person: aligned columns, then whatever else there is."""
    row = [str(fields.get("ts", "")).replace("T", " ")]
    row += [str(fields.get(name, "-")).ljust(width) for name, width in _COLUMNS]
    row += [_pair(name, value) for name, value in fields.items() if name not in _CHAIN and name not in dict(_COLUMNS)]
    text = "  ".join(row).rstrip()
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def _pair(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{name}: " + " ".join(_pair(key, inner) for key, inner in value.items())
    return f"{name}={value}"


def _moment(text: str) -> float:
    ago = _AGO.match(text)
    if ago:
        return SystemClock().now() - float(ago[1]) * _UNITS[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write how long ago (90s, 30m, 2h, 7d, 1w) or ISO 8601 (2026-11-22T10:00Z)"
        ) from None
    # The log speaks UTC; so does a time without a zone.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines: write 0 or more")
    return int(text)


def _complain(message: str) -> int:
    sys.stderr.write(message + "\n")
    return USAGE
