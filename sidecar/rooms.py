"""All that one sidecar is made of, wired together: here is what there is, in `sidecar.app` when it starts and stops."""

from collections.abc import Callable
from random import Random

from sidecar import __version__
from sidecar.alerting.service import Alerting
from sidecar.api.error_routes import ErrorRoutes
from sidecar.api.lifecycle import LifecycleRoutes
from sidecar.api.operations import operation_routes
from sidecar.api.service import Api
from sidecar.brokers.registry import build
from sidecar.calls.setup import gateways
from sidecar.clock import Clock
from sidecar.config.model import Config
from sidecar.health.operational import Operational
from sidecar.health.setup import condition, ruled
from sidecar.health.startup import StartupChecks
from sidecar.orders.idempotency import IdempotentGateway
from sidecar.orders.keys import Keys
from sidecar.orders.service import Orders
from sidecar.reloading import Adjustable, Reloading
from sidecar.statefile import StateFile
from sidecar.telemetry.audit import AuditLog
from sidecar.telemetry.events import Bus, Reloaded
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.news import NewsLog
from sidecar.telemetry.traces import Traces
from sidecar.words import Readiness


class Rooms:
    """Everything between the sockets and the brokers, made and not yet opened. What is by broker has its name."""

    def __init__(self, config: Config, clock: Clock, read: Callable[[], Config]) -> None:
        """`read` as for `App`. Raises SecretFileError and ChannelError."""
        bus = self.bus = Bus(clock)
        rng = Random()
        brokers = config.brokers
        self.operational = Operational(tuple(brokers), bus=bus, clock=clock)

        # The way to the brokers
        profiles = {name: build(settings) for name, settings in brokers.items()}
        self.conditions = {
            name: condition(name, settings.maintenance, bus=bus, clock=clock, rng=rng)
            for name, settings in brokers.items()
        }
        self.degradations = {
            name: ruled(name, settings, self.conditions[name], bus=bus, clock=clock)
            for name, settings in brokers.items()
        }
        self.gateways = gateways(
            {name: (settings, profiles[name], self.conditions[name]) for name, settings in brokers.items()},
            restraints={name: one.level for name, one in self.degradations.items()},
            bus=bus,
            clock=clock,
            rng=rng,
        )
        self.checks = {
            name: StartupChecks(self.gateways[name], settings.startup, self.operational, bus=bus, clock=clock)
            for name, settings in brokers.items()
        }

        # Orders, and what they need a state file for
        path = config.state.path
        self.state = None if path is None else StateFile(path, self.operational, bus=bus, clock=clock)
        store = None if self.state is None else self.state.store
        self.fronts = {
            name: IdempotentGateway(
                self.gateways[name],
                profiles[name],
                None if store is None else Keys(store, name, config.state.idempotency_seconds, clock),
                deadline_seconds=settings.deadline_seconds,
                bus=bus,
                clock=clock,
                client_id_seconds=settings.client_id_seconds,
            )
            for name, settings in brokers.items()
        }
        self.orders = Orders(store, config, profiles, self.gateways, self.fronts, bus=bus, clock=clock, rng=rng)
        operations = self.orders.operations

        # What tells of it
        self.audit = AuditLog(
            config.audit.directory, bot=config.bot, retention_days=config.audit.retention_days, clock=clock
        )
        self.alerting = Alerting(
            config.alerting, bot=config.bot, bus=bus, clock=clock, store=store, read_audit=self.audit.readings
        )
        shapes = [gateway.controls.shape() for gateway in self.gateways.values()]
        self.traces = Traces(config.telemetry, shapes, bot=config.bot, version=__version__)
        self.metrics = Metrics(
            shapes,
            bot=config.bot,
            version=__version__,
            traced=self.traces.traced,
            read_audit=self.audit.readings,
            read_spans=self.traces.readings,
            read_errors=self.alerting.registry.reading,
            channels=self.alerting.channels,
            read_store=None if store is None else store.readings,
            read_orders=self.orders.readings,
            read_operations=None if operations is None else operations.readings,
        )
        self.news = NewsLog(config.log.repeat_seconds, clock)

        # What people and bots ask
        parts = {
            name: Adjustable(
                self.gateways[name],
                self.fronts[name],
                self.conditions[name],
                self.degradations[name],
                self.checks[name],
                self.orders.queues.get(name),
            )
            for name in brokers
        }
        self.reloading = Reloading(config, read, parts, self.alerting)
        lifecycle = LifecycleRoutes(self.operational, retry=self.check_again, reload=self.reload)
        self.api = Api(
            config,
            self.fronts,
            bus=bus,
            clock=clock,
            health=self.operational,
            exposition=self.metrics.exposition,
            desk=self.orders.desk,
            more=(
                *ErrorRoutes(self.alerting.registry, clock).routes(),
                *lifecycle.routes(),
                *(() if operations is None else operation_routes(operations)),
            ),
        )

    async def reload(self) -> Reloaded:
        """Read the configuration again and take over what can change while calls are made; never raises for it."""
        told = await self.reloading.reload()
        if not told.problems:
            self.check_again()
        self.bus.emit(told)
        return told

    def check_again(self) -> None:
        """Run the start-up checks of every broker that is not ready, now."""
        for name, checks in self.checks.items():
            if self.operational.readiness(name).state is not Readiness.READY:
                checks.retry()
