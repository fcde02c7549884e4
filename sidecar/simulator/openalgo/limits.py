"""How much one address may ask for: moving windows of a second, one for each group of endpoints."""

from collections import defaultdict, deque

from sidecar.clock import Clock

_WINDOW_SECONDS = 1.0
_ORDERS = frozenset({"placeorder", "modifyorder", "cancelorder"})
_SMART = "placesmartorder"


class Limits:
    """Counts requests in a moving second, for each address and group; one that is refused does not count."""

    def __init__(self, clock: Clock, *, orders: int, smart_orders: int, others: int) -> None:
        self._clock = clock
        self._most = {"orders": orders, "smart_orders": smart_orders, "others": others}
        self._arrivals: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def admit(self, address: str, path: str) -> bool:
        """Whether a request may pass."""
        name = path.rstrip("/").rpartition("/")[2]
        group = "orders" if name in _ORDERS else "smart_orders" if name == _SMART else "others"
        now, arrivals = self._clock.monotonic(), self._arrivals[address, group]
        while arrivals and arrivals[0] <= now - _WINDOW_SECONDS:
            arrivals.popleft()
        if len(arrivals) >= self._most[group]:
            return False
        arrivals.append(now)
        return True

    def reset(self) -> None:
        """Forget the requests."""
        self._arrivals.clear()
