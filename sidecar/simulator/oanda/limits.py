"""How much one address may ask for."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from sidecar.clock import Clock
from sidecar.simulator.oanda.errors import RefusedError, bad_request
from sidecar.simulator.oanda.exchange import Rules

_WINDOW_SECONDS = 1.0


class Limits:
    """Counts requests in a sliding second, and open streams, for each address."""

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._arrivals: defaultdict[str, deque[float]] = defaultdict(deque)
        self._streams: Counter[str] = Counter()

    def admit(self, address: str) -> bool:
        """Whether a request may pass; one that may not is not counted."""
        now, arrivals = self._clock.monotonic(), self._arrivals[address]
        while arrivals and arrivals[0] <= now - _WINDOW_SECONDS:
            arrivals.popleft()
        if len(arrivals) >= self._rules.requests_per_second:
            return False
        arrivals.append(now)
        return True

    @contextmanager
    def stream(self, address: str) -> Iterator[None]:
        """Hold one of the address's streams; `RefusedError` (429) when none is left."""
        if self._streams[address] >= self._rules.streams:
            raise too_many("streams")
        self._streams[address] += 1
        try:
            yield
        finally:
            self._streams[address] -= 1

    def reset(self) -> None:
        """Forget the requests; streams that are open still count."""
        self._arrivals.clear()


def too_many(what: str) -> RefusedError:
    """The 429 answer. OANDA documents the status; the wording is the simulator's."""
    return bad_request(f"Too many {what}, please slow down.", status=429)
