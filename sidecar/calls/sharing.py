"""One question for all who ask the same within a moment: an account is asked for its open orders, not for each."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sidecar.clock import Clock
from sidecar.wire import Answer, Request

FRESH_SECONDS: Final = 1.0
"""An answer serves for so long, counted from when its question was put."""

Ask = Callable[[Request, float], Awaitable[Answer]]
"""Puts a question before a deadline (monotonic seconds). Raises Unanswered."""


@dataclass(frozen=True, slots=True)
class _Put:
    at: float
    answer: "asyncio.Future[Answer]"


class Sharing:
    """Shares the answers of `ask`, also those that did not come."""

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._put: dict[tuple[str, str, bytes], _Put] = {}

    async def ask(self, question: Request, until: float) -> Answer:
        """The answer to a question, perhaps to the same one of somebody else. Raises as what it shares."""
        now = self._clock.monotonic()
        self._put = {key: put for key, put in self._put.items() if now < put.at + FRESH_SECONDS}
        key = (question.method, question.target, question.body)
        put = self._put.get(key)
        if put is None:
            put = self._put[key] = _Put(now, asyncio.ensure_future(self._ask(question, until)))
            put.answer.add_done_callback(_seen)
        return await asyncio.shield(put.answer)


def _seen(answer: "asyncio.Future[Answer]") -> None:
    """Whoever asked may be gone: what failed is told to nobody then."""
    if not answer.cancelled():
        answer.exception()
