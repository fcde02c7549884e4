"""A sidecar's state as a page for people, or as JSON. Printable ASCII only, and no colour to strip."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Final

from sidecar.api.models import Status
from sidecar.cli.outline import share, table
from sidecar.config.report import printable
from sidecar.telemetry.state import BreakerReading, BrokerReading, LimitState
from sidecar.words import BreakerState, DegradationLevel

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OPEN: Final = frozenset({BreakerState.OPEN, BreakerState.FORCED_OPEN})
NO_NEW_RISK: Final = frozenset({DegradationLevel.READ_ONLY, DegradationLevel.EMERGENCY})
"""Levels at which no new order is sent."""
_QUIET: Final = frozenset({BreakerState.CLOSED})

Row = tuple[str, ...]


def as_json(status: Status, brokers: Sequence[BrokerReading]) -> str:
    """The status with every broker's full reading in place of its summary."""
    return json.dumps({**status.model_dump(), "brokers": [asdict(broker) for broker in brokers]}, indent=2)


def board(status: Status, brokers: Sequence[BrokerReading], now: float) -> str:
    """Everything worth knowing at a glance. `now` is Unix seconds.

    Raises `ValueError` or `OverflowError` for times that no sidecar tells.
    """
    parts = [
        _head(status),
        _brokers(brokers, now),
        _degradation(brokers, now),
        _breakers(brokers, now),
        _limits(brokers),
    ]
    return printable_lines("\n\n".join(part for part in parts if part))


def printable_lines(text: str) -> str:
    """The text with everything escaped that could command a terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))


def can_trade(broker: BrokerReading) -> str:
    """Whether a new order would be sent now, and if not, why."""
    if not broker.condition.can_trade:
        return f"no: {broker.condition.state}"
    if broker.held:
        return "no: not ready"
    if broker.gate.shut:
        return f"no: {broker.gate.outcome.replace('_', ' ')}"
    if broker.degradation.level in NO_NEW_RISK:
        return f"no: {broker.degradation.level.replace('_', ' ')}"
    states = {breaker.group: breaker.state for breaker in broker.breakers}
    state = states.get("orders")
    judged = set(states.values()) if state is None else {state}
    if judged & _OPEN:
        return "no: breaker open"
    return "trying: breaker half open" if BreakerState.HALF_OPEN in judged else "yes"


def _head(status: Status) -> str:
    ready = status.state.replace("_", " ") + (f" ({status.detail})" if status.detail else "")
    up = duration(status.uptime_seconds)
    return f"{status.bot}: {ready}; up {up}; {status.calls_in_flight} calls in flight; version {status.version}"


def _brokers(brokers: Sequence[BrokerReading], now: float) -> str:
    head: Row = ("BROKER", "PROFILE", "CAN TRADE", "CONDITION", "NEXT LOOK", "GATE", "IN FLIGHT", "RETRIES LEFT")
    rows = [
        (
            broker.name,
            broker.profile,
            can_trade(broker),
            broker.condition.state,
            _until(broker.condition.next_probe, now).replace("for", "in", 1),
            f"shut {_until(broker.gate.until, now)}".rstrip() if broker.gate.shut else "open",
            str(broker.in_flight),
            f"{broker.retry_budget:.0f}",
        )
        for broker in brokers
    ]
    return table([head, *rows])


def _degradation(brokers: Sequence[BrokerReading], now: float) -> str:
    """The brokers of which less than all may be used; nothing where there is none."""
    head: Row = ("DEGRADATION", "LEVEL", "SINCE", "NEXT STEP", "WHY")
    rows = [
        (
            broker.name,
            broker.degradation.level.replace("_", " "),
            clock(broker.degradation.since),
            _until(broker.degradation.next_step, now).replace("for", "in", 1) or "-",
            ": ".join(filter(None, (broker.degradation.cause, broker.degradation.note))) or "-",
        )
        for broker in brokers
        if broker.degradation.level is not DegradationLevel.NONE
    ]
    return table([head, *rows]) if rows else ""


def _breakers(brokers: Sequence[BrokerReading], now: float) -> str:
    head: Row = ("BREAKER", "STATE", "SINCE", "FAILURES", "FAILED", "SLOW", "NEXT PROBE")
    rows = [
        _breaker(broker.name, breaker, now)
        for broker in brokers
        for breaker in broker.breakers
        if breaker.state not in _QUIET
    ]
    return table([head, *rows]) if rows else "every breaker is closed"


def _breaker(broker: str, breaker: BreakerReading, now: float) -> Row:
    return (
        f"{broker} {breaker.group}",
        breaker.state.replace("_", " "),
        clock(breaker.since),
        str(breaker.consecutive_failures),
        share(round(breaker.failure_rate, 2)),
        share(round(breaker.slow_rate, 2)),
        "-" if breaker.retry_at is None else f"in {duration(max(0.0, breaker.retry_at - now))}",
    )


def _limits(brokers: Sequence[BrokerReading]) -> str:
    head: Row = ("LIMIT", "USED", "OF", "SHARE", "WAITING", "USED UP IN", "READ")
    rows = [_limit(broker.name, limit) for broker in brokers for limit in broker.limits]
    return table([head, *rows]) if rows else ""


def _limit(broker: str, limit: LimitState) -> Row:
    return (
        f"{broker} {limit.limit}",
        f"{limit.used:.4g}" if limit.used < 1000 else f"{limit.used:.0f}",  # noqa: PLR2004 - no fractions from there on
        f"{limit.capacity:.15g}",
        share(round(limit.used / limit.capacity, 3)) if limit.capacity else "-",
        str(limit.waiting),
        "-" if limit.exhaustion_seconds is None else duration(limit.exhaustion_seconds),
        "-" if limit.read_at is None else clock(limit.read_at),
    )


def _until(moment: float | None, now: float) -> str:
    return "" if moment is None else f"for {duration(max(0.0, moment - now))}"


def clock(moment: float) -> str:
    """Unix seconds as a date and a time of day, UTC. Raises `ValueError` or `OverflowError` for no such time."""
    return f"{_EPOCH + timedelta(seconds=moment):%Y-%m-%d %H:%M:%S}Z"


def duration(seconds: float) -> str:
    """A duration for people, in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    # Two units tell enough: nobody needs the seconds of a day.
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count or first == len(parts) - 1)
