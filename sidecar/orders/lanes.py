"""Who is sent next: orders of one account and instrument one after the other, cancels before everything."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from sidecar.brokers.profile import Lane
from sidecar.orders.order import Kind, Order


class Lanes:
    """The orders of one broker that wait for their turn. An order that does not wait any more is passed over."""

    def __init__(self) -> None:
        self._cancels: deque[Order] = deque()
        self._lanes: dict[Lane, deque[Order]] = {}
        self._free: deque[Lane] = deque()
        """Lanes in which an order waits and none is under way, in the order of their turns."""
        self._busy: set[Lane] = set()

    def add(self, order: Order) -> None:
        """Put an order at the end of its lane; an urgent one before all that are not."""
        if order.kind is Kind.CANCEL:
            self._cancels.append(order)
            return
        lane = self._lanes.get(order.lane)
        if lane is None:
            lane = self._lanes[order.lane] = deque()
        urgent = (place for place, other in enumerate(lane, 1) if other.urgent)
        lane.insert(max(urgent, default=0) if order.urgent else len(lane), order)
        self._offer(order.lane)

    def put_back(self, order: Order) -> None:
        """Put an order that was taken and not executed back in front; its lane stays busy until `release`."""
        if order.kind is Kind.CANCEL:
            self._cancels.appendleft(order)
        else:
            self._lanes.setdefault(order.lane, deque()).appendleft(order)

    def discard(self, order: Order) -> None:
        """Forget an order that will not be sent; it may have been passed over already."""
        with suppress(KeyError, ValueError):
            self._lanes[order.lane].remove(order)

    def restore(self, order: Order) -> None:
        """Let an order that was to be cancelled wait on: where it stood, or in front if it was passed over."""
        if order not in self._lanes.get(order.lane, ()):
            self.put_back(order)
            self._offer(order.lane)

    def take_cancel(self, ready: Callable[[Order], bool]) -> Order | None:
        """The oldest cancel that is ready."""
        for _ in range(len(self._cancels)):
            cancel = self._cancels.popleft()
            if not cancel.waits:
                continue
            if ready(cancel):
                return cancel
            self._cancels.append(cancel)
        return None

    def take_order(self, allowed: Callable[[Order], bool]) -> Order | None:
        """The first order of the next free lane where it is allowed; its lane is busy until `release`."""
        for _ in range(len(self._free)):
            key = self._free.popleft()
            lane = self._lanes[key]
            while lane and not lane[0].waits:
                lane.popleft()
            if lane and not allowed(lane[0]):
                self._free.append(key)
                continue
            order = lane.popleft() if lane else None
            if not lane:
                del self._lanes[key]
            if order is not None:
                self._busy.add(key)
                return order
        return None

    def release(self, lane: Lane) -> None:
        """An order's turn is over: the next one of its lane may follow."""
        self._busy.discard(lane)
        if lane in self._lanes:
            self._offer(lane)

    def _offer(self, lane: Lane) -> None:
        """Let a lane have its turn, unless an order of it is under way; before all others if its next one is urgent."""
        urgent = any(order.urgent for order in self._lanes[lane])
        if lane in self._free and urgent:
            self._free.remove(lane)
        if lane not in self._busy and lane not in self._free:
            self._free.insert(0 if urgent else len(self._free), lane)
