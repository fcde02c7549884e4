"""The tree built from a document, and what pydantic finds wrong with it put into words.

Everything that is wrong shall be told at once. So a value that is refused is taken out and the rest is tried again,
until a tree stands: the checks that need a whole tree can then judge what is left.
"""

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sidecar.config import forms, keys
from sidecar.config.document import Document, Given
from sidecar.config.model import Config
from sidecar.config.report import KeyPath, Problem, listed, quoted

_WRONG: Final[Mapping[str, str]] = MappingProxyType(
    {
        "greater_than": "is too small",
        "greater_than_equal": "is too small",
        "less_than": "is too large",
        "less_than_equal": "is too large",
        "finite_number": "is no finite number",
        "string_pattern_mismatch": "does not have the right form",
    }
)
_WITH_UNIT: Final = re.compile(r"[0-9.]+\s*[A-Za-z%]+")
_MOST_ROUNDS: Final = 50
_STAND_INS: Final = {"profile": "generic", "base_url": "http://localhost"}
_KINDS: Final = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a section",
}


@dataclass(slots=True)
class Judgement:
    """What became of a document."""

    config: Config | None
    """The tree, without what was refused; None when not even that could be built."""
    problems: list[Problem] = field(default_factory=list)
    spoilt: set[KeyPath] = field(default_factory=set)
    """What was refused, and stands in the tree as a default or not at all."""

    def touches(self, path: KeyPath) -> bool:
        """Whether something refused lies at, above or below the path."""
        return any(path[: len(other)] == other[: len(path)] for other in self.spoilt)


def judge(document: Document) -> Judgement:
    """Build the tree from what the document says. Never raises for what a document can hold."""
    data = copy.deepcopy(document.data)
    judgement = Judgement(None, spoilt=set(document.spoilt))
    for path in document.spoilt:
        _take_out(data, path, last_resort=None)
    for _ in range(_MOST_ROUNDS):
        try:
            # As JSON, because strictness then still lets lists be tuples and text be paths and choices.
            judgement.config = Config.model_validate_json(json.dumps(data), strict=True)
        except ValidationError as error:
            _refuse(error.errors(include_url=False), document, judgement)
            for details in error.errors(include_url=False):
                path = _path(details)
                # A key that must be there and is not takes what it belongs to with it.
                _take_out(data, path, last_resort=path[:-1] if details["type"] == "missing" else None)
        else:
            break
    return judgement


def _refuse(refused: list[ErrorDetails], document: Document, judgement: Judgement) -> None:
    """Report what is wrong, but for what only our own taking out has made wrong."""
    for details in refused:
        path = _path(details)
        above = any(path[: len(other)] == other for other in judgement.spoilt)
        emptied = details["type"] == "too_short" and judgement.touches(path)
        if not above and not emptied:
            judgement.problems.append(_problem(details, path, document))
    judgement.spoilt.update(map(_path, refused))


def _path(details: ErrorDetails) -> KeyPath:
    path = details["loc"][:-1] if _is_name(details) else details["loc"]
    return (*path, *details["ctx"]["key"].split(".")) if details["type"] == "clash" else path


def _is_name(details: ErrorDetails) -> bool:
    """Whether it is about a name that the configuration chose, and not about a value."""
    return details["type"] == "string_pattern_mismatch" and details["loc"][-1:] == ("[key]",)


def _take_out(data: dict[str, Any], path: KeyPath, *, last_resort: KeyPath | None) -> None:
    """Remove a value; where the tree cannot do without one, put a harmless one in its place."""
    # Without one item of a list the others would change places: the list goes as a whole.
    *above, last = [str(segment) for segment in takewhile(lambda segment: isinstance(segment, str), path)] or [
        "brokers"
    ]
    if not above and last == "brokers":
        data["brokers"] = {"stand-in": dict(_STAND_INS)}
        return
    place: Any = data
    for segment in above:
        place = place.get(segment)
        if not isinstance(place, dict):
            return
    if last in _STAND_INS:
        place[last] = _STAND_INS[last]
    elif last in place:
        del place[last]
    elif last_resort is not None:
        _take_out(data, last_resort, last_resort=None)


def _problem(details: ErrorDetails, path: KeyPath, document: Document) -> Problem:
    match details["type"]:
        case "extra_forbidden":
            return document.problem(path, "there is no such key", _other_key(path), show=False)
        case "missing":
            return document.problem(path, "this key is missing", keys.right(path), show=False)
        case "too_short":
            return document.problem(path, "there is no broker", "at least one broker", show=False)
        case "clash":
            return document.problem(path, details["ctx"]["what"], details["ctx"]["right"])
        case _ if _is_name(details):
            return document.problem(path, "this name cannot be used", _name_form(details), show=False)
        case _:
            return document.problem(path, _wrong(details, path, document), _right(details, path, document))


def _wrong(details: ErrorDetails, path: KeyPath, document: Document) -> str:
    value = details["input"]
    match details["type"]:
        case "value_error":
            return str(details["ctx"]["error"])
        case "literal_error" | "enum" if isinstance(value, str):
            return "is none of the choices"
        case "int_type" | "int_from_float" if isinstance(value, float):
            return "is not a whole number"
        case known if known in _WRONG:
            return _WRONG[known]
        case _:
            return _other_kind(value, document.given.get(path))


def _other_kind(value: Any, given: Given | None) -> str:
    if value is None:
        return "is empty"
    if isinstance(value, bool) and given is not None and given.text.lower() not in {"true", "false"}:
        return f"YAML reads this as {str(value).lower()}"
    return f"is {_KINDS.get(type(value), 'something else')}"


def _right(details: ErrorDetails, path: KeyPath, document: Document) -> str:
    right = keys.right(path)
    value, given = details["input"], document.given.get(path)
    node = keys.at(path) or {}
    if "enum" in node and isinstance(value, str) and (guess := keys.nearest(value, node["enum"])):
        return f"{right}; did you mean {guess}?"
    if node.get("type") == "string" and given is not None and not isinstance(value, str) and value is not None:
        return f"{right}; to have it as text, put it in quotes: {quoted(given.text)}"
    if node.get("type") in {"number", "integer"} and isinstance(value, str) and (number := _number(value)) is not None:
        return f"{right}; written without quotes and in full: {number:.15g}"
    if node.get("type") in {"number", "integer"} and isinstance(value, str) and _WITH_UNIT.fullmatch(value):
        return f"{right}; the number alone, without its unit"
    return right


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None  # noqa: PLR2004 - beyond it, the full spelling would not be exact


def _name_form(details: ErrorDetails) -> str:
    return forms.WORDS[details["ctx"]["pattern"]]


def _other_key(path: KeyPath) -> str:
    node = keys.at(path[:-1]) or {}
    name, known = str(path[-1]), keys.names(node)
    here = f"the keys here are {listed(known, 'and')}"
    if guess := keys.nearest(name, known):
        return f"did you mean {guess}? {here}"
    if elsewhere := keys.homes(name)[:2]:
        return f"it belongs elsewhere: {listed(elsewhere)}; {here}"
    return here
