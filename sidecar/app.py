"""Wires the rooms together, and owns the order in which they start and stop.

Up: what remembers (audit) before what happens, and the sockets last, so that no call comes before everything is there.
Down: the sockets first, then what remembers, so that the last call is still on the record.
"""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import structlog
import uvloop

from sidecar import __version__
from sidecar.alerting.service import Alerting
from sidecar.api.error_routes import ErrorRoutes
from sidecar.api.errors import ApiError
from sidecar.api.operations import operation_routes
from sidecar.api.service import Api
from sidecar.brokers.profile import Profile
from sidecar.brokers.registry import build
from sidecar.calls.gateway import Gateway, gateways
from sidecar.clock import Clock, SystemClock
from sidecar.config.model import Broker, Config
from sidecar.health.condition import Condition
from sidecar.health.prober import Prober
from sidecar.health.setup import condition, degradation
from sidecar.orders.desk import OrderDesk
from sidecar.orders.idempotency import IdempotentGateway
from sidecar.orders.keys import Keys
from sidecar.orders.ledger import Ledger
from sidecar.orders.operations.engine import OperationEngine
from sidecar.orders.operations.journal import Journal
from sidecar.orders.queue import OrderQueue
from sidecar.store import Store, StoreError
from sidecar.telemetry.audit import AuditError, AuditLog
from sidecar.telemetry.events import Bus, Started, Stopped
from sidecar.telemetry.logs import configure
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.news import NewsLog
from sidecar.telemetry.traces import Traces

DRAIN_SECONDS: Final = 5.0
"""How long calls in flight may take to end at a stop."""
SWITCH_SECONDS: Final = 0.0005
"""How long the audit and trace threads may keep the interpreter while a call waits for it. Python's own 5 ms is as long
as many a call to a broker takes."""
TRACES_SECONDS: Final = 1.5
AUDIT_SECONDS: Final = 2.0
"""With the drain, everything ends inside nine seconds: a pod has ten by common habit, thirty by default."""


