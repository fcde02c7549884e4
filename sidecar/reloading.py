"""A new configuration for a sidecar that runs: what can change does at once, the rest is named.

Every part goes by its new settings from its next call, order or message on; what is under way ends as it began.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sidecar.alerting.errors import ChannelError
from sidecar.alerting.service import Alerting
from sidecar.calls.gateway import Gateway
from sidecar.config.changes import adopted, differences
from sidecar.config.credentials import keys_of
from sidecar.config.model import Broker, Config
from sidecar.config.report import ConfigError
from sidecar.config.secrets import SecretFileError
from sidecar.health.condition import Condition
from sidecar.health.setup import Ruled, readjust
from sidecar.health.startup import StartupChecks
from sidecar.orders.idempotency import IdempotentGateway
from sidecar.orders.queue import OrderQueue
from sidecar.store import StoreError
from sidecar.telemetry.events import Reloaded
from sidecar.telemetry.logs import configure


@dataclass(frozen=True, slots=True)
class Adjustable:
    """All of one broker that goes by its configuration."""

    gateway: Gateway
    front: IdempotentGateway
    condition: Condition
    degradation: Ruled
    checks: StartupChecks
    queue: OrderQueue | None


class Reloading:
    """Reads the configuration again, and hands it on to whoever goes by it."""

    def __init__(
        self,
        config: Config,
        read: Callable[[], Config],
        brokers: Mapping[str, Adjustable],
        alerting: Alerting,
    ) -> None:
        """`read` reads the configuration anew, from where `config` came; it raises ConfigError."""
        self.config = config
        """What is in force now."""
        self._read = read
        self._brokers = dict(brokers)
        self._alerting = alerting
        self._under_way = asyncio.Lock()
        self._over = False

    def end(self) -> None:
        """Change nothing any more: the sidecar stops, by what is in force now."""
        self._over = True

    async def reload(self) -> Reloaded:
        """Read it and take over what can change; never raises for what is in the files, one at a time."""
        async with self._under_way:
            try:
                wanted = await asyncio.to_thread(self._read)
                if self._over:
                    return Reloaded((), (), ("the sidecar is being stopped; the next start reads the configuration",))
                config = adopted(self.config, wanted)
                keys = {name: keys_of(broker.credentials) for name, broker in config.brokers.items()}
                await self._alerting.adopt(config.alerting)
            except ConfigError as error:
                return Reloaded((), (), tuple(map(str, error.problems)))
            except (ChannelError, SecretFileError, StoreError) as error:
                return Reloaded((), (), (str(error),))
            running, self.config = self.config, config
            configure(config.log.level, config.log.format)
            changed = list(differences(running, config))
            for name, settings in config.brokers.items():
                part = self._brokers[name]
                self._adjust(part, settings)
                if part.gateway.adopt(settings, keys[name]):
                    changed.append(f"brokers.{name}.credentials")
                    part.checks.retry()
            return Reloaded(tuple(dict.fromkeys(changed)), differences(config, wanted))

    @staticmethod
    def _adjust(part: Adjustable, settings: Broker) -> None:
        readjust(part.condition, settings.maintenance)
        part.degradation.adopt(settings)
        part.checks.settings = settings.startup
        part.front.deadline_seconds = settings.deadline_seconds
        if part.queue is not None:
            part.queue.adopt(settings.queue, settings.deadline_seconds)
