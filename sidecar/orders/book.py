"""The orders of one broker that the sidecar still has to do something about."""

import heapq
from collections.abc import Iterator

from sidecar.brokers.profile import Lane
from sidecar.orders.order import Kind, Order
from sidecar.words import OrderState


class Book:
    """Open orders by id, by client id and by the time at which they expire."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._by_client_id: dict[str, Order] = {}
        self._expiries: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def add(self, order: Order) -> None:
        """Enter an order."""
        self._orders[order.id] = order
        if order.kind is Kind.ORDER:
            self._by_client_id[order.client_id] = order

    def watch(self, order: Order) -> None:
        """Let `expired` tell when an order that waits has waited too long."""
        heapq.heappush(self._expiries, (order.expires_at, order.id))

    def remove(self, order: Order) -> None:
        """Forget an order that has ended, or that the broker has."""
        self._orders.pop(order.id, None)
        if self._by_client_id.get(order.client_id) is order:
            del self._by_client_id[order.client_id]

    def find(self, order_id: str) -> Order | None:
        """The order with this id."""
        return self._orders.get(order_id)

    def target(self, cancel: Order) -> Order | None:
        """The order that a cancel is for."""
        order = self._by_client_id.get(cancel.client_id) if cancel.kind is Kind.CANCEL else None
        return order if order is not None and cancel.lane.covers(order.lane) else None

    def same_cancel(self, cancel: Order) -> Order | None:
        """A cancel that is to do the very same, and waits or is on its way."""
        if cancel.kind is not Kind.CANCEL:
            return None
        others = (order for order in self if order.kind is Kind.CANCEL and order.request == cancel.request)
        return next(others, None)

    def of_client_id(self, client_id: str) -> Order | None:
        """The order, not the cancel, with this client id."""
        return self._by_client_id.get(client_id)

    def waiting(self, lane: Lane) -> list[Order]:
        """The orders of an account and instrument that wait; an empty name stands for any."""
        return [
            order
            for order in self
            if order.state is OrderState.QUEUED and order.kind is Kind.ORDER and lane.covers(order.lane)
        ]

    @property
    def next_expiry(self) -> float | None:
        """Unix seconds at which the next order may expire."""
        return self._expiries[0][0] if self._expiries else None

    def expired(self, now: float) -> Iterator[Order]:
        """The orders that still wait when their time is over, each once."""
        while self._expiries and self._expiries[0][0] <= now:
            order = self._orders.get(heapq.heappop(self._expiries)[1])
            if order is not None and order.state is OrderState.QUEUED:
                yield order
