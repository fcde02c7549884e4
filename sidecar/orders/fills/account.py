"""The orders of one account that may fill, and the stream that tells of them for as long as there are any."""

import asyncio
from random import Random
from typing import Final

from sidecar.brokers.streams import OrderStream
from sidecar.calls.gateway import Gateway
from sidecar.clock import Cancellable, Clock
from sidecar.orders.fills.follower import Follower
from sidecar.orders.fills.looks import Looks
from sidecar.orders.queue import OrderQueue
from sidecar.telemetry.events import Bus

LINGER_SECONDS: Final = 10.0
"""How long a stream is kept when nothing can fill any more: a bot that replaces its orders would open one for each."""
SWEEP_SECONDS: Final = 5.0
"""The shortest time between two rounds in which every order is looked at."""


class AccountStream:
    """Opens the stream when there is an order that may fill, and leaves it when there is none."""

    def __init__(
        self,
        stream: OrderStream,
        *,
        gateway: Gateway,
        queue: OrderQueue,
        looks: Looks,
        bus: Bus,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._queue = queue
        self._looks = looks
        self._clock = clock
        self._follower = Follower(gateway, stream, self, bus=bus, clock=clock, rng=rng)
        self._orders: dict[str, str] = {}
        """Ids of the orders that may fill, by client id."""
        self._early: set[str] = set()
        """Orders that something has happened to before the answer came to them."""
        self._task: asyncio.Task[None] | None = None
        self._linger: Cancellable | None = None
        self._sweep: Cancellable | None = None
        self._swept = float("-inf")

    @property
    def live(self) -> bool:
        """Whether the stream is open."""
        return self._follower.live

    # Which orders there are

    def works(self, order_id: str, client_id: str) -> None:
        """The broker has this order, which is not filled yet."""
        self._orders[client_id] = order_id
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if order_id in self._early:
            self._early.discard(order_id)
            self._looks.mention(order_id)

    def ended(self, order_id: str, client_id: str) -> None:
        """Nothing can happen to this order any more."""
        self._early.discard(order_id)
        if self._orders.get(client_id) == order_id:
            del self._orders[client_id]
            if not self._orders and self._task is not None:
                self._linger = self._clock.call_later(LINGER_SECONDS, self._leave)

    def follow(self) -> None:
        """Open the stream if there is something that it could tell."""
        if self._orders and (self._task is None or self._task.done()):
            self._follower.leaving = ""
            self._task = asyncio.create_task(self._follower.run(), name="fills")

    def mended(self) -> None:
        """What stood in the way of the stream may be gone."""
        self._follower.mended()

    async def stop(self) -> None:
        """Leave the stream: the sidecar is being stopped."""
        self._orders.clear()
        for timer in filter(None, (self._linger, self._sweep)):
            timer.cancel()
        if self._task is not None:
            self._follower.leaving = self._follower.leaving or "shutdown"
            self._task.cancel()
            await asyncio.wait({self._task})

    def _leave(self) -> None:
        self._linger = None
        if self._task is None or self._orders:
            return
        self._follower.leaving = "unneeded"
        self._task.cancel()
        self._task.add_done_callback(self._left)

    def _left(self, _: object) -> None:
        self._task = None
        self.follow()  # an order may have come meanwhile

    # What the stream says

    def opened(self) -> None:
        """It replays nothing: what happened before it was open has to be looked for."""
        self._look_at_all()

    missed = opened

    def named(self, client_id: str) -> None:
        """Something has happened to this order."""
        order_id = self._orders.get(client_id)
        if order_id is not None:
            self._looks.mention(order_id)
        elif (order := self._queue.of_client_id(client_id)) is not None:
            self._early.add(order.id)
            self._queue.told_of(order)

    def _look_at_all(self) -> None:
        if self._sweep is None:
            wait = max(0.0, self._swept + SWEEP_SECONDS - self._clock.monotonic())
            self._sweep = self._clock.call_later(wait, self._look_now)

    def _look_now(self) -> None:
        self._sweep, self._swept = None, self._clock.monotonic()
        for order_id in self._orders.values():
            self._looks.check(order_id)
