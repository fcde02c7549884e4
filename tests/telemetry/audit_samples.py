"""Events and journals for the tests of the audit log and of the log."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from sidecar.clock import Clock, VirtualClock
from sidecar.telemetry.audit.files import day_of
from sidecar.telemetry.audit.journal import Journal
from sidecar.telemetry.audit.lines import Line
from sidecar.telemetry.events import AttemptFinished, CallFinished, RetryScheduled, Stamped, TraceContext
from sidecar.words import Effect, Outcome, Priority

NOON = 1_795_348_800.0
"""2026-11-22T12:00:00Z."""
DAY = 86_400.0

_CALL = CallFinished(
    id="call-1",
    broker="binance",
    endpoint="place_order",
    group="orders",
    effect=Effect.OPENS_RISK,
    priority=Priority.ORDER,
    method="POST",
    outcome=Outcome.OK,
    attempts=1,
    why=None,
    source="broker",
    status=200,
    received=NOON,
    seconds=0.25,
    waited=0.0,
    overhead=0.001,
    trace=TraceContext(trace_id=0xABC, parent_id=1, sampled=True),
    trail=(),
    audit="order_placed",
    symbol="BTCUSDT",
    request=(("side", "BUY"), ("quantity", "1"), ("newClientOrderId", "mine-1")),
    response=(("orderId", "4711"), ("status", "NEW")),
)


def call(**changes: Any) -> CallFinished:
    """A placed order, but for the changes."""
    return replace(_CALL, **changes)


def attempt(number: int, outcome: Outcome, reason: str = "", code: str = "", status: int | None = 200) -> Stamped:
    """An attempt on a call's trail."""
    finished = AttemptFinished("binance", "place_order", number, outcome, reason, code, status, NOON, 0.1)
    return Stamped(NOON + number, finished)


def retry(number: int, reason: str) -> Stamped:
    """A retry on a call's trail."""
    return Stamped(NOON + number, RetryScheduled("binance", "place_order", reason, number, 1.0))


def failed(outcome: Outcome, reason: str, **changes: Any) -> CallFinished:
    """A call whose only attempt failed."""
    return call(outcome=outcome, trail=(attempt(1, outcome, reason, status=503),), status=503, **changes)


def journal(directory: Path, clock: Clock | None = None, *, retention_days: int = 30) -> Journal:
    """An open journal."""
    opened = Journal(directory, bot="bot", retention_days=retention_days, clock=clock or VirtualClock(NOON))
    opened.open()
    return opened


def write(into: Journal, count: int, at: float = NOON) -> None:
    """Append that many lines that differ."""
    into.append(day_of(at), [Line(at + number, "order_placed", {"number": number}) for number in range(count)])


def finish(work: Journal) -> None:
    """Do all the work on old files."""
    while work.tidy():
        pass
