"""Orders in doubt: the broker is asked again and again, and nothing is guessed.

Only a positive finding settles an order. Where the broker answers for a long time that it knows of no such order, it is
given up as dead, in words that say so, for a person to look at; it is never sent again.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from sidecar.brokers.profile import Finding, Profile
from sidecar.calls.asking import Unanswered
from sidecar.calls.gateway import Gateway
from sidecar.calls.questions import LookupImpossible
from sidecar.clock import Clock
from sidecar.orders.order import Order
from sidecar.orders.outcome import Next, after_look
from sidecar.words import OrderState

AT_ONCE: Final = 8
"""Looks under way at a time."""
LEAST_LOOKS: Final = 3
"""Looks that must all have found nothing before an order is given up."""
_LONGEST_PAUSE_SECONDS: Final = 30.0
_SHORTEST_PAUSE_SECONDS: Final = 1.0
"""Between two looks, though the broker itself tells again and again that something has happened to the order."""
_CLOSED_SECONDS: Final = 1.0
"""Pause before it is seen again whether a broker that is away may be asked."""

_log = logging.getLogger("sidecar.orders")

Settle = Callable[[Order, Next], None]


class Doubts:
    """The orders in doubt of one broker; `settle` is called with the step that each one's end is."""

    def __init__(
        self, gateway: Gateway, profile: Profile, doubt_seconds: float, *, settle: Settle, clock: Clock
    ) -> None:
        """`doubt_seconds`: how long the broker must not know of an order before it is given up."""
        self._gateway = gateway
        self._profile = profile
        self.doubt_seconds = doubt_seconds
        """May be replaced at any time."""
        self._settle = settle
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hurries: dict[str, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def take(self, order: Order, *, pause: float) -> None:
        """Find out what became of an order; the first look comes after `pause` seconds."""
        task = asyncio.create_task(self._resolve(order, pause), name=f"order in doubt {order.id}")
        self._tasks[order.id] = task
        task.add_done_callback(lambda _: self._taken(order.id))

    def hurry(self, order_id: str) -> None:
        """The broker tells that something has happened to an order: a look will find it now."""
        if order_id in self._tasks:
            self._hurries.setdefault(order_id, asyncio.Event()).set()

    async def settled(self) -> None:
        """Return when none is left of those that are in doubt now."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def stop(self) -> None:
        """Stop asking; the next start goes on with it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _taken(self, order_id: str) -> None:
        self._tasks.pop(order_id, None)
        self._hurries.pop(order_id, None)

    async def _rest(self, order_id: str, seconds: float) -> None:
        """Wait before the next look; not for long when the broker tells of the order meanwhile."""
        hurry = self._hurries.setdefault(order_id, asyncio.Event())
        await self._clock.sleep(min(seconds, _SHORTEST_PAUSE_SECONDS))
        timer = self._clock.call_later(max(0.0, seconds - _SHORTEST_PAUSE_SECONDS), hurry.set)
        try:
            await hurry.wait()
        finally:
            timer.cancel()
            hurry.clear()

    async def _resolve(self, order: Order, pause: float) -> None:
        unseen, number = 0, 0
        first_unseen: float | None = None
        while True:
            await self._rest(order.id, pause)
            pause = min(max(1.0, 2 * pause), _LONGEST_PAUSE_SECONDS)
            await self._open()
            number += 1
            try:
                async with self._turns:
                    found = await self._look(order, number)
            except LookupImpossible:
                return self._settle(order, _dead("and this broker cannot be asked about it"))
            except Unanswered:
                continue
            except Exception as failure:  # noqa: BLE001 - whatever broke: an order in doubt is never forgotten
                _log.error("looking for order %s stumbled: %s", order.id, type(failure).__name__)
                continue
            if found is not None:
                step = after_look(order, found, self._profile)
                if step is not None:
                    return self._settle(order, step)
                continue
            unseen += 1
            now = self._clock.monotonic()
            first_unseen = now if first_unseen is None else first_unseen
            if unseen >= LEAST_LOOKS and now - first_unseen >= self.doubt_seconds:
                what = f"and in {unseen} looks within {now - first_unseen:.0f} s the broker did not find it"
                return self._settle(order, _dead(what))

    async def _look(self, order: Order, number: int) -> Finding | None:
        known, ask = order.broker_order_id, self._gateway.questions
        return await ask.look_up(order.request, placed_at=order.created_at, number=number, order_id=known)

    async def _open(self) -> None:
        """Wait while the broker is away: who is in doubt does not knock, others look whether it is back."""
        while not self._gateway.can_trade and self._gateway.can_look:
            await self._clock.sleep(_CLOSED_SECONDS)


def _dead(what: str) -> Next:
    reason = f"sent once, outcome unknown, {what}; look at the account before you send it again"
    return Next(OrderState.DEAD, reason, doubtful=True)
