"""What the sidecar's own decisions cost: one call after another through a gateway whose broker answers at once.

No socket is involved. The whole is measured as the calls run it; each part by itself, on what a real call handed it;
what the parts leave over is the pipeline that joins them.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
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
from sidecar.telemetry.audit import AuditLog
from sidecar.telemetry.events import Bus, Event
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.news import NewsLog
from sidecar.telemetry.traces import Traces
from sidecar.wire import Answer, Request

_REPEATS: Final = 5
_WARM_UP: Final = 200
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
    """The costs of a plain read and of an order, each from `calls` calls repeated five times."""
    read = Request("GET", READ, _ASKED)
    order = Request("POST", ORDER, _ASKED, order_body(time.time()).encode())
    return [
        _cost("read", read, Answer(200, _HEADERS, PRICE.encode()), folder, calls),
        _cost("order", order, Answer(200, _HEADERS + _COUNTS, ACCEPTED.encode()), folder, calls),
    ]


class _Sidecar:
    """A gateway with its listeners, as `sidecar run` wires them, and a broker that answers at once."""

    def __init__(self, answer: Answer, folder: Path) -> None:
        self.clock = SystemClock()
        self.bus = Bus(self.clock)
        settings = Broker.model_validate(_BROKER)
        address = Address(self.clock)
        self.profile = build(settings)
        self.gateway = Gateway(
            "binance", settings, self.profile, address=address, bus=self.bus, clock=self.clock, rng=Random(1)
        )

        async def send(request: Request, *, seconds: float) -> Answer:
            del request, seconds
            return answer

        # The wire is the one part that must not be measured here, and no caller but a benchmark wants to exchange it.
        self.gateway._transport.send = send  # type: ignore[method-assign]  # noqa: SLF001
        shapes = [self.gateway.shape()]
        telemetry = Telemetry.model_validate({"otlp": {"endpoint": "http://127.0.0.1:1"}})
        self.audit = AuditLog(folder, bot="bench", retention_days=1, clock=self.clock)
        self.traces = Traces(telemetry, shapes, bot="bench", version="0", environment={}, exporter=_Swallow())
        self.metrics = Metrics(shapes, bot="bench", version="0", traced=self.traces.traced)
        self.news = NewsLog(600, self.clock)

    def close(self) -> None:
        self.audit.close(10)
        self.traces.shutdown(10)


def _cost(kind: str, request: Request, answer: Answer, folder: Path, calls: int) -> Cost:
    sidecar = _Sidecar(answer, folder / f"policy-{kind}")
    sidecar.audit.open()
    try:
        events = uvloop.run(_events_of_a_call(sidecar.gateway, sidecar.bus, request))
        parts = dict(_decisions(sidecar.profile, request, answer, calls))
        parts |= dict(_tellings(sidecar, events, calls))
        for listener in (sidecar.audit, sidecar.metrics, sidecar.traces, sidecar.news):
            listener.subscribe(sidecar.bus)
        whole, beside = uvloop.run(_whole(sidecar, request, calls))
    finally:
        sidecar.close()
    parts["pipeline, the rest"] = whole - sum(parts.values())
    return Cost(kind, parts, whole, beside)


async def _events_of_a_call(gateway: Gateway, bus: Bus, request: Request) -> list[Event]:
    told: list[Event] = []
    for kind in Event.__args__:
        bus.subscribe(kind, lambda event: told.append(event) if recording else None)
    recording = False
    await gateway.run(request)
    recording = True
    await gateway.run(request)
    recording = False
    return told


async def _whole(sidecar: _Sidecar, request: Request, calls: int) -> tuple[float, float]:
    run = sidecar.gateway.run
    for _ in range(_WARM_UP):
        await run(request)
    on_path, in_all = [], []
    for _ in range(_REPEATS):
        all_before, before = time.process_time(), time.thread_time()
        for _ in range(calls):
            await run(request)
        on_path.append((time.thread_time() - before) / calls * 1e6)
        while sidecar.audit.readings().queued:
            time.sleep(0.01)  # noqa: ASYNC251 - nothing else runs on this loop
        in_all.append((time.process_time() - all_before) / calls * 1e6)
    whole = median(on_path)
    return whole, max(0.0, median(in_all) - whole)


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
    for _ in range(_REPEATS):
        start = time.thread_time()
        leases = [limiter.try_acquire(intent) for _ in range(calls)]
        middle = time.thread_time()
        for lease in leases:
            if lease is None:
                raise AssertionError("the limits are meant to be out of reach")
            limiter.settle(lease, readings, verdict)
        taking.append(middle - start)
        settling.append(time.thread_time() - middle)
    yield "limiter", median(taking) / calls * 1e6
    yield "settle", median(settling) / calls * 1e6


def _tellings(sidecar: _Sidecar, events: list[Event], calls: int) -> Iterator[tuple[str, float]]:
    """What each listener does with the events of one call."""
    idle = _telling(Bus(sidecar.clock), events, calls)
    for name, listener in (
        ("events to metrics", sidecar.metrics),
        ("traces", sidecar.traces),
        ("audit put", sidecar.audit),
        ("news", sidecar.news),
    ):
        bus = Bus(sidecar.clock)
        listener.subscribe(bus)
        yield name, max(0.0, _telling(bus, events, calls) - idle)


def _telling(bus: Bus, events: list[Event], calls: int) -> float:
    def tell() -> None:
        for event in events:
            bus.emit(event)

    return _timed(tell, calls)


def _timed(action: Callable[[], object], times: int) -> float:
    """Microseconds of this thread for one `action`: the median of five series."""
    series = []
    for _ in range(_REPEATS):
        start = time.thread_time()
        for _ in range(times):
            action()
        series.append((time.thread_time() - start) / times * 1e6)
    return median(series)
