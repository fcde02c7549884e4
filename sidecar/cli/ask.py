"""Asking a running sidecar's control API, over its Unix socket or over TCP."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from sidecar.client.unix import UnixConnection

_TIMEOUT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 40.0
"""Two of the event stream's heartbeats and more."""
_LARGEST: Final = 16 * 1024 * 1024
_DONE: Final = frozenset({200, 202})
_NO_TOKEN: Final = frozenset({401, 407})


class AskError(Exception):
    """Raised when no usable answer comes. Says what happened and what to do, and never the token."""


class RefusedError(AskError):
    """Raised when the sidecar understands and says no."""


class AbsentError(RefusedError):
    """Raised when the sidecar does not know the path, or what it names."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a sidecar listens."""

    socket: Path | None = None
    """Its Unix socket; where None, `url` counts."""
    url: str = ""
    token: SecretStr | None = None

    def __str__(self) -> str:
        return str(self.socket or self.url)


def ask(target: Target, path: str, *, seconds: float = _TIMEOUT_SECONDS) -> bytes:
    """The body of a successful GET, which may take `seconds`. Raises `AskError`."""
    return _exchange(target, "GET", path, seconds=seconds)


def withdraw(target: Target, path: str) -> bytes:
    """The body of a successful DELETE. Raises `AskError`."""
    return _exchange(target, "DELETE", path)


def order(target: Target, path: str, body: Mapping[str, Any] | None = None) -> bytes:
    """The body of a successful POST. Raises `AskError`."""
    return _exchange(target, "POST", path, None if body is None else json.dumps(body).encode())


def _exchange(
    target: Target, method: str, path: str, body: bytes | None = None, *, seconds: float = _TIMEOUT_SECONDS
) -> bytes:
    connection = _connection(target, seconds)
    try:
        with _in_plain_words(target, seconds):
            return _send(connection, method, path, target, body=body).read(_LARGEST)
    finally:
        connection.close()


class Lines:
    """The lines of an answer that does not end, until the sidecar ends it or `end` is called.

    Iterating raises `AskError` when no line comes for longer than the sidecar is ever silent.
    """

    def __init__(self, target: Target, path: str) -> None:
        """Raises `AskError`."""
        self._target = target
        self._connection = _connection(target, _SILENCE_SECONDS)
        try:
            with _in_plain_words(target, _SILENCE_SECONDS):
                self._response = _send(self._connection, "GET", path, target, accept="text/event-stream")
                self._socket = self._connection.sock
        except AskError:
            self._connection.close()
            raise

    def __iter__(self) -> Iterator[str]:
        with _in_plain_words(self._target, _SILENCE_SECONDS):
            while line := self._response.readline(_LARGEST):
                yield line.decode(errors="replace").rstrip("\r\n")

    def end(self) -> None:
        """Let the reader, in another thread, come to an end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give back the connection; for the reader's own thread."""
        self._response.close()
        self._connection.close()


@contextmanager
def _in_plain_words(target: Target, patience: float) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, ConnectionRefusedError):
        raise AskError(
            f"nothing listens at {target}; start it with sidecar run --config FILE, or name another place with "
            "--config, --socket or --url"
        ) from None
    except PermissionError:
        raise AskError(f"this user may not use {target}; see listen.unix_mode and listen.allowed_uids") from None
    except TimeoutError:
        raise AskError(f"no answer from {target} within {patience:g} s") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or "it does not speak HTTP"
        raise AskError(f"no answer from {target}: {reason}") from None


def _send(
    connection: HTTPConnection,
    method: str,
    path: str,
    target: Target,
    *,
    body: bytes | None = None,
    accept: str = "application/json",
) -> HTTPResponse:
    headers = {"Accept": accept} | ({} if body is None else {"Content-Type": "application/json"})
    if target.token is not None:
        headers["Authorization"] = f"Bearer {target.token.get_secret_value()}"
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    if response.status in _NO_TOKEN:
        raise AskError(f"{target} wants its token; give --config, or --token-file FILE")
    if response.status not in _DONE:
        if response.getheader("Content-Type") == "application/problem+json":
            kind = AbsentError if response.status == 404 else RefusedError  # noqa: PLR2004 - HTTP's own number
            raise kind(f"{target} refused: {_detail(response.read(_LARGEST))}")
        raise AskError(f"{target} answered {response.status} to {path}; is it a sidecar's listener for bots?")
    return response


def _detail(body: bytes) -> str:
    """What a problem document (RFC 9457) says."""
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return "it does not say why"


def _connection(target: Target, timeout_seconds: float) -> HTTPConnection:
    if target.socket is not None:
        return UnixConnection(target.socket, timeout=timeout_seconds)
    url = urlsplit(target.url)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    return kind(url.hostname or "", url.port, timeout=timeout_seconds)
