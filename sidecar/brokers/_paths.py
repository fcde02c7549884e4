"""Finding what a path with variable parts means: a small tree, walked once along the path's segments."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    children: dict[str, "_Node[T]"] = field(default_factory=dict)
    any_one: "_Node[T] | None" = None
    here: dict[str, T] = field(default_factory=dict)
    """By method."""
    below: dict[str, T] = field(default_factory=dict)
    """By method: what `**` matches from here on."""


class PathTree(Generic[T]):
    """Maps a method and a path to a value; a literal segment goes before `*`, and `*` before `**`."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, pattern: str, value: T) -> None:
        """Add a pattern: `*` stands for one segment that is not empty, `**` at the end for any rest."""
        node = self._root
        for segment in pattern.split("/")[1:]:
            if segment == "**":
                node.below[method] = value
                return
            if segment == "*":
                node.any_one = node.any_one or _Node()
                node = node.any_one
            else:
                node = node.children.setdefault(segment, _Node())
        node.here[method] = value

    def find(self, method: str, segments: list[str]) -> T | None:
        """The value for a path that was split at `/`; its first segment, before the leading `/`, is empty."""
        return _find(self._root, method, segments, 1)


def _find(node: _Node[T], method: str, segments: list[str], index: int) -> T | None:
    if index == len(segments):
        found = node.here.get(method)
        return node.below.get(method) if found is None else found
    segment = segments[index]
    child = node.children.get(segment)
    if child is not None:
        found = _find(child, method, segments, index + 1)
        if found is not None:
            return found
    if node.any_one is not None and segment:
        found = _find(node.any_one, method, segments, index + 1)
        if found is not None:
            return found
    return node.below.get(method)
