"""What no event tells: how the state file and the audit log fare, and what has been quiet for long."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sidecar.alerting.registry import Registry
from sidecar.alerting.types import ErrorType
from sidecar.clock import Clock
from sidecar.store import StoreReadings
from sidecar.telemetry.audit import AuditReadings

LOOK_SECONDS: Final = 5.0

ReadStore = Callable[[], StoreReadings]
ReadAudit = Callable[[], AuditReadings]


@dataclass(slots=True)
class _Counter:
    """A count of failures and one of successes, as they were at the last look."""

    failures: int = 0
    successes: int = 0

    def look(self, failures: int, successes: int) -> bool | None:
        """True when it failed since the last look, False when it only worked, None when nothing happened."""
        failed, worked = failures > self.failures, successes > self.successes
        self.failures, self.successes = failures, successes
        return True if failed else False if worked else None


class Vitals:
    """Looks every `LOOK_SECONDS`."""

    def __init__(
        self, registry: Registry, clock: Clock, *, read_store: ReadStore | None, read_audit: ReadAudit | None
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._read_store = read_store
        self._read_audit = read_audit
        self._store = _Counter()
        self._audit = _Counter()

    async def run(self) -> None:
        """Look for as long as nobody cancels it."""
        while True:
            self.look()
            await self._clock.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Look once."""
        if self._read_store is not None:
            store = self._read_store()
            self._judge(ErrorType.DATABASE, self._store.look(store.failures, store.writes))
        if self._read_audit is not None:
            audit = self._read_audit()
            self._judge(ErrorType.AUDIT_FAILED, self._audit.look(audit.failures + audit.dropped, audit.written))
        self._registry.sweep()

    def _judge(self, kind: ErrorType, failed: bool | None) -> None:
        if failed:
            self._registry.happened(kind)
        elif failed is False:
            self._registry.ended(kind)
