"""`sidecar alerts test`: one message through each channel, and what came back."""

import asyncio
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from sidecar.alerting.alertmanager import harmless
from sidecar.alerting.http import Poster
from sidecar.alerting.messages import Message
from sidecar.alerting.routes import contacts
from sidecar.cli.board import printable_lines
from sidecar.clock import SystemClock
from sidecar.config.load import load
from sidecar.config.model import Config
from sidecar.config.report import ConfigError
from sidecar.config.secrets import read_secret
from sidecar.words import Severity

ARRIVED, FAILED, INVALID = 0, 1, 2
"""Exit statuses."""

_EPILOG: Final = """\
example:
  sidecar alerts test --config sidecar.yaml

Exit status: 0 when every channel took its message, 1 when one did not, 2 when the configuration cannot be used or names
no channel.
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "alerts",
        help="try out whether notifications arrive",
        description="Send one message, marked as a test, through every channel and to every Alertmanager of a "
        "configuration, and say what came back. The sidecar need not run.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("test",), help="what to do")
    parser.add_argument("--config", type=Path, metavar="FILE", required=True, help="the configuration, a YAML file")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Print what came back, and return the exit status."""
    try:
        config = load(arguments.config, os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return INVALID
    return asyncio.run(_test(config))


async def _test(config: Config) -> int:
    results: list[str] = []
    async for name, failure in _tried(config):
        results.append(failure)
        sys.stdout.write(printable_lines(f"{name}: {f'failed: {failure}' if failure else 'taken'}") + "\n")
        sys.stdout.flush()
    if not results:
        sys.stderr.write("sidecar alerts: nobody to tell: set alerting.channels or alerting.alertmanager.url\n")
        return INVALID
    return FAILED if any(results) else ARRIVED


async def _tried(config: Config) -> AsyncIterator[tuple[str, str]]:
    """Each channel's name, and why it failed or nothing."""
    settings = config.alerting
    message = Message(
        f"TEST · {config.bot}: nothing has happened",
        "This message was sent by `sidecar alerts test`. Whoever reads it would have been told of a real error.",
        Severity.INFO,
        over=False,
        key=f"sidecar/{config.bot}/test",
    )
    for contact in contacts(settings):
        yield contact.name, await contact.sender.send(message)
    file = settings.alertmanager.token_file
    poster = Poster(None if file is None else read_secret(file))
    try:
        for url in settings.alertmanager.url:
            labels = {**settings.alertmanager.labels, "bot": config.bot}
            yield url, await poster.to(url)(harmless(labels, SystemClock().now()))
    finally:
        await poster.close()
