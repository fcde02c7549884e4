"""How much one address may ask for: counted in sliding spans of time."""

from collections import defaultdict, deque

from sidecar.clock import Clock
from sidecar.simulator.projectx.exchange import Rules

BARS = "/api/history/retrievebars"
_MINUTE, _HALF_MINUTE = 60.0, 30.0


class Limits:
    """https://gateway.docs.projectx.com, "Rate Limits": bars by themselves, and everything else together."""

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._arrivals: defaultdict[tuple[str, bool], deque[float]] = defaultdict(deque)

    def admit(self, address: str, path: str) -> bool:
        """Whether a request may pass; one that may not is not counted."""
        bars = path.lower() == BARS
        most = self._rules.bars_per_half_minute if bars else self._rules.requests_per_minute
        span = _HALF_MINUTE if bars else _MINUTE
        now, arrivals = self._clock.monotonic(), self._arrivals[address, bars]
        while arrivals and arrivals[0] <= now - span:
            arrivals.popleft()
        if len(arrivals) >= most:
            return False
        arrivals.append(now)
        return True

    def reset(self) -> None:
        """Forget the requests."""
        self._arrivals.clear()
