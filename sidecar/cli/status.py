"""`sidecar status`: how a running sidecar and its brokers are."""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from sidecar.api.models import Brokers, Status
from sidecar.cli.ask import AskError, Target, ask
from sidecar.cli.board import as_json, board
from sidecar.clock import SystemClock
from sidecar.config import forms
from sidecar.config.load import load
from sidecar.config.model import Config, Listen
from sidecar.config.report import ConfigError
from sidecar.config.secrets import SecretFileError, read_secret

READY, NO_ANSWER, INVALID, NOT_READY = 0, 1, 2, 3
"""Exit statuses."""

DEFAULT_URL: Final = f"http://{Listen().tcp}"

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
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", type=Path, metavar="FILE", help="ask the sidecar that this configuration runs")
    where.add_argument("--socket", type=Path, metavar="PATH", help="ask at this Unix socket")
    where.add_argument("--url", type=_url, help=f"ask at this address (default: {DEFAULT_URL})")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="file with the bearer token, where one is wanted"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Print how the sidecar is, and return the exit status."""
    try:
        target = _target(arguments)
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


def _target(arguments: Namespace) -> Target:
    token = None if arguments.token_file is None else read_secret(arguments.token_file)
    if arguments.config is not None:
        return _configured(load(arguments.config, os.environ), token)
    if arguments.socket is not None:
        return Target(socket=arguments.socket, token=token)
    return Target(url=arguments.url or DEFAULT_URL, token=token)


def _configured(config: Config, token: SecretStr | None) -> Target:
    listen = config.listen
    if token is None and listen.token_file is not None:
        token = read_secret(listen.token_file)
    if listen.unix is not None:
        return Target(socket=listen.unix, token=token)
    host, port = forms.split_address(listen.tcp or "")
    # A listener on every interface is asked on this machine's own.
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - recognised here, not bound
    return Target(url=f"http://{f'[{here}]' if ':' in here else here}:{port}", token=token)


def _url(text: str) -> str:
    try:
        return forms.http_url(text)
    except ValueError as error:
        raise ArgumentTypeError(f"the URL {error}; give one such as {DEFAULT_URL}") from None
