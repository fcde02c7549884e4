"""Wires the rooms together, and owns the order in which they start and stop.

Up: what remembers (audit) before what happens, and the sockets last, so that no call comes before everything is there.
Down: the sockets first, then what remembers, so that the last call is still on the record.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Final

import structlog

from sidecar import __version__
from sidecar.alerting.service import LAST_WORD_SECONDS, Alerting
from sidecar.api.error_routes import ErrorRoutes
from sidecar.api.lifecycle import LifecycleRoutes
from sidecar.api.operations import operation_routes
from sidecar.api.service import Api
from sidecar.brokers.profile import Profile
from sidecar.brokers.registry import build
from sidecar.calls.gateway import Gateway, gateways
from sidecar.clock import Clock
from sidecar.config.model import Broker, Config
from sidecar.health.condition import Condition
from sidecar.health.operational import Operational
from sidecar.health.prober import Prober
from sidecar.health.setup import condition, ruled
from sidecar.health.startup import StartupChecks
from sidecar.lastrun import LastRun
from sidecar.orders.desk import OrderDesk
from sidecar.orders.fills.streams import FillStreams
from sidecar.orders.idempotency import IdempotentGateway
from sidecar.orders.keys import Keys
from sidecar.orders.leaving import Leaving, leavings
from sidecar.orders.ledger import Ledger
from sidecar.orders.operations.engine import OperationEngine
from sidecar.orders.operations.journal import Journal
from sidecar.orders.queue import OrderQueue
from sidecar.reloading import Adjustable, Reloading
from sidecar.stopping import HURRIED_SECONDS, Budget
from sidecar.store import Store, StoreError
from sidecar.telemetry.audit import AuditLog
from sidecar.telemetry.audit.log import RETRY_SECONDS as AUDIT_RETRY_SECONDS
from sidecar.telemetry.events import (
    Bus,
    PositionsClosed,
    Reloaded,
    Started,
    Stopped,
)
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.news import NewsLog
from sidecar.telemetry.state import CheckReading
from sidecar.telemetry.traces import Traces
from sidecar.words import Readiness, StartupCheck

KEPT_SECONDS: Final = 4.0
"""Of the usual nine seconds of a stop, what is kept for writing down what happened; calls in flight have the rest."""
LEAVING_SECONDS: Final = 3.0
"""Of that rest, what is kept for taking orders and positions off the market, where that is configured."""
AUDIT_SECONDS: Final = 2.0
"""What the audit log may take to close when a start comes to nothing."""
_log = structlog.get_logger("sidecar")


class App:
    """One sidecar: everything between its sockets and its brokers."""

    def __init__(self, config: Config, clock: Clock, read: Callable[[], Config]) -> None:
        """`read` reads the configuration anew, from where `config` came; it raises `ConfigError`."""
        self._config = config
        self._budget: Budget | None = None
        self._kept = KEPT_SECONDS
        self._serving = False
        self._in_haste = asyncio.Event()
        self._clock = clock
        self._bus = Bus(clock)
        self._operational = Operational(tuple(config.brokers), bus=self._bus, clock=clock)
        rng = self._rng = Random()
        self._conditions = {
            name: condition(name, settings.maintenance, bus=self._bus, clock=clock, rng=rng)
            for name, settings in config.brokers.items()
        }
        brokers = {
            name: (settings, build(settings), self._conditions[name]) for name, settings in config.brokers.items()
        }
        self._degradations = {
            name: ruled(name, settings, self._conditions[name], bus=self._bus, clock=clock)
            for name, settings in config.brokers.items()
        }
        self.gateways: dict[str, Gateway] = gateways(
            brokers,
            restraints={name: one.level for name, one in self._degradations.items()},
            bus=self._bus,
            clock=clock,
            rng=rng,
        )
        self._store = None if config.state.path is None else Store(config.state.path)
        self._last_run = None if self._store is None else LastRun(self._store, self._bus, clock)
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
        self._ledger: Ledger | None = None
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
        queues = {queue.broker: queue for queue in self._queues}
        parts = {
            name: Adjustable(
                self.gateways[name],
                self.fronts[name],
                self._conditions[name],
                self._degradations[name],
                self._checks[name],
                queues.get(name),
            )
            for name in config.brokers
        }
        self._reloading = Reloading(config, read, parts, self._alerting)
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
            if self._store is not None and self._last_run is not None:
                await self._open(self._store)
                await self._last_run.begin()
            await self._alerting.start()
            for gateway in self.gateways.values():
                await gateway.open()
            await self._restore()
            await self.api.start()
            await self._recover_in_time(self._config.state.recovery_seconds)
        except BaseException:
            await self._let_go()
            raise
        self._look_after()
        self._bus.emit(Started(__version__, self._config.bot, time.monotonic() - began))
        for queue in self._queues:
            queue.start()
        self._operational.open()

    async def _open(self, store: Store) -> None:
        """Open the state file, and tell how it was found."""
        path = self._config.state.path
        known = path is not None and path.exists()
        try:
            await store.open()
        except StoreError as failure:
            self._operational.checked(CheckReading(StartupCheck.STATE_FILE, passed=False, detail=str(failure)))
            raise
        detail = f"{path} is in order" if known else f"{path} was made: there was none"
        self._operational.checked(CheckReading(StartupCheck.STATE_FILE, passed=True, detail=detail))

    def _look_after(self) -> None:
        """Begin everything that goes on beside the calls until the stop."""
        watches = {f"degradation of {name}": one.level.run() for name, one in self._degradations.items()}
        watches |= {
            f"probe {name}": Prober(self._conditions[name], gateway.look).run()
            for name, gateway in self.gateways.items()
            if gateway.can_look
        }
        watches |= {f"start-up checks {name}": checks.run() for name, checks in self._checks.items()}
        watches |= {f"fills of {name}": streams.run() for name, streams in self._fill_streams.items()}
        watches["pulse"] = self._metrics.pulse.run(self._clock)
        for name, watch in watches.items():
            task = asyncio.create_task(watch, name=name)
            task.add_done_callback(_tell_its_end)
            self._background.append(task)

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
        self._reloading.end()
        budget = self._budget = Budget(self._reloading.config.stop.budget_seconds, self._clock)
        self._operational.shut_down(reason)
        self._wind_down(budget)
        await asyncio.gather(*self._background, return_exceptions=True)
        leaving = self._leavings()
        self._kept = KEPT_SECONDS + (LEAVING_SECONDS if leaving else 0.0)
        await self._take_back(budget)
        unfinished = await self.api.stop(budget.seconds(self._kept))
        if unfinished:
            budget.left.append(f"calls that were cut short: {unfinished}")
        self._kept = KEPT_SECONDS
        if leaving:
            await self._leave(leaving, budget)
        await budget.phase("calls were not all written down", self._finish(), kept=2.2)
        budget.left += [f"orders that wait for {queue.broker}: {len(queue)}" for queue in self._queues if len(queue)]
        closing = asyncio.gather(*(gateway.close() for gateway in self.gateways.values()))
        await budget.phase("connections were not all closed", closing, kept=2.1)
        await budget.phase("notifications were not all sent", self._alerting.close(), kept=2.0)
        self._bus.emit(Stopped(reason, unfinished, tuple(budget.left)))
        if self._store is not None and self._last_run is not None:
            writing_down = self._close_store(self._store, self._last_run, budget)
            await budget.phase("the state file was not closed", writing_down, kept=1.6)
        self._news.close()
        await asyncio.to_thread(self._traces.shutdown, budget.seconds(1.2))
        await asyncio.to_thread(self._audit.close, budget.seconds(AUDIT_RETRY_SECONDS))

    def hurry(self) -> None:
        """End the stop that is under way sooner: somebody has asked for it once more."""
        if self._budget is not None:
            self._budget.hurry(self._kept)
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

    async def _take_back(self, budget: Budget) -> None:
        """Take back what waits, where that is configured; an order that opened a position anew would be worse there."""
        stop = self._reloading.config.stop
        wanted = [queue for queue in self._queues if stop.cancel_waiting_orders or queue.broker in stop.close_positions]
        clearing = asyncio.gather(*(queue.clear("taken back: the sidecar was stopped") for queue in wanted))
        await budget.phase("orders that wait were not all taken back", clearing, kept=self._kept)

    def _leavings(self) -> list[Leaving]:
        if self._ledger is None:
            return []
        stop = self._reloading.config.stop
        return leavings(self._queues, self.gateways, self._ledger, stop, clock=self._clock, rng=self._rng)

    async def _leave(self, leaving: Sequence[Leaving], budget: Budget) -> None:
        """Take orders and positions off the market; nobody else acts any more."""
        if self._operations is not None:
            await self._operations.finish()
        seconds = budget.seconds(KEPT_SECONDS)
        work = asyncio.gather(*(one.run(seconds) for one in leaving))
        await budget.phase("not everything could be taken off the market in time", work, kept=KEPT_SECONDS)
        for one in leaving:
            budget.left += one.left
            if one.closes:
                self._bus.emit(PositionsClosed(one.broker, one.closed, one.open))
            if one.clean and self._operations is not None:
                with suppress(StoreError):  # the next start finds the same
                    await self._operations.settle(one.broker, "the sidecar was stopped, and closed what was held")
        # Who has to know of what could not be closed gets as long as before.
        self._alerting.wind_down(min(LAST_WORD_SECONDS, budget.seconds(2.2)))

    async def _finish(self) -> None:
        for front in self.fronts.values():
            await front.finish()
        if self._operations is not None:
            await self._operations.finish()
        await asyncio.gather(*(queue.finish() for queue in self._queues))

    async def _close_store(self, store: Store, last_run: LastRun, budget: Budget) -> None:
        await last_run.end(budget.left)
        await store.close()

    async def reload(self) -> Reloaded:
        """Read the configuration again and take over what can change while calls are made; never raises for it."""
        told = await self._reloading.reload()
        if not told.problems:
            self.check_again()
        self._bus.emit(told)
        return told

    def check_again(self) -> None:
        """Run the start-up checks of every broker that is not ready, now."""
        for name, checks in self._checks.items():
            if self._operational.readiness(name).state is not Readiness.READY:
                checks.retry()

    def _carrying(
        self, brokers: Mapping[str, tuple[Broker, Profile, Condition]], rng: Random
    ) -> tuple[tuple[OrderQueue, ...], OrderDesk | None]:
        """The queues of the brokers whose requests are signed here, and the desk before them."""
        if self._store is None:
            return (), None
        ledger = self._ledger = Ledger(self._store, self._config.state.order_history_seconds, self._clock)
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
        desk = OrderDesk(
            queues,
            ledger,
            bus=self._bus,
            clock=self._clock,
            rng=rng,
            fill_streams=self._fill_streams,
            client_id_seconds={name: settings.client_id_seconds for name, (settings, _, _) in brokers.items()},
        )
        return tuple(queues.values()), desk

    def make_haste(self) -> bool:
        """A stop was asked for during the start: tells whether that ends at once of itself, since bots call already.

        Where they do not yet, the start may simply be cancelled.
        """
        if self._serving:
            self._in_haste.set()
        return self._serving

    async def _recover_in_time(self, seconds: float) -> None:
        """Recover until it is done, or until a stop is asked for: then calls in flight are owed an ordinary stop."""
        self._serving = True
        recovering = asyncio.create_task(self._recover(seconds))
        haste = asyncio.create_task(self._in_haste.wait())
        try:
            await asyncio.wait({recovering, haste}, return_when=asyncio.FIRST_COMPLETED)
            if not self._in_haste.is_set():
                await recovering
        finally:
            for task in (recovering, haste):
                task.cancel()
            await asyncio.gather(recovering, haste, return_exceptions=True)

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
        await self.api.stop(0)
        for gateway in self.gateways.values():
            await gateway.close()
        await self._alerting.close()
        if self._store is not None and self._last_run is not None:
            await self._last_run.come_to_nothing()
            await self._store.close()
        await asyncio.to_thread(self._audit.close, AUDIT_SECONDS)


def _tell_its_end(task: "asyncio.Task[None]") -> None:
    """Whatever goes on beside the calls has no end of its own: one that ends so must not do it silently."""
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        _log.critical(
            "Ended inside the sidecar, and is missing until a restart",
            what=task.get_name(),
            kind=type(failure).__name__,
        )
