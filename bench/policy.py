"""What the sidecar's own decisions cost: one call after another through a gateway whose broker answers at once.

No socket is involved. The decisions are measured one by one; what they leave over of a call to which nobody listens is
the pipeline that joins them. A listener costs what a call gets dearer by it. Every figure is the best of many short
series: what a slower one adds is the machine's doing.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import uvloop
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from bench.contest import PLENTY
from bench.load import order_body
from bench.upstream import ACCEPTED, ORDER, PRICE, READ
from sidecar.brokers.profile import Intent, Profile, Verdict
from sidecar.brokers.registry import build
from sidecar.calls.breaker import Breaker, Permit
from sidecar.calls.gateway import Gateway
from sidecar.calls.limiter import Address, Limiter
from sidecar.calls.policies import breaker_policy
from sidecar.clock import SystemClock
from sidecar.config.model import Broker, Telemetry
from sidecar.health.setup import condition, degradation
from sidecar.telemetry.audit import AuditLog
from sidecar.telemetry.events import Bus
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.news import NewsLog
from sidecar.telemetry.traces import Traces
from sidecar.wire import Answer, Request

_SERIES: Final = 25
METRICS, TRACES, AUDIT, NEWS = "events to metrics", "traces", "audit put", "news"
LISTENERS: Final = (METRICS, TRACES, AUDIT, NEWS)
_BROKER: Final = {
    "profile": "binance-usdm",
    "base_url": "http://127.0.0.1:1",
    "limits": {"windows": {name: {"capacity": PLENTY} for name in ("weight_1m", "orders_10s", "orders_1m")}},
}
_HEADERS: Final = (
    (b"Server", b"nginx"),
    (b"Content-Type", b"application/json"),
    (b"X-MBX-USED-WEIGHT-1M", b"12"),
)
_COUNTS: Final = ((b"X-MBX-ORDER-COUNT-10S", b"3"), (b"X-MBX-ORDER-COUNT-1M", b"7"))
_ASKED: Final = ((b"X-MBX-APIKEY", b"k" * 64), (b"Accept-Encoding", b"gzip"))


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds for each call, by part, of one kind of call."""

    kind: str
    parts: dict[str, float]
    whole: float
    """On the event loop's thread."""
    beside: float
    """In the threads that write the audit log and export spans: off the call's path, but of the same core's time."""


class _Swallow(SpanExporter):
    """A collector that takes everything at once."""

    def export(self, spans: object) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS


def costs(folder: Path, calls: int) -> list[Cost]:
    """The costs of a plain read and of an order, the best of 25 series of `calls` calls each."""
    read = Request("GET", READ, _ASKED)
    order = Request("POST", ORDER, _ASKED, order_body(time.time()).encode())
    return [
        _cost("read", read, Answer(200, _HEADERS, PRICE.encode()), folder, calls),
        _cost("order", order, Answer(200, _HEADERS + _COUNTS, ACCEPTED.encode()), folder, calls),
    ]


class _Sidecar:
    """A gateway whose broker answers at once, and some of the listeners that `sidecar run` gives it."""

    def __init__(self, answer: Answer, folder: Path, listeners: Sequence[str]) -> None:
        clock = SystemClock()
        bus = Bus(clock)
        settings = Broker.model_validate(_BROKER)
        profile = build(settings)
        rng = Random(1)
        door = condition("binance", settings.maintenance, bus=bus, clock=clock, rng=rng)
        gateway = Gateway(
            "binance",
            settings,
            profile,
            address=Address(clock),
            admission=door,
            restraint=degradation("binance", settings, door, bus=bus, clock=clock),
            bus=bus,
            clock=clock,
            rng=rng,
        )

        async def send(*_: object, **__: object) -> Answer:
            return answer

        # The wire is the one part that must not be measured here, and no caller but a benchmark wants to exchange it.
        gateway._transport.send = send  # type: ignore[method-assign]  # noqa: SLF001
        shapes = [gateway.controls.shape()]
        telemetry = Telemetry.model_validate({"otlp": {"endpoint": "http://127.0.0.1:1"}})
        self.run = gateway.run
        self.audit = AuditLog(folder, bot="bench", retention_days=1, clock=clock)
        self._traces = Traces(telemetry, shapes, bot="bench", version="0", environment={}, exporter=_Swallow())
        self.audit.open()
        metrics = Metrics(shapes, bot="bench", version="0", traced=self._traces.traced)
        known: Mapping[str, Metrics | Traces | AuditLog | NewsLog] = {
            METRICS: metrics,
            TRACES: self._traces,
            AUDIT: self.audit,
            NEWS: NewsLog(600, clock),
        }
        for name in listeners:
            known[name].subscribe(bus)

    def close(self) -> None:
        self.audit.close(10)
        self._traces.shutdown(10)


