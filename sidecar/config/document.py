"""What a configuration file says, as plain values, with the line and the spelling of each."""

from dataclasses import dataclass, field
from typing import Any

from sidecar.config.report import MASK, KeyPath, Problem, key_name, masked


@dataclass(frozen=True, slots=True)
class Given:
    """How a single value was written."""

    text: str
    """Without quotes."""
    quoted: bool


@dataclass(slots=True)
class Document:
    """What a file says, and what the environment says instead."""

    source: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """The line, from 1, of each key and list item."""
    given: dict[KeyPath, Given] = field(default_factory=dict)
    """The spelling of each single value."""
    variables: dict[KeyPath, str] = field(default_factory=dict)
    """The environment variable that a value comes from."""
    spoilt: set[KeyPath] = field(default_factory=set)
    """Values that could not be read, and must not be judged any further."""
    problems: list[Problem] = field(default_factory=list)
    readable: bool = True
    """False when the file as a whole could not be read."""

    def problem(self, path: KeyPath, wrong: str, right: str, *, show: bool = True) -> Problem:
        """A problem of the value at `path`, with its place; `show` tells whether the value itself says something."""
        source, line = self._place(path)
        given = self.given.get(path) if show else None
        value = "" if given is None else masked(path, given.text)
        if given is not None and given.quoted and value != MASK:
            value = f'"{value}"'
        return Problem(source, line, key_name(path), value, wrong, right)

    def spoil(self, path: KeyPath, line: int | None, wrong: str, right: str) -> None:
        """Note a value that cannot be read."""
        self.problems.append(Problem(self.source, line, key_name(path), "", wrong, right))
        self.spoilt.add(path)

    def give_up(self, line: int | None, wrong: str, right: str) -> None:
        """Note what keeps the whole file from being read."""
        self.problems.append(Problem(self.source, line, "", "", wrong, right))
        self.readable = False

    def override(self, path: KeyPath, value: Any, variable: str, text: str) -> None:
        """Put the value of an environment variable in the place of the file's."""
        place: Any = self.data
        for depth, segment in enumerate(path[:-1], start=1):
            if place.get(segment) is None:
                place[segment] = {}
                self.variables[path[:depth]] = variable
            place = place[segment]
            if not isinstance(place, dict):
                # The file has something else where a mapping belongs: that is a problem of its own.
                return
        place[path[-1]] = value
        self.variables[path] = variable
        self.given[path] = Given(text, quoted=False)
        self.spoilt.discard(path)

    def _place(self, path: KeyPath) -> tuple[str, int | None]:
        while path not in self.variables and path not in self.lines and path:
            path = path[:-1]
        if path in self.variables:
            return f"environment variable {self.variables[path]}", None
        return self.source, self.lines.get(path)
