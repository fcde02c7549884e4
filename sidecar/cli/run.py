"""`sidecar run`: serve bots, with a configuration that is known to be right."""

import os
import signal
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from pathlib import Path
from typing import Final

from sidecar.cli.loading import loading

INVALID: Final = 2
"""Exit status when the configuration cannot be used; nothing has been opened then."""

_EPILOG: Final = """\
examples:
  sidecar run --config sidecar.yaml
  SIDECAR_LOG__LEVEL=debug sidecar run --config sidecar.yaml

It stops on SIGINT and SIGTERM, after the calls in flight have ended; a second signal hurries it. On SIGHUP it reads the
configuration and the files of keys again. A configuration that cannot be used ends it with
status 2 before any socket is opened; `sidecar check FILE` prints the same report.
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "run",
        help="serve bots and watch their brokers",
        description="Serve bots and watch their brokers, until told to stop.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration, a YAML file")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Serve, and return the exit status."""
    # Whoever asks for a reload before there is something to reload must not end the process, as SIGHUP usually does.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with loading():
        from sidecar.config.load import load  # noqa: PLC0415 - see `loading`
        from sidecar.config.report import ConfigError  # noqa: PLC0415 - see `loading`
    try:
        config = load(arguments.config, os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return INVALID
    # The server is only loaded once it is certain that it can be started: a mistake is told at once.
    with loading():
        from sidecar.process import run as serve  # noqa: PLC0415 - see above

    return serve(config, arguments.config)
