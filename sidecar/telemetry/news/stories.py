"""A condition and the words for it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from sidecar.telemetry.news.repeats import Condition, Note, Tell, spoken

_log = structlog.get_logger("sidecar")

Say = Callable[..., Any]


@dataclass(slots=True)
class Story:
    """A condition, and how a person hears of it."""

    condition: Condition
    subject: str
    again: str
    """What to say when it goes on, before the count."""
    over: str
    unit: str
    fields: dict[str, Any]
    say: Say
    refused: int = 0
    """Calls that the sidecar refused because of it."""

    def happened(self, now: float, sentence: str, **fields: Any) -> None:
        """It happened once more; `sentence` is for its beginning."""
        self._tell(self.condition.happened(now), sentence, fields)

    def ended(self, now: float) -> None:
        """It does not hold any more."""
        self._tell(self.condition.over(now))
        self.refused = 0

    def rest(self, now: float) -> None:
        """Tell what is left at the end."""
        self._tell(self.condition.rest(now))

    def _tell(self, note: Note | None, sentence: str = "", fields: Mapping[str, Any] | None = None) -> None:
        if note is None:
            return
        facts = self.fields | dict(fields or {})
        if note.tell is Tell.BEGIN:
            self.say(f"{self.subject}: {sentence}", **facts)
            return
        facts |= {"count": note.count, "seconds": round(note.seconds, 1)}
        counted = f"{note.count} {self.unit}{'' if note.count == 1 else 's'}"
        if self.refused:
            facts["refused"] = self.refused
            counted += f", {self.refused} calls refused meanwhile"
        if note.tell is Tell.GOES_ON:
            self.say(f"{self.subject}: {self.again}: {counted} in the last {spoken(note.seconds)}", **facts)
        else:
            _log.info(f"{self.subject}: {self.over} after {spoken(note.seconds)}: {counted}", **facts)


@dataclass(slots=True)
class Stories:
    """Every condition seen so far; their keys are closed label sets, so there are not many."""

    repeat_seconds: float
    told: dict[tuple[str, ...], dict[tuple[str, ...], Story]] = field(default_factory=dict)
    """By where, then by what."""

    def get(self, where: tuple[str, ...], what: tuple[str, ...], make: Callable[[Condition], Story]) -> Story:
        """The story of a condition, begun when there is none."""
        stories = self.told.setdefault(where, {})
        story = stories.get(what)
        if story is None:
            story = stories[what] = make(Condition(self.repeat_seconds))
        return story

    def active(self, *where: str) -> Story | None:
        """A condition that holds there now."""
        return next((story for story in self.told.get(where, {}).values() if story.condition.active), None)

    def all(self) -> Iterator[Story]:
        """Every one."""
        return (story for stories in self.told.values() for story in stories.values())
