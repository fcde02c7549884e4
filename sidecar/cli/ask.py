"""Asking a running sidecar's control API, over its Unix socket or over TCP."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

_TIMEOUT_SECONDS: Final = 5.0
_LARGEST: Final = 16 * 1024 * 1024
_NO_TOKEN: Final = frozenset({401, 407})


class AskError(Exception):
    """Raised when no usable answer comes. Says what happened and what to do, and never the token."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a sidecar listens."""

    socket: Path | None = None
    """Its Unix socket; where None, `url` counts."""
    url: str = ""
    token: SecretStr | None = None

    def __str__(self) -> str:
        return str(self.socket or self.url)


def ask(target: Target, path: str) -> bytes:
    """The body of a successful GET. Raises `AskError`."""
    headers = {"Accept": "application/json"}
    if target.token is not None:
        headers["Authorization"] = f"Bearer {target.token.get_secret_value()}"
    connection = _connection(target)
    try:
        return _get(connection, path, headers, target)
    except (FileNotFoundError, ConnectionRefusedError):
        raise AskError(
            f"nothing listens at {target}; start it with sidecar run --config FILE, or name another place with "
            "--config, --socket or --url"
        ) from None
    except PermissionError:
        raise AskError(f"this user may not use {target}; see listen.unix_mode and listen.allowed_uids") from None
    except TimeoutError:
        raise AskError(f"no answer from {target} within {_TIMEOUT_SECONDS:g} s") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or "it does not speak HTTP"
        raise AskError(f"no answer from {target}: {reason}") from None
    finally:
        connection.close()


def _get(connection: HTTPConnection, path: str, headers: Mapping[str, str], target: Target) -> bytes:
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    body = response.read(_LARGEST)
    if response.status in _NO_TOKEN:
        raise AskError(f"{target} wants its token; give --config, or --token-file FILE")
    if response.status != 200:  # noqa: PLR2004 - HTTP's own number
        raise AskError(f"{target} answered {response.status} to {path}; is it a sidecar's listener for bots?")
    return body


def _connection(target: Target) -> HTTPConnection:
    if target.socket is not None:
        return _UnixConnection(target.socket)
    url = urlsplit(target.url)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    return kind(url.hostname or "", url.port, timeout=_TIMEOUT_SECONDS)


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
