"""Wires the rooms together, and owns the order in which they start and stop.

Up: what remembers (audit) before what happens, and the sockets last, so that no call comes before everything is there.
Down: the sockets first, then what remembers, so that the last call is still on the record.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import structlog
import uvloop

from sidecar import __version__
from sidecar.alerting.errors import ChannelError
from sidecar.alerting.service import LAST_WORD_SECONDS, Alerting
from sidecar.api.error_routes import ErrorRoutes
from sidecar.api.errors import ApiError
from sidecar.api.lifecycle import LifecycleRoutes
from sidecar.api.operations import operation_routes
from sidecar.api.service import Api
from sidecar.brokers.profile import Profile
from sidecar.brokers.registry import build
from sidecar.calls.gateway import Gateway, gateways
from sidecar.clock import Clock, SystemClock
from sidecar.config.changes import adopted, differences
from sidecar.config.credentials import keys_of
from sidecar.config.load import load
from sidecar.config.model import Broker, Config
from sidecar.config.report import ConfigError
from sidecar.config.secrets import SecretFileError
from sidecar.health.condition import Condition
from sidecar.health.operational import Operational
from sidecar.health.prober import Prober
from sidecar.health.setup import condition, degradation, readjust
from sidecar.health.startup import StartupChecks
from sidecar.orders.desk import OrderDesk
from sidecar.orders.fills.streams import FillStreams
from sidecar.orders.idempotency import IdempotentGateway
from sidecar.orders.keys import Keys
from sidecar.orders.ledger import Ledger
from sidecar.orders.operations.engine import OperationEngine
from sidecar.orders.operations.journal import Journal
from sidecar.orders.queue import OrderQueue
from sidecar.stopping import HURRIED_SECONDS, Budget
from sidecar.store import Store, StoreError
from sidecar.store.facts import reading, writing
from sidecar.telemetry.audit import AuditError, AuditLog
from sidecar.telemetry.audit.log import RETRY_SECONDS as AUDIT_RETRY_SECONDS
from sidecar.telemetry.events import Bus, LastRunTold, OperationalStateChanged, Reloaded, Started, Stopped
from sidecar.telemetry.logs import configure
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.news import NewsLog
from sidecar.telemetry.traces import Traces
from sidecar.words import OperationalState, Readiness

LAST_STATE: Final = "operational_state"
"""The fact in the state file that tells the next run how this one went."""
KEPT_SECONDS: Final = 4.0
"""Of the usual nine seconds of a stop, what is kept for writing down what happened; calls in flight have the rest."""
SWITCH_SECONDS: Final = 0.0005
"""How long the audit and trace threads may keep the interpreter while a call waits for it. Python's own 5 ms is as long
as many a call to a broker takes."""
AUDIT_SECONDS: Final = 2.0
"""What the audit log may take to close when a start comes to nothing."""


class App:
    """One sidecar: everything between its sockets and its brokers."""

    def __init__(self, config: Config, clock: Clock, read: Callable[[], Config]) -> None:
        """`read` reads the configuration anew, from where `config` came; it raises `ConfigError`."""
        self._config = config
        self._read = read
        self._reloading = asyncio.Lock()
        self._budget: Budget | None = None
        self._clock = clock
        self._bus = Bus(clock)
        self._operational = Operational(tuple(config.brokers), bus=self._bus, clock=clock)
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
        self._fill_streams: dict[str, FillStreams] = {}
        self._queues, self._desk = self._carrying(brokers, rng)
        self._checks = {
            name: StartupChecks(self.gateways[name], settings.startup, self._operational, bus=self._bus, clock=clock)
            for name, settings in config.brokers.items()
        }
        self._operations = self._operating(rng)
        self._background: list[asyncio.Task[None]] = []
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
        lifecycle = LifecycleRoutes(self._operational, retry=self.check_again, reload=self.reload)
        self.api = Api(
            config,
            self.fronts,
            bus=self._bus,
            clock=clock,
            health=self._operational,
            exposition=self._metrics.exposition,
            desk=self._desk,
            more=(
                *ErrorRoutes(self._alerting.registry, clock).routes(),
                *lifecycle.routes(),
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
                await self._remember(self._store)
            await self._alerting.start()
            for gateway in self.gateways.values():
                await gateway.open()
            await self._restore()
            await self.api.start()
            await self._recover(self._config.state.recovery_seconds)
        except BaseException:
            await self._let_go()
            raise
        self._look_after()
        self._bus.emit(Started(__version__, self._config.bot, time.monotonic() - began))
        for queue in self._queues:
            queue.start()
        self._operational.open()

    def _look_after(self) -> None:
        """Begin everything that goes on beside the calls until the stop."""
        watches = {f"degradation of {name}": level.run() for name, level in self._degradations.items()}
        watches |= {
            f"probe {name}": Prober(self._conditions[name], gateway.look).run()
            for name, gateway in self.gateways.items()
            if gateway.can_look
        }
        watches |= {f"start-up checks {name}": checks.run() for name, checks in self._checks.items()}
        watches |= {f"fills of {name}": streams.run() for name, streams in self._fill_streams.items()}
        watches["pulse"] = self._metrics.pulse.run(self._clock)
        self._background += [asyncio.create_task(watch, name=name) for name, watch in watches.items()]

    async def _restore(self) -> None:
        """Take over the orders that the last run left."""
        for queue in self._queues:
            await queue.restore()
        if self._desk is not None:
            await self._desk.give_up_strays()

    async def stop(self, reason: str) -> None:
        """Take no more calls, let those in flight end, and write down what happened; all within `stop.budget_seconds`.

        A phase that does not end in its time is left, so that the later ones, which keep the record, have theirs.
        """
        budget = self._budget = Budget(self._config.stop.budget_seconds, self._clock)
        self._operational.shut_down(reason)
        self._wind_down(budget)
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._config.stop.cancel_waiting_orders:
            clearing = asyncio.gather(*(queue.clear("taken back: the sidecar was stopped") for queue in self._queues))
            await budget.phase("orders that wait were not all taken back", clearing, kept=KEPT_SECONDS)
        unfinished = await self.api.stop(budget.seconds(KEPT_SECONDS))
        if unfinished:
            budget.left.append(f"calls that were cut short: {unfinished}")
        await budget.phase("calls were not all written down", self._finish(), kept=2.2)
        budget.left += [f"orders that wait for {queue.broker}: {len(queue)}" for queue in self._queues if len(queue)]
        closing = asyncio.gather(*(gateway.close() for gateway in self.gateways.values()))
        await budget.phase("connections were not all closed", closing, kept=2.1)
        await budget.phase("notifications were not all sent", self._alerting.close(), kept=2.0)
        self._bus.emit(Stopped(reason, unfinished, tuple(budget.left)))
        if self._store is not None:
            await budget.phase("the state file was not closed", self._close_store(self._store, budget), kept=1.6)
        self._news.close()
        await asyncio.to_thread(self._traces.shutdown, budget.seconds(1.2))
        await asyncio.to_thread(self._audit.close, budget.seconds(AUDIT_RETRY_SECONDS))

    def hurry(self) -> None:
        """End the stop that is under way sooner: somebody has asked for it once more."""
        if self._budget is not None:
            self._budget.hurry(KEPT_SECONDS)
            self.api.hurry(HURRIED_SECONDS)

    def _wind_down(self, budget: Budget) -> None:
        """Take on nothing new."""
        self._alerting.wind_down(min(LAST_WORD_SECONDS, budget.seconds(2.2)))
        for name, gateway in self.gateways.items():
            gateway.wind_down()
            self.fronts[name].wind_down()
        if self._operations is not None:
            self._operations.wind_down()
        for queue in self._queues:
            queue.wind_down()
        for task in self._background:
            task.cancel()

    async def _finish(self) -> None:
        for front in self.fronts.values():
            await front.finish()
        if self._operations is not None:
            await self._operations.finish()
        await asyncio.gather(*(queue.finish() for queue in self._queues))

    async def _close_store(self, store: Store, budget: Budget) -> None:
        told = {"state": OperationalState.SHUTDOWN, "left": budget.left}
        with suppress(StoreError):  # a full disk: the log has it
            await store.write(writing(LAST_STATE, told, self._clock.now()))
        await store.close()

    async def reload(self) -> Reloaded:
        """Read the configuration again and take over what can change while calls are made; never raises for it."""
        async with self._reloading:
            told = await self._reloaded()
        self._bus.emit(told)
        return told

    async def _reloaded(self) -> Reloaded:
        running = self._config
        try:
            wanted = await asyncio.to_thread(self._read)
            config = adopted(running, wanted)
            keys = {name: keys_of(broker.credentials) for name, broker in config.brokers.items()}
            await self._alerting.adopt(config.alerting)
        except ConfigError as error:
            return Reloaded((), (), tuple(map(str, error.problems)))
        except (ChannelError, SecretFileError, StoreError) as error:
            return Reloaded((), (), (str(error),))
        self._config = config
        configure(config.log.level, config.log.format)
        changed = list(differences(running, config))
        for name, settings in config.brokers.items():
            readjust(self._conditions[name], settings.maintenance)
            self._checks[name].settings = settings.startup
            if self.gateways[name].adopt(settings, keys[name]):
                changed.append(f"brokers.{name}.credentials")
                self._checks[name].retry()
        self.check_again()
        return Reloaded(tuple(dict.fromkeys(changed)), differences(config, wanted))

    def check_again(self) -> None:
        """Run the start-up checks of every broker that is not ready, now."""
        for name, checks in self._checks.items():
            if self._operational.readiness(name).state is not Readiness.READY:
                checks.retry()

    async def _remember(self, store: Store) -> None:
        """Tell what the last run left, and from now on keep what the next one should know."""
        told = await store.read(reading(LAST_STATE))
        left = tuple(told.get("left", ()))
        clean = told.get("state", OperationalState.SHUTDOWN) == OperationalState.SHUTDOWN
        if left or not clean:
            self._bus.emit(LastRunTold(clean, left))

        def keep(event: OperationalStateChanged) -> None:
            value = {"state": event.to_state, "reason": event.reason}
            store.write_nowait(writing(LAST_STATE, value, self._clock.now()))

        self._bus.subscribe(OperationalStateChanged, keep)

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
        self._fill_streams = {
            name: FillStreams(self.gateways[name], queue, ledger, bus=self._bus, clock=self._clock, rng=rng)
            for name, queue in queues.items()
            if self.gateways[name].tells_of_orders
        }
        desk = OrderDesk(queues, ledger, bus=self._bus, clock=self._clock, rng=rng, fill_streams=self._fill_streams)
        return tuple(queues.values()), desk

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


async def _reload_on(asked: asyncio.Event, app: App) -> None:
    """Reload whenever a signal asks for it; signals that come meanwhile are one."""
    while True:
        await asked.wait()
        asked.clear()
        await app.reload()


async def _serve(config: Config, source: Path) -> int:
    log = structlog.get_logger("sidecar")
    told = asyncio.Event()
    reason = ""

    def stop(number: signal.Signals) -> None:
        nonlocal reason
        if told.is_set():
            app.hurry()
        reason = reason or number.name
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    app = App(config, SystemClock(), lambda: load(source, os.environ))
    reloads = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloads.set)
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
    reloading = asyncio.create_task(_reload_on(reloads, app))
    await told.wait()
    reloading.cancel()
    await app.stop(reason)
    return 0
