"""YAML text into a document, and the parser's complaints into words that repeat nothing of the text."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import yaml

from sidecar.config.builder import Builder, TooManyValuesError
from sidecar.config.document import Document

STARTER: Final = "brokers:\n  binance:\n    profile: binance-usdm\n    base_url: https://fapi.binance.com"
"""The smallest configuration that works."""

_BEGIN: Final = f"begin with one broker:\n{STARTER}"
_BY_CHANCE: Final = "quote the text if the character belongs to it; else look at the indentation and colons nearby"
_COMPLAINTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "found character '\\t'": ("a tab stands where spaces belong", "spaces for indentation"),
        "cannot start any token": ("a value begins with a character that YAML keeps for itself", _BY_CHANCE),
        "mapping values are not allowed": (
            "a colon where none can be, or a line that is indented too far",
            "one key a line, children indented by two spaces, and quotes around text that holds ': '",
        ),
        "could not find expected ':'": ("a key without a colon", "key: value"),
        "expected <block end>": (
            "a line whose indentation fits no line above it",
            "the same indentation for keys side by side",
        ),
        "found undefined alias": ("an alias (*) without its anchor", "quotes around text that begins with *"),
        "second occurrence": ("an anchor (&) that stands twice", "another name for one of the two"),
        "'<stream end>'": ("a bracket that is never closed", "the closing bracket"),
        "found unexpected end of stream": ("a quotation mark that is never closed", "the closing quotation mark"),
        "found unknown escape character": ("a backslash before a letter that it does not go with", "single quotes"),
        "expected a single document": ("a second document (---)", "one document a file"),
        "but found another document": ("a second document (---)", "one document a file"),
    }
)


def parse(text: str, source: str) -> Document:
    """Read YAML; what cannot be read becomes a problem of the document. Never raises."""
    document = Document(source)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            document.give_up(None, "the file is empty", _BEGIN)
        elif not isinstance(node, yaml.MappingNode):
            document.give_up(node.start_mark.line + 1, "the file does not hold keys and values", _BEGIN)
        else:
            document.data = Builder(document).value(node, ()) or {}
    except TooManyValuesError:
        document.give_up(None, "aliases multiply into far too many values", "the values themselves, without aliases")
    except RecursionError:
        document.give_up(None, "values are nested far too deep", "keys indented as in the reference")
    except yaml.MarkedYAMLError as error:
        document.give_up(*_complaint(error))
    except (yaml.YAMLError, ValueError, OverflowError):
        document.give_up(None, "the file holds characters that YAML does not allow", "plain text in UTF-8")
    return document


def single(text: str) -> Any:
    """A value, or a list of values, as YAML reads it. Raises `ValueError` where the text is neither."""
    scratch = Document("")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = None if node is None else Builder(scratch).value(node, ())
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        raise ValueError("is no YAML value") from None
    if scratch.problems or isinstance(value, dict):
        raise ValueError("is neither a value nor a list of values")
    return value


def _complaint(error: yaml.MarkedYAMLError) -> tuple[int | None, str, str]:
    complaint = error.problem or ""
    unclosed = "end of stream" in complaint or "stream end" in complaint
    mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
    line = None if mark is None else mark.line + 1
    column = "" if mark is None else f", at column {mark.column + 1}"
    for fragment, (wrong, right) in _COMPLAINTS.items():
        if fragment in complaint:
            return line, f"{wrong}{column}", right
    return line, f"this is no YAML{column}", _BY_CHANCE
