"""What is wrong with a configuration, told so that a person can mend it: where, what was given, what would be right."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

KeyPath = tuple[str | int, ...]
"""The way to a value: keys, and positions in lists."""

MASK: Final = "(hidden)"
_CHANNELS: Final = ("alerting", "channels")
"""Below them are URLs that hold the keys of notification services."""
_LONGEST: Final = 80
_SECRET: Final = re.compile(
    r"secret|token|passw|passphrase|credential|authorization|signature|private|api_?key|(^|_)key$", re.IGNORECASE
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or that deserves a warning."""

    source: str
    """The file, or the environment variable, that holds it."""
    line: int | None
    """The line in the file, from 1; None where there is none."""
    key: str
    """The key's path, such as `brokers.binance.retry.attempts`; empty for the whole file."""
    value: str
    """What was given, with secrets masked; empty where it says nothing."""
    wrong: str
    """What is wrong with it."""
    right: str
    """What would be right."""

    @property
    def place(self) -> str:
        """Where it is: `sidecar.yaml:12`, or `environment variable SIDECAR_BOT`."""
        source = printable(self.source)
        return source if self.line is None else f"{source}:{self.line}"

    def __str__(self) -> str:
        subject = f"{self.key}: {self.value}" if self.key and self.value else self.key or self.value
        head = f"{self.place}: {subject}" if subject else self.place
        # Names that the configuration chose can stand in both sentences.
        right = "\n           ".join(map(printable, self.right.split("\n")))
        return f"{head}\n    wrong: {printable(self.wrong)}\n    right: {right}"

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return asdict(self)


class ConfigError(Exception):
    """Raised when a configuration cannot be used. It holds every problem, in the order of the file."""

    def __init__(self, source: Path, problems: Sequence[Problem]) -> None:
        super().__init__(source, tuple(problems))
        self.source = source
        self.problems = tuple(problems)

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n\n".join((f"{printable(str(self.source))}: {count}", *map(str, self.problems)))


def key_name(path: KeyPath) -> str:
    """The path as people write it: `listen.allowed_uids[0]`."""
    name = ""
    for segment in path:
        if isinstance(segment, int):
            name += f"[{segment}]"
        else:
            name += ("." if name else "") + (segment if _PLAIN.fullmatch(segment) else quoted(segment))
    return name


def is_secret(path: KeyPath) -> bool:
    """Whether the value at this path must never be shown. The path of a secret's file may be."""
    names = [segment for segment in path if isinstance(segment, str)]
    if tuple(names[:2]) == _CHANNELS and names[-1] == "url":
        return True
    return bool(names) and not names[-1].endswith("_file") and any(map(_SECRET.search, names))


def masked(path: KeyPath, text: str) -> str:
    """What was given, fit to be shown: without secrets, without control characters, and not endless."""
    # A channel's URL in the wrong place is as secret as in the right one.
    if is_secret(path) or (path[:2] == _CHANNELS and "://" in text):
        return MASK
    if path and str(path[-1]).endswith("_file") and not _looks_like_a_path(text):
        return MASK
    return shown(text)


def shown(text: str) -> str:
    """Any value on one line: credentials and query of a URL left out, the rest cut at 80 characters."""
    before, at, after = text.rpartition("@")
    if at:
        scheme = re.match(r"[A-Za-z]+://", before)
        text = f"{scheme.group() if scheme else ''}***@{after}"
    base, mark, _ = text.partition("?")
    text = printable(base + ("?***" if mark else ""))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def printable(text: str) -> str:
    """The text with everything escaped that is not printable ASCII, so that every terminal and log can take it."""
    return text if text.isascii() and text.isprintable() else json.dumps(text)[1:-1]


def quoted(text: str) -> str:
    """The text in double quotes, fit to be shown."""
    return f'"{shown(text)}"'


def listed(words: Iterable[str], joint: str = "or") -> str:
    """Words in a sentence: `a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} {joint} {last}" if first else last


def _looks_like_a_path(text: str) -> bool:
    """Whether it lies in a folder that exists: a secret pasted where its file's name belongs does not."""
    try:
        parent = Path(text).parent
        return len(parent.parts) > 1 and parent.is_dir()
    except (OSError, ValueError):
        return False
