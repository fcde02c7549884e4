"""A condition and the words for it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from sidecar.telemetry.news.repeats import Condition, Note, Tell, spoken

_log = structlog.get_logger("sidecar")

Say = Callable[..., Any]
_NONE: Final[Mapping[tuple[str, ...], "Story"]] = {}


@dataclass(slots=True)
class Story:
    """A condition, and how a person hears of it."""

    condition: Condition
    now: Callable[[], float]
    """Monotonic seconds."""
    subject: str
    again: str
    """What to say when it goes on, before the count."""
    over: str
    unit: str
    fields: dict[str, Any]
    say: Say
    refused: int = 0
    """Calls that the sidecar refused because of it."""

    def happened(self, sentence: str, **fields: Any) -> None:
        """It happened once more; `sentence` is for its beginning."""
        self._tell(self.condition.happened(self.now()), sentence, fields)

    def ended(self) -> None:
        """It does not hold any more."""
        self._tell(self.condition.over(self.now()))
        self.refused = 0

    def rest(self) -> None:
        """Tell what is left at the end."""
        self._tell(self.condition.rest(self.now()))

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


class Stories:
    """Every condition seen so far, by where and then by what; the keys are closed label sets, so there are not many.

    `repeat_seconds` is how often at most each one is summed up; `now` tells monotonic seconds.
    """

    def __init__(self, repeat_seconds: float, now: Callable[[], float]) -> None:
        self._repeat_seconds = repeat_seconds
        self._now = now
        self._told: dict[tuple[str, ...], dict[tuple[str, ...], Story]] = {}

    def get(
        self,
        where: tuple[str, ...],
        what: tuple[str, ...],
        *,
        subject: str,
        again: str,
        over: str,
        unit: str,
        fields: dict[str, Any],
        say: Say,
    ) -> Story:
        """The story of a condition, begun in these words when there is none."""
        stories = self._told.setdefault(where, {})
        if what not in stories:
            condition = Condition(self._repeat_seconds)
            stories[what] = Story(condition, self._now, subject, again, over, unit, fields, say)
        return stories[what]

    def active(self, *where: str) -> Story | None:
        """A condition that holds there now."""
        return next((story for story in self._told.get(where, _NONE).values() if story.condition.active), None)

    def end(self, *where: str, but: str | None = None) -> None:
        """No condition holds there any more, except for those that begin with `but`."""
        for what, story in self._told.get(where, _NONE).items():
            if what[:1] != (but,):
                story.ended()

    def all(self) -> Iterator[Story]:
        """Every one."""
        return (story for stories in self._told.values() for story in stories.values())
