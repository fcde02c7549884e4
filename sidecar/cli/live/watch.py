"""Keeps looking and listening in the background, whether the sidecar is there or not."""

import json
import threading
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlencode

from sidecar.api.events import KINDS
from sidecar.cli.ask import AskError, Lines, Target
from sidecar.cli.live.glance import Glance, look
from sidecar.cli.live.telling import QUIET, told
from sidecar.clock import Clock

_KEPT_EVENTS: Final = 200
_AGAIN_SECONDS: Final = 2.0
"""Pause before a lost event stream is asked for again."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One line about an event."""

    at: float
    """Unix seconds at which it was heard."""
    words: str
    times: int = 1
    """How often, lately."""


@dataclass(frozen=True, slots=True)
class View:
    """What there is to draw."""

    glance: Glance | None
    """The last answer; None before the first."""
    problem: str
    """Why the last look got no answer; empty when it got one."""
    events: tuple[Happened, ...]
    """Newest first."""


class Watch:
    """Looks every `interval` seconds and listens to the events in between, in threads of its own."""

    def __init__(self, target: Target, clock: Clock, interval: float) -> None:
        self._target = target
        self._clock = clock
        self._interval = interval
        self._stop = threading.Event()
        self._glance: Glance | None = None
        self._problem = ""
        self._events: deque[Happened] = deque(maxlen=_KEPT_EVENTS)
        self._lines: Lines | None = None

    def __enter__(self) -> Self:
        for work in (self._look, self._listen):
            # A sidecar that hangs must not keep the view from ending.
            threading.Thread(target=work, name=f"sidecar top {work.__name__}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._lines is not None:
            self._lines.end()

    def view(self) -> View:
        """What is known now."""
        return View(self._glance, self._problem, tuple(reversed(tuple(self._events))))

    def _look(self) -> None:
        while not self._stop.is_set():
            try:
                self._glance, self._problem = look(self._target, self._clock.now()), ""
            except AskError as error:
                self._problem = str(error)
            self._stop.wait(self._interval)

    def _listen(self) -> None:
        path = "/v1/events?" + urlencode({"kind": sorted(set(KINDS) - QUIET)}, doseq=True)
        while not self._stop.is_set():
            # What is wrong, the looks tell.
            with suppress(AskError), closing(Lines(self._target, path)) as lines:
                self._lines = lines
                self._hear(lines)
            self._stop.wait(_AGAIN_SECONDS)

    def _hear(self, lines: Lines) -> None:
        kind = ""
        for line in lines:
            if self._stop.is_set():
                return
            key, _, value = line.partition(": ")
            if key == "event":
                kind = value
            elif key == "data":
                self._note(kind, value)

    def _note(self, kind: str, data: str) -> None:
        try:
            fields = json.loads(data)
        except ValueError:
            return
        words = told(kind, fields) if isinstance(fields, dict) else None
        if words is not None:
            self._remember(words)

    def _remember(self, words: str) -> None:
        # What is told again and again must not push away what is told once.
        lately = [event for event in self._events if event.words == words]
        for event in lately:
            self._events.remove(event)
        self._events.append(Happened(self._clock.now(), words, 1 + sum(event.times for event in lately)))
