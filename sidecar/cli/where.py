"""Which sidecar a command is to ask: arguments, what they mean, and what becomes of the question."""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from sidecar.cli.ask import AskError, RefusedError, Target
from sidecar.config import forms
from sidecar.config.load import load
from sidecar.config.model import Config, Listen
from sidecar.config.report import ConfigError
from sidecar.config.secrets import SecretFileError, read_secret

TOLD, NO_ANSWER, INVALID, DECLINED = range(4)
"""Exit statuses."""
DEFAULT_URL: Final = f"http://{Listen().tcp}"


def add_where(parser: ArgumentParser) -> None:
    """Let the command be told which sidecar to ask."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", type=Path, metavar="FILE", help="ask the sidecar that this configuration runs")
    where.add_argument("--socket", type=Path, metavar="PATH", help="ask at this Unix socket")
    where.add_argument("--url", type=_url, help=f"ask at this address (default: {DEFAULT_URL})")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="file with the bearer token, where one is wanted"
    )


def target_of(arguments: Namespace) -> Target:
    """The sidecar that the arguments name. Raises `ConfigError` and `SecretFileError`."""
    token = None if arguments.token_file is None else read_secret(arguments.token_file)
    if arguments.config is not None:
        return _configured(load(arguments.config, os.environ), token)
    if arguments.socket is not None:
        return Target(socket=arguments.socket, token=token)
    return Target(url=arguments.url or DEFAULT_URL, token=token)


def asked(command: str, arguments: Namespace, answer: Callable[[Target, Namespace], int]) -> int:
    """Ask the sidecar that the arguments name, and return the exit status: the answer's, or why there was none."""
    try:
        place = target_of(arguments)
    except ConfigError as error:
        return _complain(str(error), INVALID)
    except SecretFileError as error:
        return _complain(f"--token-file {error}", INVALID)
    try:
        return answer(place, arguments)
    except RefusedError as error:
        return _complain(f"sidecar {command}: {error}", DECLINED)
    except AskError as error:
        return _complain(f"sidecar {command}: {error}", NO_ANSWER)
    except (ValueError, OverflowError):
        words = f"{place} answered something that no sidecar of this version says"
        return _complain(f"sidecar {command}: {words}", NO_ANSWER)


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status


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
