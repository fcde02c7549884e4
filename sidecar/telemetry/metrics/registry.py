"""All metrics together: fed by the bus, read by a scrape."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, GCCollector, Metric, PlatformCollector, ProcessCollector
from prometheus_client import generate_latest as machine_text
from prometheus_client.openmetrics.exposition import ALLOWUTF8
from prometheus_client.openmetrics.exposition import generate_latest as machine_openmetrics
from prometheus_client.registry import Collector

from sidecar.telemetry.events import Bus, CallFinished
from sidecar.telemetry.metrics.accept import CONTENT_TYPES, wants_openmetrics
from sidecar.telemetry.metrics.breakers import BreakerMetrics
from sidecar.telemetry.metrics.cache import CacheMetrics
from sidecar.telemetry.metrics.calls import CallMetrics
from sidecar.telemetry.metrics.condition import ConditionMetrics
from sidecar.telemetry.metrics.degradation import DegradationMetrics
from sidecar.telemetry.metrics.errors import ErrorMetrics, ReadErrors
from sidecar.telemetry.metrics.families import AnyFamily
from sidecar.telemetry.metrics.idempotency import IdempotencyMetrics
from sidecar.telemetry.metrics.limits import LimitMetrics
from sidecar.telemetry.metrics.operational import OperationalMetrics
from sidecar.telemetry.metrics.operations import OperationMetrics, ReadOperations
from sidecar.telemetry.metrics.orders import OrderMetrics, ReadOrders
from sidecar.telemetry.metrics.own import OwnMetrics, ReadAudit, ReadSpans
from sidecar.telemetry.metrics.pulse import PulseMetrics
from sidecar.telemetry.metrics.store import ReadStore, StoreMetrics
from sidecar.telemetry.metrics.streams import StreamMetrics
from sidecar.telemetry.metrics.subject import Subject
from sidecar.telemetry.metrics.truth import TruthMetrics
from sidecar.telemetry.state import BrokerShape


def _never(_: CallFinished) -> bool:
    return False


class Metrics(Collector):
    """The sidecar's metrics.

    `registry` holds them, and those of the process (processor, memory, files, garbage collection), for whoever speaks
    `prometheus_client`; it is not the global one. `traced` tells which calls have a trace, so that exemplars name only
    traces that exist. `read_audit`, `read_spans` and `read_store` tell how the audit log, the trace export and the
    state file fare, `read_orders` how the carried orders stand, `read_operations` how the operations do, `read_errors`
    how many errors last. `channels` are those that people are notified by.

    Use it from the event loop's thread only.
    """

    def __init__(
        self,
        shapes: Sequence[BrokerShape],
        *,
        bot: str,
        version: str,
        traced: Callable[[CallFinished], bool] = _never,
        read_audit: ReadAudit | None = None,
        read_spans: ReadSpans | None = None,
        read_errors: ReadErrors | None = None,
        channels: Sequence[str] = (),
        read_store: ReadStore | None = None,
        read_orders: ReadOrders | None = None,
        read_operations: ReadOperations | None = None,
    ) -> None:
        self._shapes = tuple(shapes)
        self._own = OwnMetrics(bot=bot, version=version)
        self._orders, self._store = OrderMetrics(shapes), StoreMetrics()
        self._operations, self._read_operations = OperationMetrics(shapes), read_operations
        self._errors, self._read_errors = ErrorMetrics(shapes, channels), read_errors
        self.pulse = PulseMetrics()
        self._read_audit, self._read_spans = read_audit, read_spans
        self._read_store, self._read_orders = read_store, read_orders
        self._subjects: tuple[Subject, ...] = (
            CallMetrics(shapes, traced),
            IdempotencyMetrics(shapes),
            ConditionMetrics(shapes),
            DegradationMetrics(shapes),
            CacheMetrics(shapes),
            BreakerMetrics(shapes),
            LimitMetrics(shapes, traced),
            StreamMetrics(shapes),
            TruthMetrics(shapes),
            self._errors,
            self._orders,
            self._operations,
            self._store,
            OperationalMetrics(shapes),
            self.pulse,
            self._own,
        )
        self.families: tuple[AnyFamily, ...] = tuple(
            family for subject in self._subjects for family in subject.families
        )
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._machine = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            self.registry.register(collector(registry=self._machine))

    def subscribe(self, bus: Bus) -> None:
        """Listen to everything that feeds a metric."""
        for subject in self._subjects:
            subject.subscribe(bus)

    def count_failure(self, _: Exception) -> None:
        """A subscriber of the bus failed; for the bus's `on_failure`."""
        self._own.count_failure()

    def collect(self) -> Iterator[Metric]:
        """The sidecar's own families, states read anew."""
        self._refresh()
        return (family.metric() for family in self.families)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """What a scrape gets and its content type: OpenMetrics when `accept` prefers it, else Prometheus's text."""
        self._refresh()
        openmetrics = wants_openmetrics(accept)
        own = "".join(line for family in self.families for line in family.text(openmetrics))
        # The names are all plain, for which this escaping scheme gives the same text without looking at each letter.
        machine = (machine_openmetrics if openmetrics else machine_text)(self._machine, escaping=ALLOWUTF8)
        return own.encode() + machine, CONTENT_TYPES[openmetrics]

    def _refresh(self) -> None:
        for shape in self._shapes:
            reading = shape.read()
            for subject in self._subjects:
                subject.refresh(reading)
        if self._read_audit is not None:
            self._own.show_audit(self._read_audit())
        if self._read_spans is not None:
            self._own.show_spans(self._read_spans())
        if self._read_errors is not None:
            self._errors.show(self._read_errors())
        if self._read_store is not None:
            self._store.show(self._read_store())
        if self._read_orders is not None:
            self._orders.show(self._read_orders())
        if self._read_operations is not None:
            self._operations.show(self._read_operations())
