"""`sidecar check`: what is wrong with a configuration, or what it would run."""

import json
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sidecar.cli.outline import outline
from sidecar.cli.plan import plan
from sidecar.config.load import Loaded, read
from sidecar.config.report import ConfigError, Problem

INVALID: Final = 2
"""Exit status when the configuration cannot be used."""

_EPILOG: Final = """\
examples:
  sidecar check sidecar.yaml
  sidecar check sidecar.yaml --json | jq '.problems[].key'

Exit status: 0 when it can be run (there may be warnings), 2 when it cannot. The environment's SIDECAR_... variables
count, as they do for `sidecar run`.
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
    verdict = _accepted_as_json(arguments.file, loaded) if arguments.json else _accepted(arguments.file, loaded)
    sys.stdout.write(f"{verdict}\n")
    return 0


def _refused_as_json(error: ConfigError) -> str:
    return json.dumps({"ok": False, "file": str(error.source), "problems": _listed(error.problems)}, indent=2)


def _accepted_as_json(file: Path, loaded: Loaded) -> str:
    verdict = {
        "ok": True,
        "file": str(file),
        "warnings": _listed(loaded.warnings),
        "plan": plan(loaded.config, os.environ),
    }
    return json.dumps(verdict, indent=2)


def _accepted(file: Path, loaded: Loaded) -> str:
    parts = [f"{file}: valid; sidecar run --config {file} would run this:", outline(plan(loaded.config, os.environ))]
    if loaded.warnings:
        count = "1 warning" if len(loaded.warnings) == 1 else f"{len(loaded.warnings)} warnings"
        parts += [f"{count}:", *map(str, loaded.warnings)]
    return "\n\n".join(parts)


def _listed(problems: Iterable[Problem]) -> list[dict[str, object]]:
    return [problem.as_json() for problem in problems]
