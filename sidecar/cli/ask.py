"""Asking a running sidecar's control API, over its Unix socket or over TCP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from sidecar.client.unix import UnixConnection

_TIMEOUT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 45.0
"""Longest silence of a stream, which says every 15 s that it is still there."""
_LARGEST: Final = 16 * 1024 * 1024
_NO_TOKEN: Final = frozenset({401, 407})
_DATA: Final = b"data: "


class AskError(Exception):
    """Raised when no usable answer comes. Says what happened and what to do, and never the token."""


class DeclinedError(AskError):
    """Raised when the sidecar understood the question and says no; in its own words."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a sidecar listens."""

    socket: Path | None = None
    """Its Unix socket; where None, `url` counts."""
    url: str = ""
    token: SecretStr | None = None

    def __str__(self) -> str:
        return str(self.socket or self.url)


def ask(target: Target, path: str, method: str = "GET", *, seconds: float = _TIMEOUT_SECONDS) -> bytes:
    """The body of a successful answer, which may take `seconds`. Raises `AskError`."""
    with _answer(target, path, method, "application/json", seconds) as answer:
        return answer.read(_LARGEST)


def follow(target: Target, path: str) -> Iterator[bytes]:
    """The data of a stream's events, as they come, until the stream ends. Raises `AskError`."""
    with _answer(target, path, "GET", "text/event-stream", _SILENCE_SECONDS) as answer:
        while line := answer.readline(_LARGEST):
            if line.startswith(_DATA):
                yield line.removeprefix(_DATA).rstrip(b"\n")


@contextmanager
def _answer(target: Target, path: str, method: str, accept: str, seconds: float) -> Iterator[HTTPResponse]:
    headers = {"Accept": accept}
    if target.token is not None:
        headers["Authorization"] = f"Bearer {target.token.get_secret_value()}"
    connection = _connection(target, seconds)
    try:
        connection.request(method, path, headers=headers)
        yield _good(connection.getresponse(), path, target)
    except (FileNotFoundError, ConnectionRefusedError):
        raise AskError(
            f"nothing listens at {target}; start it with sidecar run --config FILE, or name another place with "
            "--config, --socket or --url"
        ) from None
    except PermissionError:
        raise AskError(f"this user may not use {target}; see listen.unix_mode and listen.allowed_uids") from None
    except TimeoutError:
        raise AskError(f"no answer from {target} within {seconds:g} s") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or "it does not speak HTTP"
        raise AskError(f"no answer from {target}: {reason}") from None
    finally:
        connection.close()


def _good(response: HTTPResponse, path: str, target: Target) -> HTTPResponse:
    if response.status in _NO_TOKEN:
        raise AskError(f"{target} wants its token; give --config, or --token-file FILE")
    if response.status // 100 == 2:  # noqa: PLR2004 - HTTP's own number
        return response
    words = _words(response)
    if words:
        raise DeclinedError(words)
    raise AskError(f"{target} answered {response.status} to {path}; is it a sidecar's listener for bots?")


def _words(response: HTTPResponse) -> str:
    if response.headers.get_content_type() != "application/problem+json":
        return ""
    try:
        return str(json.loads(response.read(_LARGEST))["detail"])
    except (ValueError, KeyError, TypeError):
        return ""


def _connection(target: Target, seconds: float) -> HTTPConnection:
    if target.socket is not None:
        return UnixConnection(target.socket, timeout=seconds)
    url = urlsplit(target.url)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    return kind(url.hostname or "", url.port, timeout=seconds)
