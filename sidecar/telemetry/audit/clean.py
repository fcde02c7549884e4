"""The last fence before something is written down: no secrets, no query strings, no endless texts.

The events carry no secrets by construction. What a broker writes into an error message, or a library into an exception,
is beyond anybody's construction; hence this fence.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

LONGEST = 256
"""Characters of a text that are kept in an audit line."""
MOST_ITEMS = 64
"""Members of a mapping or list that are kept."""
REDACTED = "[redacted]"
_READ = 4096

_NAMES = r"signature|api[-_ ]?key|secret|token|authorization|listen[-_ ]?key|passphrase"
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
# A name, what may stand between it and its value in URLs, JSON, reprs and headers, and a separator.
_SECRET_PAIR = re.compile(
    rf"((?:{_NAMES})[\w\"'\\\s\].-]{{0,16}}?(?:[=:]|%3[da]|[\"'\\]\s*,)|\b(?:bearer|basic)\s).*",
    re.IGNORECASE | re.DOTALL,
)
_SEPARATOR = re.compile(r"[=:%,\s]")
_QUERY = re.compile(r"""(/[^\s?"'<>]*)\?[^\s"'<>]+""")


def clean_text(text: str, longest: int = LONGEST) -> str:
    """The text without what looks like a secret and its value, and at most `longest` characters of it.

    From the value on everything is dropped: where a secret ends cannot be told from outside.
    """
    # No pair can do without a separator, and most values are one word.
    if not text.isalnum() and _SEPARATOR.search(text):
        text = _SECRET_PAIR.sub(rf"\1{REDACTED}", text[: max(_READ, longest)])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def without_queries(text: str) -> str:
    """The text with the query of every URL or path in it taken out."""
    return _QUERY.sub(r"\1?…", text)


def clean(value: Any) -> Any:
    """The value as JSON can hold it: secrets dropped, texts and collections cut, nothing that JSON does not know."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return clean_fields(value)
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value[:MOST_ITEMS]]
    return clean_text(str(value))


def clean_fields(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """A mapping with its values cleaned, and without the members that are named like a secret."""
    return {
        clean_text(str(name)): clean(value)
        for name, value in islice(fields.items(), MOST_ITEMS)
        if not _is_secret(str(name))
    }


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None
