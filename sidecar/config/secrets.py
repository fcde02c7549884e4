"""Secrets that are kept in files of their own."""

from pathlib import Path
from typing import Final

from pydantic import SecretStr

_LARGEST: Final = 64 * 1024


class SecretFileError(Exception):
    """Raised when a file holds no usable secret. Says why in a phrase, and nothing of what the file holds."""


def read_secret(path: Path) -> SecretStr:
    """The one line of the file without the white space around it. Raises `SecretFileError`."""
    secret = _text(path)
    if not (secret.isascii() and secret.isprintable()):
        raise SecretFileError("names a file with more than one line, or with characters that no header can carry")
    return SecretStr(secret)


def read_pem(path: Path) -> SecretStr:
    """The text of a file that may have several lines, such as a private key. Raises `SecretFileError`."""
    return SecretStr(_text(path))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise SecretFileError("names a file that does not exist") from None
    except IsADirectoryError:
        raise SecretFileError("names a folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such name is possible"
        raise SecretFileError(f"names a file that cannot be read ({reason})") from None
    if len(content) > _LARGEST:
        raise SecretFileError(f"names a file of more than {_LARGEST} bytes")
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        raise SecretFileError("names a file that is not text in UTF-8") from None
    if not secret:
        raise SecretFileError("names an empty file")
    return secret
