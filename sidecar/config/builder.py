"""YAML nodes turned into values.

This is done here and not by the loader's own constructor, because only the nodes know their lines and show that a key
stands twice. Dates stay text, and a tag that would build an object is a problem.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import yaml

from sidecar.config.document import Document, Given
from sidecar.config.report import KeyPath, Problem, key_name, quoted

_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = _TAG + "merge"
_MOST_VALUES: Final = 20_000
_INVISIBLE: Final = "the text holds a character that cannot be seen"

Entry = tuple[yaml.ScalarNode, yaml.Node]


class TooManyValuesError(yaml.YAMLError):
    """Raised when a few nested aliases stand for more values than any configuration has."""


class Builder:
    """Builds the values of one document and notes in it what is wrong with them."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._scalars = yaml.constructor.SafeConstructor()
        self._open: list[yaml.Node] = []
        self._count = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        """The value of a node that stands at `path`. Raises `TooManyValuesError`."""
        self._document.lines.setdefault(path, _line(node))
        self._spend()
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        mapping = isinstance(node, yaml.MappingNode)
        if node.tag != _TAG + ("map" if mapping else "seq"):
            return self._unknown_tag(node, path)
        with self._inside(node, path) as entered:
            if not entered:
                return None
            return self._mapping(node, path) if mapping else self._sequence(node, path)

    def _spend(self) -> None:
        self._count += 1
        if self._count > _MOST_VALUES:
            raise TooManyValuesError

    @contextmanager
    def _inside(self, node: yaml.Node, path: KeyPath) -> Iterator[bool]:
        if any(node is ancestor for ancestor in self._open):
            self._document.spoil(path, self._document.lines.get(path), "this alias contains itself", "no alias here")
            yield False
            return
        self._open.append(node)
        try:
            yield True
        finally:
            self._open.pop()

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        self._document.given[path] = Given(node.value, node.style is not None)
        if not _visible(node.value):
            self._document.spoil(path, _line(node), _INVISIBLE, "the text without it")
            return None
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool" | "int" | "float" as kind:
                return self._typed(kind, node, path)
            case "str" | "timestamp" | "value":
                return node.value
            case _:
                return self._unknown_tag(node, path)

    def _typed(self, kind: str, node: yaml.ScalarNode, path: KeyPath) -> Any:
        try:
            match kind:
                case "bool":
                    return self._scalars.construct_yaml_bool(node)
                case "int":
                    return self._scalars.construct_yaml_int(node)
                case _:
                    return self._scalars.construct_yaml_float(node)
        except (ValueError, KeyError, IndexError, OverflowError):
            # A tag that its value does not keep (`!!int soon`), or more digits than Python reads.
            self._document.spoil(
                path, _line(node), f"cannot be read as {kind}", "the value without tag, or a smaller one"
            )
            return None

    def _unknown_tag(self, node: yaml.Node, path: KeyPath) -> None:
        self._document.spoil(
            path, _line(node), f"the tag {quoted(node.tag)} has no meaning here", "the value without tag"
        )

    def _sequence(self, node: yaml.Node, path: KeyPath) -> list[Any]:
        return [self.value(item, (*path, position)) for position, item in enumerate(node.value)]

    def _mapping(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        entries = self._entries(node, path)
        for name, (key, _) in entries.items():
            self._document.lines[(*path, name)] = _line(key)
        return {name: self.value(item, (*path, name)) for name, (_, item) in entries.items()}

    def _entries(self, node: yaml.Node, path: KeyPath) -> dict[str, Entry]:
        """Keys and values, with those that `<<` merges in; own ones win over merged ones."""
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, item in node.value:
            self._spend()
            if key.tag == _MERGE:
                merged = {**self._merged(item, path, _line(key)), **merged}
            elif not isinstance(key, yaml.ScalarNode):
                self._document.spoil((*path, "?"), _line(key), "a key is a list or a mapping", "plain text as the key")
            elif not _visible(key.value):
                self._document.spoil((*path, "?"), _line(key), _INVISIBLE, "plain text as the key")
            elif key.value in own:
                self._twice((*path, key.value), key, own[key.value][0])
            else:
                own[key.value] = (key, item)
        return {**merged, **own}

    def _twice(self, path: KeyPath, key: yaml.ScalarNode, first: yaml.ScalarNode) -> None:
        wrong = f"stands twice: line {_line(first)} has it too"
        self._document.problems.append(
            Problem(self._document.source, _line(key), key_name(path), "", wrong, "one of the two; remove the other")
        )

    def _merged(self, item: yaml.Node, path: KeyPath, line: int) -> dict[str, Entry]:
        sources = item.value if isinstance(item, yaml.SequenceNode) else [item]
        merged: dict[str, Entry] = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self._document.spoil((*path, "<<"), line, "merges something that has no keys", "an alias of a mapping")
                continue
            with self._inside(source, path) as entered:
                if entered:
                    merged = {**self._entries(source, path), **merged}
        return merged


def _visible(text: str) -> bool:
    return all(character.isprintable() or character in "\t\n" for character in text)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
