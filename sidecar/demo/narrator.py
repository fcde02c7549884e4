"""Turns what the bots and the sidecar tell into lines, and keeps the stage up to date."""

import json
from collections.abc import Callable
from textwrap import shorten

from sidecar.demo import telling
from sidecar.demo.bots.diary import Told
from sidecar.demo.children import Hear
from sidecar.demo.chronicle import Happening
from sidecar.demo.promises import Promises
from sidecar.demo.stage import BotView, Line, Show, Stage, Tone

_LONGEST = 140
"""Characters of a bot's line: some client libraries put a whole answer into their errors."""
_GOOD = frozenset({"CLOSED", "open again"})
_DOUBTS = frozenset({Told.UNKNOWN, Told.FOUND, Told.MISSING})


class Narrator:
    """Tells everything once: to the stage, and to whatever shows it.

    `on_deaf` is called when nobody reads any more (a closed pipe or terminal); nothing is shown from then on.
    """

    def __init__(self, stage: Stage, show: Show, promises: Promises, on_deaf: Callable[[], None]) -> None:
        self.stage = stage
        self.promises = promises
        self.looked_up: dict[str, str] = {}
        """What a bot found when it looked an order up, by client id."""
        self.deaf = False
        self._show = show
        self._on_deaf = on_deaf
        self._complaints: dict[str, str] = {}
        """By bot: the kind of failure that was told last, so that it is told once and not each second."""

    def say(self, text: str, tone: Tone = Tone.PLAIN, who: str = "demo") -> None:
        """Tell one line."""
        line = Line(self.stage.now(), who, text, tone)
        self.stage.news.append(line)
        if tone is Tone.VERDICT:
            self.stage.told.append(line)
        self._shown(lambda: self._show.line(line))

    def aside(self, text: str) -> None:
        """Tell what a screen shows all the time, to those who have none."""
        line = Line(self.stage.now(), "demo", text, Tone.QUIET)
        self._shown(lambda: self._show.line(line))

    def chapter(self, title: str, announcement: str) -> None:
        """Begin a chapter."""
        stage = self.stage
        stage.chapter, stage.announcement = title, announcement
        line = Line(stage.now(), "demo", f"{title}: {announcement}", Tone.CHAPTER)
        stage.told.append(line)
        # The announcement stands at the top of a screen already.
        stage.news.append(Line(line.at, line.who, title, Tone.CHAPTER))
        self._shown(lambda: self._show.line(line))

    def refresh(self) -> None:
        """Show the stage as it is now."""
        self._shown(self._show.refresh)

    def sidecar(self, happening: Happening) -> None:
        """The sidecar told of an event."""
        self.stage.calls += happening.kind == "CallFinished"
        self.stage.retries += happening.kind == "RetryScheduled"
        text = telling.sentence(happening)
        if text:
            good = any(word in text for word in _GOOD)
            self.say(text, Tone.GOOD if good else Tone.BAD, "sidecar")

    def bot(self, name: str) -> Hear:
        """The listener of one bot."""
        view = self.stage.bots[name]

        def hear(line: str) -> None:
            self._bot(view, line)

        return hear

    def _bot(self, view: BotView, line: str) -> None:
        note = json.loads(line)
        text, failed = shorten(str(note["text"]), _LONGEST, placeholder=" ..."), bool(note.get("failed"))
        view.text, view.failed = text, failed
        told = Told(note["told"]) if "told" in note else None
        if told is not None:
            self._order(view, note["order"], told, text)
        if failed:
            kind = text.partition(":")[0]
            if told in _DOUBTS or self._complaints.get(view.name) != kind:
                self.say(text, Tone.BAD, view.name)
            self._complaints[view.name] = kind
        elif told is not Told.SENDING:
            self._complaints.pop(view.name, None)

    def _order(self, view: BotView, order_id: str, told: Told, text: str) -> None:
        self.promises.hear(order_id, told)
        if told in {Told.FOUND, Told.MISSING}:
            self.looked_up[order_id] = text.rpartition(": ")[2]
        if told is Told.FOUND:
            self.say(text, Tone.GOOD, view.name)
        if told is Told.EXECUTED:
            if not view.orders:
                self.say(f"first order: {text}", Tone.GOOD, view.name)
            view.orders += 1

    def _shown(self, show: Callable[[], None]) -> None:
        if self.deaf:
            return
        try:
            show()
        except OSError:
            # A closed pipe, or a terminal that is gone: what has been started must still be ended.
            self.deaf = True
            self._on_deaf()
