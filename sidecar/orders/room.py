"""How many orders a queue holds, and what is let in although it is full."""

from dataclasses import dataclass
from typing import Final

from sidecar.brokers.profile import Profile
from sidecar.orders.book import Book
from sidecar.orders.errors import QueueFullError
from sidecar.orders.order import Kind, Order
from sidecar.words import Effect

LEAST_RESERVE: Final = 1000
"""Orders beyond `queue.size` that are taken at least when they reduce risk; a larger queue has as much again.

They cost memory like any other, so that they are bounded too; but a stop is refused last of all.
"""


@dataclass(frozen=True, slots=True)
class Room:
    """The room in one broker's queue."""

    broker: str
    book: Book
    profile: Profile

    def check(self, order: Order, coming: int, size: int) -> None:
        """Whether an order may come in, `coming` of them being taken just now, itself included.

        `size`: how many there may be that reduce no risk. Raises QueueFullError.
        """
        there = len(self.book)
        if there + coming <= size or self._makes_room(order):
            return
        if not self._reduces_risk(order):
            raise QueueFullError(
                f"not taken: {there} orders for {self.broker} wait or are on their way, and "
                f"brokers.{self.broker}.queue.size is {size}; try again when some have ended. What reduces risk is "
                "still taken"
            )
        if there + coming > size + max(size, LEAST_RESERVE):
            raise QueueFullError(
                f"not taken, although it reduces risk: {there} orders for {self.broker} wait or are on their way; "
                "look why they do not leave, and at the account"
            )

    def _makes_room(self, order: Order) -> bool:
        target = self.book.target(order)
        return target is not None and target.waits

    def _reduces_risk(self, order: Order) -> bool:
        if order.urgent or order.kind is Kind.CANCEL:
            return True
        return self.profile.understand(order.request).effect is Effect.REDUCES_RISK
