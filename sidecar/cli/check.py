"""`sidecar check`: what is wrong with a configuration, or what it would run."""

import json
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from sidecar.cli.outline import outline
from sidecar.cli.plan import plan
from sidecar.config.load import Loaded, read
from sidecar.config.report import ConfigError, Problem
from sidecar.store import StoreError, examine
from sidecar.telemetry.state import CheckReading
from sidecar.words import StartupCheck

INVALID: Final = 2
"""Exit status when the configuration cannot be used."""

_EPILOG: Final = """\
examples:
  sidecar check sidecar.yaml
  sidecar check sidecar.yaml --json | jq '.problems[].key'

Exit status: 0 when it can be run (there may be warnings), 2 when it cannot, be it for its state file. The
environment's SIDECAR_... variables count, as they do for `sidecar run`.
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "check",
        help="tell what is wrong with a configuration, or what it would run",
        description="Tell everything that is wrong with a configuration at once; when nothing is, what it would run.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration, a YAML file")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Print the verdict, and return the exit status."""
    try:
        loaded = read(arguments.file, os.environ)
    except ConfigError as error:
        sys.stdout.write(f"{_refused_as_json(error) if arguments.json else error}\n")
        return INVALID
    state = _state_file(loaded)
    tell = _accepted_as_json if arguments.json else _accepted
    sys.stdout.write(f"{tell(arguments.file, loaded, state)}\n")
    return 0 if state is None or state.passed else INVALID


def _state_file(loaded: Loaded) -> CheckReading | None:
    """What the start-up check of the state file would find now; None where there is none to be."""
    path = loaded.config.state.path
    if path is None:
        return None
    try:
        return CheckReading(StartupCheck.STATE_FILE, passed=True, detail=f"{path}: {examine(path)}")
    except StoreError as failure:
        return CheckReading(StartupCheck.STATE_FILE, passed=False, detail=str(failure))


def _refused_as_json(error: ConfigError) -> str:
    return json.dumps({"ok": False, "file": str(error.source), "problems": _listed(error.problems)}, indent=2)


def _accepted_as_json(file: Path, loaded: Loaded, state: CheckReading | None) -> str:
    verdict = {
        "ok": state is None or state.passed,
        "file": str(file),
        "checks": [] if state is None else [asdict(state)],
        "warnings": _listed(loaded.warnings),
        "plan": plan(loaded.config, os.environ),
    }
    return json.dumps(verdict, indent=2)


def _accepted(file: Path, loaded: Loaded, state: CheckReading | None) -> str:
    if state is not None and not state.passed:
        return f"{file}: valid, and it would not start:\n\nstart-up check {state.check} fails: {state.detail}"
    parts = [f"{file}: valid; sidecar run --config {file} would run this:", outline(plan(loaded.config, os.environ))]
    if state is not None:
        parts.append(f"start-up check {state.check}: {state.detail}")
    if loaded.warnings:
        count = "1 warning" if len(loaded.warnings) == 1 else f"{len(loaded.warnings)} warnings"
        parts += [f"{count}:", *map(str, loaded.warnings)]
    return "\n\n".join(parts)


def _listed(problems: Iterable[Problem]) -> list[dict[str, object]]:
    return [problem.as_json() for problem in problems]
