"""How a bot of the demo tells what it does: one JSON line for each step, on standard output.

The demo holds what a bot was told against what the broker's book says, so that an order's fate is a word of its own.
"""

import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from itertools import count
from typing import Any


class Told(StrEnum):
    """What a bot knows of one of its orders."""

    SENDING = "sending"
    EXECUTED = "executed"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"
    """The answer was lost, or leaves it open."""
    FOUND = "found"
    """Unknown at first; then the bot looked it up by its client order id, and the broker has it."""
    MISSING = "missing"
    """Unknown at first; the broker did not know it when the bot looked it up."""


class Diary:
    """What one bot does. It ends with its present turn when the bot is asked to stop (SIGTERM)."""

    def __init__(self) -> None:
        self._stopping = False
        signal.signal(signal.SIGTERM, self._stop)

    def turns(self) -> Iterator[int]:
        """Count the turns of the bot's loop from 1."""
        for number in count(1):
            if self._stopping:
                return
            yield number

    def step(self, text: str) -> None:
        """Something that worked."""
        self._write(text=text)

    def failed(self, what: str, error: Exception) -> None:
        """Something that did not, and left no doubt."""
        self._write(text=f"{what}: {_words(error)}", failed=True)

    def order(self, order_id: str, told: Told, text: str, error: Exception | None = None) -> None:
        """What the bot knows of an order by now."""
        words = f"{text}: {_words(error)}" if error is not None else text
        failed = told in {Told.NOT_EXECUTED, Told.UNKNOWN, Told.MISSING}
        self._write(text=words, order=order_id, told=told.value, failed=failed)

    def pause(self, seconds: float) -> None:
        """Wait, unless the bot is asked to stop."""
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _stop(self, *_: object) -> None:
        self._stopping = True

    @staticmethod
    def _write(**fields: Any) -> None:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


def _words(error: Exception) -> str:
    """The broker's own message, which client libraries bury in its JSON; without a URL's query, which is signed."""
    text = re.sub(r"\?[^\s\"']*", "", str(error))
    said = re.search(r'"(?:msg|errorMessage)":\s*("(?:[^"\\]|\\.)*")', text)
    return json.loads(said[1]) if said else text.partition("\n")[0] or type(error).__name__