@dataclass(slots=True)
class State:
    """What the probes ask."""

    started: bool = False
    why_not: str = "starting"

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether calls are welcome, and a word that says why not."""
        return not self.why_not, self.why_not or "ready"


class App:
    """One sidecar: everything between its sockets and its brokers."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._state = State()
        self._bus = Bus(clock)
        rng = Random()
        self._conditions = {
            name: condition(name, settings.maintenance, bus=self._bus, clock=clock, rng=rng)
            for name, settings in config.brokers.items()
        }
        brokers = {
            name: (settings, build(settings), self._conditions[name]) for name, settings in config.brokers.items()
        }
        self._degradations = {
            name: degradation(name, settings, self._conditions[name], bus=self._bus, clock=clock)
            for name, settings in config.brokers.items()
        }
        self.gateways: dict[str, Gateway] = gateways(
            brokers, restraints=self._degradations, bus=self._bus, clock=clock, rng=rng
        )
        self._store = None if config.state.path is None else Store(config.state.path)
        self.fronts = {
            name: IdempotentGateway(
                self.gateways[name],
                profile,
                self._keys(name),
                deadline_seconds=settings.deadline_seconds,
                bus=self._bus,
                clock=clock,
                client_id_seconds=settings.client_id_seconds,
            )
            for name, (settings, profile, _) in brokers.items()
        }
        self._queues, self._desk = self._carrying(brokers, rng)
        self._operations = self._operating(rng)
        self._probing: list[asyncio.Task[None]] = []
        self._audit = AuditLog(
            config.audit.directory, bot=config.bot, retention_days=config.audit.retention_days, clock=clock
        )
        self._alerting = Alerting(
            config.alerting,
            bot=config.bot,
            bus=self._bus,
            clock=clock,
            store=self._store,
            read_audit=self._audit.readings,
        )
        shapes = [gateway.shape() for gateway in self.gateways.values()]
        self._traces = Traces(config.telemetry, shapes, bot=config.bot, version=__version__)
        self._metrics = Metrics(
            shapes,
            bot=config.bot,
            version=__version__,
            traced=self._traces.traced,
            read_audit=self._audit.readings,
            read_spans=self._traces.readings,
            read_errors=self._alerting.registry.reading,
            channels=self._alerting.channels,
            read_store=None if self._store is None else self._store.readings,
            read_orders=lambda: [queue.reading() for queue in self._queues],
            read_operations=None if self._operations is None else self._operations.readings,
        )
        self._news = NewsLog(config.log.repeat_seconds, clock)
        self.api = Api(
            config,
            self.fronts,
            bus=self._bus,
            clock=clock,
            health=self._state,
            exposition=self._metrics.exposition,
            desk=self._desk,
            more=(
                *ErrorRoutes(self._alerting.registry, clock).routes(),
                *(() if self._operations is None else operation_routes(self._operations)),
            ),
        )

    async def start(self) -> None:
        """Open everything, the sockets last.

        Raises:
            AuditError: when the audit log cannot be written, or is in use by another sidecar.
            StoreError: when the state file cannot be used, or is in use by another sidecar.
            ApiError: when a socket cannot be opened.
        """
        began = time.monotonic()
        self._audit.open()
        self._bus.on_failure = self._metrics.count_failure
        for listener in (self._audit, self._metrics, self._traces, self._news):
            listener.subscribe(self._bus)
        try:
            if self._store is not None:
                await self._store.open()
            await self._alerting.start()
            for gateway in self.gateways.values():
                await gateway.open()
            await self._restore()
            await self.api.start()
            await self._recover(self._config.state.recovery_seconds)
        except BaseException:
            await self._let_go()
            raise
        for name, level in self._degradations.items():
            self._probing.append(asyncio.create_task(level.run(), name=f"degradation of {name}"))
        for name, gateway in self.gateways.items():
            if gateway.can_look:
                prober = Prober(self._conditions[name], gateway.look)
                self._probing.append(asyncio.create_task(prober.run(), name=f"probe {name}"))
        self._state.started, self._state.why_not = True, ""
        self._bus.emit(Started(__version__, self._config.bot, time.monotonic() - began))
        for queue in self._queues:
            queue.start()
        self._probing.append(asyncio.create_task(self._metrics.pulse.run(self._clock), name="pulse"))

    async def _restore(self) -> None:
        """Take over the orders that the last run left."""
        for queue in self._queues:
            await queue.restore()
        if self._desk is not None:
            await self._desk.give_up_strays()

    async def stop(self, reason: str) -> None:
        """Take no more calls, let those in flight end, and write down what happened."""
        self._state.why_not = "stopping"
        self._alerting.wind_down()
        for name, gateway in self.gateways.items():
            gateway.wind_down()
            self.fronts[name].wind_down()
        if self._operations is not None:
            self._operations.wind_down()
        for queue in self._queues:
            queue.wind_down()
        for probing in self._probing:
            probing.cancel()
        await asyncio.gather(*self._probing, return_exceptions=True)
        unfinished = await self.api.stop(DRAIN_SECONDS)
        for front in self.fronts.values():
            await front.finish()
        if self._operations is not None:
            await self._operations.finish()
        for queue in self._queues:
            await queue.finish()
        for gateway in self.gateways.values():
            await gateway.close()
        self._bus.emit(Stopped(reason, unfinished))
        await self._alerting.close()
        if self._store is not None:
            await self._store.close()
        self._news.close()
        await asyncio.to_thread(self._traces.shutdown, TRACES_SECONDS)
        await asyncio.to_thread(self._audit.close, AUDIT_SECONDS)

    def _carrying(
        self, brokers: Mapping[str, tuple[Broker, Profile, Condition]], rng: Random
    ) -> tuple[tuple[OrderQueue, ...], OrderDesk | None]:
        """The queues of the brokers whose requests are signed here, and the desk before them."""
        if self._store is None:
            return (), None
        ledger = Ledger(self._store, self._config.state.order_history_seconds, self._clock)
        queues = {
            name: OrderQueue(
                self.gateways[name],
                profile,
                ledger,
                settings.queue,
                deadline_seconds=settings.deadline_seconds,
                bus=self._bus,
                clock=self._clock,
                rng=rng,
            )
            for name, (settings, profile, _) in brokers.items()
            if self.gateways[name].signs
        }
        return tuple(queues.values()), OrderDesk(queues, ledger, bus=self._bus, clock=self._clock, rng=rng)

    async def _recover(self, seconds: float) -> None:
        """Go on with what the last run left: the orders first, because operations ask how theirs are."""
        await asyncio.gather(*(queue.recover(seconds) for queue in self._queues))
        if self._operations is not None:
            await self._operations.recover(seconds)

    def _operating(self, rng: Random) -> OperationEngine | None:
        """What carries out operations, where orders are carried."""
        if self._store is None or self._desk is None:
            return None
        settings = self._config.operations
        return OperationEngine(
            self._desk,
            Journal(self._store, settings.history_seconds, self._clock),
            settings,
            list(self.gateways),
            bus=self._bus,
            clock=self._clock,
            rng=rng,
        )

    def _keys(self, broker: str) -> Keys | None:
        if self._store is None:
            return None
        return Keys(self._store, broker, self._config.state.idempotency_seconds, self._clock)

    async def _let_go(self) -> None:
        """Close what was opened before it turned out that something cannot be."""
        for gateway in self.gateways.values():
            await gateway.close()
        await self._alerting.close()
        if self._store is not None:
            await self._store.close()
        await asyncio.to_thread(self._audit.close, AUDIT_SECONDS)


def run(config: Config, source: Path) -> int:
    """Run a sidecar until it is told to stop; returns the process's exit code."""
    configure(config.log.level, config.log.format)
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config, source))


async def _serve(config: Config, source: Path) -> int:
    log = structlog.get_logger("sidecar")
    told = asyncio.Event()
    reason = ""

    def stop(number: signal.Signals) -> None:
        nonlocal reason
        reason = number.name
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    app = App(config, SystemClock())
    starting = asyncio.create_task(app.start())
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if told.is_set() and not starting.done():
        starting.cancel()
    try:
        await starting
    except asyncio.CancelledError:
        log.warning("The sidecar was stopped while it started", signal=reason)
        return 0
    except (ApiError, AuditError, StoreError) as failure:
        log.critical("The sidecar cannot start", why=str(failure), config=str(source))
        return 1
    # What is here now stays for good: looked at again, it would hold up calls for tens of milliseconds at a time.
    gc.freeze()
    await told.wait()
    await app.stop(reason)
    return 0
