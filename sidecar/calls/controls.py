"""What a person may look at and change of one broker, while it is called."""

from collections import Counter
from collections.abc import Callable

from sidecar.calls.breaker import Breaker
from sidecar.calls.cache import Cache
from sidecar.calls.hold import Hold
from sidecar.calls.parts import Parts
from sidecar.calls.questions import Questions
from sidecar.telemetry.events import FILLS, StreamClosed, StreamOpened
from sidecar.telemetry.state import BrokerReading, BrokerShape
from sidecar.words import BreakerMode, DegradationLevel


class Controls:
    """One broker's instruments and levers."""

    def __init__(
        self,
        parts: Parts,
        cache: Cache,
        questions: Questions,
        hold: Hold,
        *,
        base_url: str,
        in_flight: Callable[[], int],
    ) -> None:
        """`in_flight` counts the calls under way. Of `parts` only what every reload leaves in its place is used."""
        self._parts = parts
        self._cache = cache
        self._questions = questions
        self._hold = hold
        self._base_url = base_url
        self._in_flight = in_flight
        self._streams: Counter[str] = Counter()
        """How many are open, by name."""
        parts.bus.subscribe(StreamOpened, self._stream_opened)
        parts.bus.subscribe(StreamClosed, self._stream_closed)

    def _stream_opened(self, event: StreamOpened) -> None:
        self._streams[event.stream] += event.broker == self._parts.broker

    def _stream_closed(self, event: StreamClosed) -> None:
        self._streams[event.stream] -= event.was_open and event.broker == self._parts.broker

    def shape(self) -> BrokerShape:
        """The labels that are known before the first call."""
        endpoints = self._parts.profile.endpoints
        return BrokerShape(
            name=self._parts.broker,
            endpoints=tuple((endpoint.name, endpoint.group) for endpoint in endpoints),
            streams=(
                *(endpoint.name for endpoint in endpoints if endpoint.stream),
                *((FILLS,) if self._questions.tells_of_orders else ()),
            ),
            groups=tuple(self._parts.breakers),
            limits=self._parts.limiter.names,
            read=self.reading,
        )

    def reading(self) -> BrokerReading:
        """How the broker stands now."""
        parts = self._parts
        return BrokerReading(
            name=parts.broker,
            profile=parts.profile.name,
            base_url=self._base_url,
            condition=parts.admission.reading(),
            breakers=tuple(breaker.reading() for breaker in parts.breakers.values()),
            limits=parts.limiter.states(),
            gate=parts.limiter.gate(),
            in_flight=self._in_flight(),
            retry_budget=parts.budget.left(),
            degradation=parts.restraint.reading(),
            cache=self._cache.reading(),
            streams=tuple(sorted(name for name, count in self._streams.items() if count > 0)),
            held=self._hold.why,
        )

    def reset_breakers(self, group: str | None, reason: str) -> None:
        """Close one group's breaker, or all; raises KeyError for a group that the broker does not have."""
        for breaker in self._chosen(group):
            breaker.reset(reason)

    def set_breaker_mode(self, group: str | None, mode: BreakerMode, reason: str) -> None:
        """Run one group's breaker, or all, in another mode; raises KeyError for an unknown group."""
        for breaker in self._chosen(group):
            breaker.set_mode(mode, reason)

    def _chosen(self, group: str | None) -> tuple[Breaker, ...]:
        breakers = self._parts.breakers
        return tuple(breakers.values()) if group is None else (breakers[group],)

    def reset_limits(self, reason: str) -> None:
        """Forget what was counted of every limit and open the gate."""
        self._parts.limiter.reset(reason)

    def degrade(self, level: DegradationLevel, reason: str, seconds: float) -> None:
        """Let the degradation level be at least this for so long."""
        self._parts.restraint.degrade(level, reason, seconds)

    def recover(self, reason: str) -> None:
        """Back to degradation level `none`, whatever had demanded another."""
        self._parts.restraint.recover(reason)
