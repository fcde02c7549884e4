"""Asking a running sidecar's control API, over its Unix socket or over TCP."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final
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
    return _exchange(target, "GET", path, None)


def order(target: Target, path: str, body: Mapping[str, Any]) -> bytes:
    """The body of a successful POST. Raises `AskError`."""
    return _exchange(target, "POST", path, json.dumps(body).encode())


def _exchange(target: Target, method: str, path: str, body: bytes | None) -> bytes:
    headers = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": "application/json"})
    if target.token is not None:
        headers["Authorization"] = f"Bearer {target.token.get_secret_value()}"
    connection = _connection(target)
    try:
        connection.request(method, path, body, headers)
        return _answer(connection, path, target)
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


def _answer(connection: HTTPConnection, path: str, target: Target) -> bytes:
    response = connection.getresponse()
    body = response.read(_LARGEST)
    if response.status in _NO_TOKEN:
        raise AskError(f"{target} wants its token; give --config, or --token-file FILE")
    if response.getheader("Content-Type") == "application/problem+json":
        raise AskError(f"{target} refused: {_detail(body)}")
    if response.status != 200:  # noqa: PLR2004 - HTTP's own number
        raise AskError(f"{target} answered {response.status} to {path}; is it a sidecar's listener for bots?")
    return body


def _detail(body: bytes) -> str:
    """What a problem document (RFC 9457) says."""
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return "it does not say why"


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