def _cost(kind: str, request: Request, answer: Answer, folder: Path, calls: int) -> Cost:
    sidecars: dict[tuple[str, ...], _Sidecar] = {}
    try:
        for listeners in ((), *((name,) for name in LISTENERS), LISTENERS):
            sidecars[listeners] = _Sidecar(answer, folder / "-".join((kind, *listeners)), listeners)
        told, beside = uvloop.run(_told(sidecars, request, calls))
    finally:
        for sidecar in sidecars.values():
            sidecar.close()
    parts = dict(_decisions(build(Broker.model_validate(_BROKER)), request, answer, calls))
    parts["pipeline, the rest"] = told[()] - sum(parts.values())
    parts |= {name: max(0.0, told[name,] - told[()]) for name in LISTENERS}
    return Cost(kind, parts, told[LISTENERS], beside)


async def _told(
    sidecars: Mapping[tuple[str, ...], _Sidecar], request: Request, calls: int
) -> tuple[dict[tuple[str, ...], float], float]:
    """Microseconds of a call by who listens, in turns; and what everybody together costs in other threads."""
    series: dict[tuple[str, ...], list[float]] = {listeners: [] for listeners in sidecars}
    beside = 0.0
    for _ in range(_SERIES):
        for listeners, sidecar in sidecars.items():
            all_threads, own = time.process_time(), time.thread_time()
            for _ in range(calls):
                await sidecar.run(request)
            series[listeners].append(time.thread_time() - own)
            while sidecar.audit.readings().queued:
                time.sleep(0.01)  # noqa: ASYNC251 - nothing else runs on this loop
            if listeners == LISTENERS:
                beside += (time.process_time() - all_threads) - (time.thread_time() - own)
    whole = {listeners: min(times) / calls * 1e6 for listeners, times in series.items()}
    return whole, max(0.0, beside / _SERIES / calls * 1e6)


def _decisions(profile: Profile, request: Request, answer: Answer, calls: int) -> Iterator[tuple[str, float]]:
    settings = Broker.model_validate(_BROKER)
    clock = SystemClock()
    bus = Bus(clock)
    intent = profile.understand(request)
    verdict = profile.classify(intent, answer)
    group = intent.endpoint.group
    breaker = Breaker("b", group, breaker_policy(settings.breaker, group), bus=bus, clock=clock, rng=Random(1))
    limiter = Limiter("b", profile.limits, settings.limits, Address(clock), bus, clock)

    yield "understand", _timed(lambda: profile.understand(request), calls)
    yield "breaker", _timed(lambda: _through(breaker, verdict), calls)
    yield from _limiter(limiter, profile, intent, verdict, answer, calls)
    yield "classify", _timed(lambda: profile.classify(intent, answer), calls)
    yield "readings", _timed(lambda: profile.readings(answer.headers), calls)
    if intent.endpoint.audit:
        yield "order facts", _timed(lambda: profile.facts(request, answer), calls)


def _through(breaker: Breaker, verdict: Verdict) -> None:
    permit = breaker.admit(reserved=False)
    breaker.record(permit or Permit.NORMAL, verdict, 0.001)


def _limiter(  # noqa: PLR0917 - six parts of one call
    limiter: Limiter, profile: Profile, intent: Intent, verdict: Verdict, answer: Answer, calls: int
) -> Iterator[tuple[str, float]]:
    readings = profile.readings(answer.headers)
    taking, settling = [], []
    for _ in range(_SERIES):
        start = time.thread_time()
        leases = [limiter.try_acquire(intent) for _ in range(calls)]
        middle = time.thread_time()
        for lease in leases:
            if lease is None:
                raise AssertionError("the limits are meant to be out of reach")
            limiter.settle(lease, readings, verdict)
        taking.append(middle - start)
        settling.append(time.thread_time() - middle)
    yield "limiter", min(taking) / calls * 1e6
    yield "settle", min(settling) / calls * 1e6


def _timed(action: Callable[[], object], times: int) -> float:
    """Microseconds of this thread for one `action`."""
    series = []
    for _ in range(_SERIES):
        start = time.thread_time()
        for _ in range(times):
            action()
        series.append(time.thread_time() - start)
    return min(series) / times * 1e6
