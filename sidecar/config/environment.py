"""Settings from the environment: `SIDECAR_` and the key's path in capitals, with `__` between keys.

`SIDECAR_BROKERS__BINANCE__RETRY__ATTEMPTS=3` sets `brokers.binance.retry.attempts`. A broker's dashes are underscores
there: `SIDECAR_BROKERS__BINANCE_TEST__BASE_URL` is the `binance-test` broker's. Values are read as YAML reads them, but
where a key wants text, text it is: `0660` needs no quotes. The environment wins over the file.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from sidecar.config import keys
from sidecar.config.document import Document
from sidecar.config.report import KeyPath, Problem, key_name, listed
from sidecar.config.syntax import single

PREFIX: Final = "SIDECAR_"

_SERVICE: Final = re.compile(r"(.+_)?SERVICE_(HOST|PORT(_.+)?)|(.+_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")
"""What Kubernetes sets for a Service whose name begins with `sidecar`: nobody meant it for us."""


class _UnknownVariableError(Exception):
    """Raised when a variable names no key. Holds what is wrong and what would be right."""

    def __init__(self, wrong: str, right: str) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.right = right


def apply(environ: Mapping[str, str], document: Document) -> None:
    """Put the environment's settings into the document; what is wrong with one becomes a problem of it."""
    for name in sorted(environ):
        if name.startswith(PREFIX) and not _SERVICE.fullmatch(name.removeprefix(PREFIX)):
            try:
                _apply(name, environ[name], document)
            except _UnknownVariableError as error:
                source = f"environment variable {name}"
                document.problems.append(Problem(source, None, "", "", error.wrong, error.right))


def variable(path: KeyPath) -> str:
    """The variable that sets a key."""
    return PREFIX + "__".join(str(segment).upper().replace("-", "_") for segment in path)


def _apply(name: str, text: str, document: Document) -> None:
    path = _path(name, document.data)
    try:
        value = _value(path, text)
    except ValueError as error:
        raise _UnknownVariableError(f"the value {error}", keys.right(path)) from None
    document.override(path, value, name, text)


def _path(name: str, data: Mapping[str, Any]) -> KeyPath:
    if name != name.upper():
        raise _UnknownVariableError("is not in capitals", name.upper())
    path: KeyPath = ()
    node = keys.root()
    place: Any = data
    for segment in name.removeprefix(PREFIX).split("__"):
        key = _key(node, segment.lower(), place, path)
        inner = keys.child(node, key)
        if inner is None:
            raise _UnknownVariableError(f"{key_name(path)} is a value and has no keys", variable(path))
        path, node = (*path, key), inner
        place = place.get(key) if isinstance(place, dict) else None
    if keys.is_section(node):
        example = variable((*path, *(keys.names(node)[:1] or ["NAME"])))
        raise _UnknownVariableError(
            f"{key_name(path)} is a section, not a value", f"one variable a key, such as {example}"
        )
    return path


def _key(node: keys.Node, word: str, place: Any, path: KeyPath) -> str:
    known = keys.names(node)
    if word in known or not (known or keys.names_are_free(node)):
        return word
    if keys.names_are_free(node):
        written = [name for name in place if name.lower().replace("-", "_") == word] if isinstance(place, dict) else []
        return written[0] if written else word.replace("_", "-") if keys.names_take_dashes(node) else word
    guess = keys.nearest(word, known)
    right = variable((*path, guess)) if guess else listed(_beginning(node, (*path, name)) for name in known)
    raise _UnknownVariableError("sets no key that exists", f"{right}; or unset it")


def _beginning(node: keys.Node, path: KeyPath) -> str:
    inner = keys.child(node, path[-1])
    return variable(path) + ("__..." if inner is not None and keys.is_section(inner) else "")


def _value(path: KeyPath, text: str) -> Any:
    if not all(character.isprintable() or character in "\t\n" for character in text):
        raise ValueError("holds a character that cannot be seen")
    node = keys.at(path) or {}
    if node.get("type") != "string":
        return single(text)
    try:
        value = single(text)
    except ValueError:
        return text
    return value if isinstance(value, str) or (value is None and node.get("nullable")) else text
