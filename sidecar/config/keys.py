"""What may stand where in a configuration, read from its JSON Schema: for remedies, and for environment variables."""

import difflib
from collections.abc import Iterator
from typing import Any

from sidecar.config import forms
from sidecar.config.report import KeyPath, listed
from sidecar.config.schema import json_schema

Node = dict[str, Any]

_UNITS = {"_seconds": " of seconds", "_bytes": " of bytes", "_days": " of days"}


def root() -> Node:
    """What the whole file may hold."""
    return json_schema()


def child(node: Node, segment: str | int) -> Node | None:
    """What may stand under a key or at a position of a list; None when nothing may."""
    if isinstance(segment, int):
        return _resolved(node["items"]) if "items" in node else None
    properties = node.get("properties", {})
    if segment in properties:
        return _resolved(properties[segment])
    for inner in node.get("patternProperties", {}).values():
        return _resolved(inner)
    return None


def at(path: KeyPath) -> Node | None:
    """What may stand at a path; None when the path leads nowhere."""
    node: Node | None = root()
    for segment in path:
        node = None if node is None else child(node, segment)
    return node


def names(node: Node) -> list[str]:
    """The keys that are known in advance."""
    return list(node.get("properties", {}))


def is_section(node: Node) -> bool:
    """Whether it holds keys and not a value."""
    return node.get("type") == "object"


def names_are_free(node: Node) -> bool:
    """Whether its keys are names that the configuration chooses."""
    return "patternProperties" in node


def names_take_dashes(node: Node) -> bool:
    """Whether the names chosen are written with dashes, not with underscores."""
    return forms.BROKER in node.get("patternProperties", {})


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that was probably meant."""
    matches = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return matches[0] if matches else None


def homes(name: str) -> list[str]:
    """Where a key of this name does exist, as paths; `<name>` stands for a name of one's choice."""
    return [path for path in _all_paths(root(), "") if path.rpartition(".")[2] == name]


def right(path: KeyPath) -> str:
    """What may stand at a path, in words."""
    node = at(path)
    if node is None:
        return "nothing"
    unit = next((unit for ending, unit in _UNITS.items() if path and str(path[-1]).endswith(ending)), "")
    return _words(node, unit) + (", or null" if node.get("nullable") else "")


def _words(node: Node, unit: str) -> str:
    if "enum" in node:
        return f"one of {listed(map(str, node['enum']))}"
    if "pattern" in node:
        return forms.WORDS[node["pattern"]]
    match node.get("type"):
        case "boolean":
            words = "true or false, without quotes"
        case "integer":
            words = f"a whole number{unit}{_range(node)}"
        case "number":
            words = f"a number{unit}{_range(node)}"
        case "array":
            words = f"a list, each item {_words(_resolved(node['items']), '')}"
        case "object" if names_are_free(node):
            words = "names, each with its keys indented below it"
        case "object":
            words = f"keys indented below it: {listed(names(node), 'and')}"
        case _:
            words = "a path" if node.get("format") == "path" else "text"
    return words


def _range(node: Node) -> str:
    above, least, most = node.get("exclusiveMinimum"), node.get("minimum"), node.get("maximum")
    if above is not None:
        return f" above {above:g}"
    if least is None:
        return ""
    return f" of at least {least:g}" if most is None else f" from {least:g} to {most:g}"


def _resolved(node: Node) -> Node:
    """The node itself where it is a reference, and what it is when it is not null."""
    choices = [choice for choice in node.get("anyOf", ()) if choice.get("type") != "null"]
    if choices:
        # Of several, the first one is the general one: a list that may be given as its only item.
        return {**_resolved(choices[0]), "nullable": len(choices) < len(node["anyOf"])}
    if "$ref" in node:
        target: Node = root()["$defs"][node["$ref"].rpartition("/")[2]]
        return target
    return node


def _all_paths(node: Node, path: str) -> Iterator[str]:
    for name in names(node):
        yield f"{path}{name}"
        yield from _all_paths(_resolved(node["properties"][name]), f"{path}{name}.")
    for inner in node.get("patternProperties", {}).values():
        yield from _all_paths(_resolved(inner), f"{path}<name>.")
