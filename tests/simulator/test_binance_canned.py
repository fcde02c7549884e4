"""The exchange's own words for faults."""

from sidecar.simulator.binance.broker import BinanceBroker
from sidecar.simulator.faults import Fault, FaultKind


def test_a_rate_limit_tells_how_long_to_wait_only_when_the_fault_does() -> None:
    broker = BinanceBroker()
    told = broker.canned(Fault(FaultKind.RATE_LIMITED, seconds=2.5))
    untold = broker.canned(Fault(FaultKind.RATE_LIMITED))
    assert told is not None
    assert untold is not None
    assert (told.status, told.headers["Retry-After"], told.body) == (429, "3", untold.body)
    assert "Retry-After" not in untold.headers
