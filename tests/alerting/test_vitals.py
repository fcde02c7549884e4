"""What no event tells is looked at."""

import asyncio
from dataclasses import replace

from sidecar.alerting.ledger import Ledger
from sidecar.alerting.registry import Registry
from sidecar.alerting.types import ErrorType
from sidecar.alerting.vitals import LOOK_SECONDS, Vitals
from sidecar.clock import VirtualClock
from sidecar.store import StoreReadings
from sidecar.telemetry.events import Bus
from tests.telemetry.seen_samples import AUDIT


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.registry = Registry(Bus(self.clock), self.clock, Ledger(None, self.clock))
        self.store = StoreReadings(0, 0, None, 0, 0, 0)
        self.audit = replace(AUDIT, written=0, dropped=0, failures=0)
        self.vitals = Vitals(self.registry, self.clock, read_store=lambda: self.store, read_audit=lambda: self.audit)

    def lasting(self) -> set[ErrorType]:
        self.vitals.look()
        return {record.type for record in self.registry.lasting()}


def test_a_state_file_that_takes_no_writes_is_an_error_until_it_takes_one() -> None:
    bench = Bench()
    assert bench.lasting() == set()
    bench.store = replace(bench.store, failures=2)
    assert bench.lasting() == {ErrorType.DATABASE}
    assert bench.lasting() == {ErrorType.DATABASE}
    bench.store = replace(bench.store, writes=1)
    assert bench.lasting() == set()


def test_an_audit_log_that_loses_lines_is_an_error_until_it_writes_one() -> None:
    bench = Bench()
    bench.audit = replace(bench.audit, dropped=1, written=5)
    assert bench.lasting() == {ErrorType.AUDIT_FAILED}
    bench.audit = replace(bench.audit, written=6)
    assert bench.lasting() == set()


def test_it_looks_again_and_again() -> None:
    bench = Bench()
    bench.store = replace(bench.store, failures=1)

    async def main() -> None:
        try:
            async with asyncio.timeout(3 * LOOK_SECONDS + 1):
                await bench.vitals.run()
        except TimeoutError:
            return

    bench.registry.happened(ErrorType.ORDER_EXPIRED)
    bench.clock.advance(3595)
    bench.clock.run(main())
    assert {record.type for record in bench.registry.lasting()} == {ErrorType.DATABASE}
