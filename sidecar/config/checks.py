"""What no single key shows: keys that do not go together, and what the machine and the profile make of them."""

from collections.abc import Iterator
from pathlib import Path

from sidecar.brokers.positions import TellsPositions
from sidecar.brokers.registry import build
from sidecar.config.alerting import alerting_errors, alerting_warnings
from sidecar.config.doubts import broker_warnings
from sidecar.config.findings import Finding
from sidecar.config.forms import split_address
from sidecar.config.hosts import is_loopback, overlap
from sidecar.config.model import Broker, Config
from sidecar.config.report import KeyPath, listed
from sidecar.config.secrets import SecretFileError, read_secret
from sidecar.config.upstream import broker_errors

_LONGEST_SOCKET_PATH = 107
"""Bytes, as the kernel's `sun_path` of 108 ends with a zero."""


def errors(config: Config) -> list[Finding]:
    """What keeps the sidecar from being started."""
    found = [*_listeners(config), *_socket(config), *_token(config), *_state(config), *_audit(config)]
    found += _closing(config)
    found += alerting_errors(config.alerting)
    for name, broker in config.brokers.items():
        found += broker_errors(name, broker, config)
    return found


def warnings(config: Config) -> list[Finding]:
    """What does not keep it from being started, and is dangerous or probably not meant."""
    found = [*_exposed(config), *_loose_files(config), *_flattening(config), *alerting_warnings(config.alerting)]
    for name, broker in config.brokers.items():
        found += broker_warnings(name, broker)
    return found


def _listeners(config: Config) -> Iterator[Finding]:
    listen = config.listen
    if listen.tcp is None:
        if listen.unix is None:
            right = "a path for listen.unix, or an address such as 127.0.0.1:8787 for listen.tcp"
            yield Finding(
                ("listen", "tcp"), "no listener is left: bots could not reach the sidecar", right, (("listen", "unix"),)
            )
        return
    host, _ = split_address(listen.tcp)
    if not is_loopback(host) and not listen.allow_orders_from_the_network:
        yield Finding(
            ("listen", "tcp"),
            "is not a loopback address: whoever reaches it could trade",
            "127.0.0.1 or [::1] as the host; or, if that is truly meant, listen.allow_orders_from_the_network: true",
            (("listen", "allow_orders_from_the_network"),),
        )
    if overlap(listen.tcp, config.scrape.address):
        yield Finding(
            ("scrape", "address"), f"collides with listen.tcp, {listen.tcp}", "another port", (("listen", "tcp"),)
        )


def _socket(config: Config) -> Iterator[Finding]:
    path = config.listen.unix
    if path is None:
        return
    length = len(bytes(path))
    if length > _LONGEST_SOCKET_PATH:
        wrong = f"is {length} bytes long"
        yield Finding(
            ("listen", "unix"), wrong, f"a path of at most {_LONGEST_SOCKET_PATH} bytes, such as /run/sidecar.sock"
        )
    elif not path.parent.is_dir():
        yield Finding(
            ("listen", "unix"),
            "lies in a folder that does not exist",
            f"an existing folder, or: mkdir -p {path.parent}",
        )
    elif path.exists() and not path.is_socket():
        yield Finding(("listen", "unix"), "exists and is no socket", "a path that nothing else uses")


def _token(config: Config) -> Iterator[Finding]:
    if config.listen.token_file is None:
        return
    try:
        read_secret(config.listen.token_file)
    except SecretFileError as error:
        yield Finding(("listen", "token_file"), str(error), "the path of a file that holds the token and nothing else")


def _state(config: Config) -> Iterator[Finding]:
    path = config.state.path
    if path is None:
        return
    if path.is_dir():
        yield Finding(("state", "path"), "is a folder", f"the path of a file, such as {path / 'state.db'}")
    elif not path.parent.is_dir():
        right = f"an existing folder, or: mkdir -p {path.parent}"
        yield Finding(("state", "path"), "lies in a folder that does not exist", right)


def _closing(config: Config) -> Iterator[Finding]:
    for number, name in enumerate(config.stop.close_positions):
        here: KeyPath = ("stop", "close_positions", number)
        broker = config.brokers.get(name)
        if broker is None:
            yield Finding(here, f"there is no broker {name}", f"one of {listed(sorted(config.brokers))}")
        else:
            yield from _cannot_close(here, name, broker, config)


def _cannot_close(here: KeyPath, name: str, broker: Broker, config: Config) -> Iterator[Finding]:
    at: KeyPath = ("brokers", name)
    if not isinstance(build(broker), TellsPositions):
        wrong = f"{name} cannot be asked for its positions: the {broker.profile} profile knows of none"
        yield Finding(here, wrong, "remove it, and let the bot close what it holds", ((*at, "profile"),))
    elif not broker.credentials.signs:
        wrong = f"the sidecar has no keys of {name} that it signs with, and can neither ask nor close"
        yield Finding(here, wrong, "credentials of the broker with use: sign; or remove it", ((*at, "credentials"),))
    elif config.state.path is None:
        wrong = "an order that closes a position is written down before it is sent, and there is no state file"
        yield Finding(here, wrong, "state.path, or remove it", (("state", "path"),))


def _audit(config: Config) -> Iterator[Finding]:
    directory = config.audit.directory
    if _first_existing(directory).is_dir():
        return
    yield Finding(("audit", "directory"), "is, or lies below, something that is no folder", "the path of a folder")


def _first_existing(path: Path) -> Path:
    while not path.exists() and path.parent != path:
        path = path.parent
    return path


def _exposed(config: Config) -> Iterator[Finding]:
    listen = config.listen
    if listen.tcp is not None and not is_loopback(split_address(listen.tcp)[0]):
        guard = "" if listen.token_file else " without a token"
        yield Finding(
            ("listen", "tcp"),
            f"whoever reaches this address can trade{guard}",
            "a loopback address, or a firewall and listen.token_file",
        )
    if listen.unix is not None and int(listen.unix_mode, 8) & 0o002:
        yield Finding(("listen", "unix_mode"), "every user of this machine can trade", '"0660", or listen.allowed_uids')


def _flattening(config: Config) -> Iterator[Finding]:
    if config.stop.close_positions:
        names = listed(config.stop.close_positions, "and")
        wrong = f"every stop closes all positions at {names} that the keys reach, whoever opened them; a restart is one"
        yield Finding(("stop", "close_positions"), wrong, "[], unless this is meant")


def _loose_files(config: Config) -> Iterator[Finding]:
    path = config.listen.token_file
    if path is not None and path.stat().st_mode & 0o007:
        yield Finding(("listen", "token_file"), "every user of this machine can read the token", f"chmod 600 {path}")
