"""Taking orders back that have not been sent, or have come back from their broker unexecuted."""

import asyncio
from typing import Final

from sidecar.orders.book import Book
from sidecar.orders.chores import Chores
from sidecar.orders.errors import UnrecordedError
from sidecar.orders.order import Order
from sidecar.orders.outcome import Next
from sidecar.orders.pump import Pump
from sidecar.orders.recorder import Recorder
from sidecar.store import StoreError
from sidecar.words import OrderState

_UNWRITTEN: Final = "not cancelled: the state file does not take it, and the order still waits to be sent"


class Recalls:
    """Takes the orders of one broker back."""

    def __init__(self, book: Book, pump: Pump, recorder: Recorder, chores: Chores) -> None:
        self._book = book
        self._pump = pump
        self._recorder = recorder
        self._chores = chores
        self._under_way: dict[str, asyncio.Task[bool]] = {}

    async def take_back(self, order: Order, reason: str) -> bool:
        """Cancel an order that has not been sent; tells whether that was so. Raises UnrecordedError."""
        recall = self._under_way.get(order.id)
        if recall is None:
            if not order.waits or self._pump.has(order) or self._book.find(order.id) is not order:
                return False
            order.recalled = reason  # at once, so that it is not sent meanwhile
            recall = self._under_way[order.id] = self._chores.begin(self._taken_back(order))
            recall.add_done_callback(lambda _: self._under_way.pop(order.id, None))
        return await asyncio.shield(recall)

    async def _taken_back(self, order: Order) -> bool:
        try:
            await self._recorder.before(order, Next(OrderState.CANCELLED, order.recalled))
        except StoreError as error:
            order.recalled = ""
            self._pump.restore(order)
            raise UnrecordedError(_UNWRITTEN) from error
        self._book.remove(order)
        self._pump.discard(order)
        return True

    def stop_sending(self, order: Order, reason: str) -> None:
        """Let an order that is on its way go out no further time, should this one turn out not to be executed."""
        if self._pump.has(order):
            order.recalled = reason
