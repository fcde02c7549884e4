"""Orders in their broker's book: how far they are is learnt by looks, and each look is written down."""

import asyncio
from contextlib import suppress
from typing import Final

from sidecar.brokers.profile import Profile
from sidecar.calls.asking import Unanswered
from sidecar.calls.gateway import Gateway
from sidecar.calls.questions import LookupImpossible
from sidecar.clock import Clock
from sidecar.orders.chores import Chores
from sidecar.orders.fleeting import Fleeting
from sidecar.orders.ledger import Ledger, Wanted
from sidecar.orders.order import Kind, Order
from sidecar.orders.outcome import Next, found_progress
from sidecar.orders.recorder import Recorder
from sidecar.store import StoreError
from sidecar.words import OrderState

_MOST_FOLLOWED: Final = 1000
"""Working orders that a restart looks through for those at the market."""


class Working:
    """Looks at the working orders of one broker, of which the disk alone knows."""

    def __init__(
        self, gateway: Gateway, profile: Profile, ledger: Ledger, recorder: Recorder, chores: Chores, *, clock: Clock
    ) -> None:
        self._gateway = gateway
        self._profile = profile
        self._ledger = ledger
        self._recorder = recorder
        self._chores = chores
        self._fleeting = Fleeting(self.look_again, clock)
        self._looks: dict[str, asyncio.Task[bool]] = {}
        self._unsaved: dict[str, Order] = {}
        """What a look has told and the disk is about to know."""

    async def restore(self) -> None:
        """Count and follow what the last run left. Raises StoreError."""
        broker = self._gateway.name
        self._recorder.counts[OrderState.WORKING] = await self._ledger.working(broker)
        wanted = Wanted(brokers=(broker,), states=(OrderState.WORKING,), most=_MOST_FOLLOWED)
        for order in await self._ledger.select(wanted):
            self.follow(order)

    def follow(self, order: Order) -> None:
        """An order at the market ends by itself, and soon, whether anybody asks for it or not."""
        if order.kind is Kind.ORDER and order.state is OrderState.WORKING and self._profile.at_market(order.request):
            self._fleeting.take(order.id)

    def find(self, order_id: str) -> Order | None:
        """An order of which more is known than the disk knows."""
        return self._unsaved.get(order_id)

    async def look_again(self, order_id: str) -> bool:
        """Ask the broker how far a working order is, and record it; tells whether asking once more makes sense.

        Nothing happens where that cannot be found out.
        """
        look = self._looks.get(order_id)
        if look is None:
            look = self._looks[order_id] = self._chores.begin(self._look_again(order_id))
            look.add_done_callback(lambda _: self._looks.pop(order_id, None))
        return await asyncio.shield(look)

    async def _look_again(self, order_id: str) -> bool:
        order = await self._ledger.find(order_id)
        if order is None or order.state is not OrderState.WORKING:
            return False
        try:
            found = await self._gateway.questions.look_up(
                order.request,
                placed_at=order.created_at,
                number=1,
                order_id=order.broker_order_id,
                routine=not self._gateway.questions.tells_of_orders,  # after a stream's word: what is, not what was
            )
        except Unanswered:
            return True
        except LookupImpossible:
            return False
        told = None if found is None else found_progress(order, found, self._profile)
        if told is not None and found is not None and (told.state, told.detail) != (order.state, order.reason):
            step = Next(told.state, told.detail, told.broker_order_id, found.answer, filled=told.filled)
            self._unsaved[order_id] = order
            try:
                await self._recorder.enter_and_save(order, step)
            finally:
                del self._unsaved[order_id]
        return not order.state.final

    async def look_at_target(self, cancel: Order) -> None:
        """A cancel that did its work ended another order: learn how."""
        with suppress(StoreError):
            wanted = Wanted(brokers=(cancel.broker,), client_ids=(cancel.client_id,))
            for target in await self._ledger.select(wanted):
                await self.look_again(target.id)

    async def stop(self) -> None:
        """Follow no order any more; the next start goes on with it."""
        await self._fleeting.stop()
