"""What the registry tells people: each error, a summary, and patterns over all of them."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sidecar.alerting.record import ErrorRecord
from sidecar.alerting.registry import Registry, Seen
from sidecar.words import Severity

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
_MOST_PAIRS: Final = 20


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One error. All times are Unix seconds."""

    id: str
    type: str
    severity: str
    category: str
    broker: str
    subject: str
    meaning: str
    suggestion: str
    first: float
    last: float
    count: int
    notified: int
    resolved: bool
    resolved_at: float | None
    resolution: str
    note: str
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """All errors that match, counted."""

    total: int
    unresolved: int
    unresolved_by_severity: Mapping[str, int]
    by_type: Mapping[str, int]
    by_broker: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ErrorList:
    """Errors, what was seen last first."""

    summary: ErrorSummary
    errors: Sequence[ErrorEntry]


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a type happens."""

    type: str
    broker: str
    last_hour: int
    per_hour: float
    """Over the last day, or since the oldest that is remembered when that is less."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """One type that comes soon after another."""

    first: str
    then: str
    times: int
    share: float
    """Of all errors of the first type, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """What shows when all errors are looked at together."""

    within_seconds: float
    rates: Sequence[Rate]
    most_frequent: Sequence[tuple[str, int]]
    """Types by how often they were seen."""
    correlated: Sequence[Correlation]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which errors; empty filters let everything pass."""

    types: Collection[str] = ()
    brokers: Collection[str] = ()
    severities: Collection[str] = ()
    resolved: bool | None = None
    since: float = 0.0
    """Unix seconds: seen then or later."""

    def takes(self, record: ErrorRecord) -> bool:
        """Whether it is one of them."""
        return (
            (not self.types or record.type in self.types)
            and (not self.brokers or record.broker in self.brokers)
            and (not self.severities or record.kind.severity in self.severities)
            and (self.resolved is None or self.resolved is (record.resolved is not None))
            and record.last >= self.since
        )


def listed(registry: Registry, wanted: Wanted, limit: int) -> ErrorList:
    """The newest `limit` errors of those that match, and all of them counted."""
    found = [record for record in registry.all() if wanted.takes(record)]
    unresolved = [record for record in found if record.resolved is None]
    severities = Counter(str(record.kind.severity) for record in unresolved)
    summary = ErrorSummary(
        total=len(found),
        unresolved=len(unresolved),
        unresolved_by_severity={str(severity): severities[severity] for severity in Severity},
        by_type=dict(Counter(str(record.type) for record in found).most_common()),
        by_broker=dict(Counter(record.broker for record in found).most_common()),
    )
    return ErrorList(summary, [entry(record) for record in islice(found, limit)])


def entry(record: ErrorRecord) -> ErrorEntry:
    """One error in full."""
    kind = record.kind
    return ErrorEntry(
        id=record.id,
        type=str(record.type),
        severity=str(kind.severity),
        category=str(kind.category),
        broker=record.broker,
        subject=record.subject,
        meaning=kind.meaning,
        suggestion=kind.suggestion,
        first=record.first,
        last=record.last,
        count=record.count,
        notified=record.notified,
        resolved=record.resolved is not None,
        resolved_at=record.resolved,
        resolution=record.resolution,
        note=record.note,
        context=dict(record.context),
    )


def patterns(registry: Registry, now: float, within_seconds: float) -> Patterns:
    """Rates, the most frequent, and what comes within so many seconds of what."""
    seen = list(registry.seen())
    return Patterns(
        within_seconds=within_seconds,
        rates=_rates(seen, now),
        most_frequent=Counter(str(kind) for _, kind, _ in seen).most_common(),
        correlated=_correlated(registry.all(), within_seconds),
    )


def _rates(seen: Sequence[Seen], now: float) -> list[Rate]:
    recent = [one for one in seen if now - one[0] <= DAY]
    if not recent:
        return []
    hours = max(1.0, (now - min(at for at, _, _ in recent)) / HOUR)
    of_day = Counter((kind, broker) for _, kind, broker in recent)
    of_hour = Counter((kind, broker) for at, kind, broker in recent if now - at <= HOUR)
    return [
        Rate(str(kind), broker, of_hour[kind, broker], round(count / hours, 3))
        for (kind, broker), count in of_day.most_common()
    ]


def _correlated(records: Sequence[ErrorRecord], within: float) -> list[Correlation]:
    """Counted by errors, not by occurrences: a storm of one failure is one error."""
    begins: dict[str, list[float]] = {}
    for record in records:
        begins.setdefault(str(record.type), []).append(record.first)
    for moments in begins.values():
        moments.sort()
    pairs = [
        Correlation(first, then, times, round(times / len(befores), 3))
        for first, befores in begins.items()
        for then, afters in begins.items()
        if first != then and (times := sum(_follows(at, afters, within) for at in befores))
    ]
    return sorted(pairs, key=lambda pair: (-pair.times, -pair.share, pair.first, pair.then))[:_MOST_PAIRS]


def _follows(at: float, afters: Sequence[float], within: float) -> bool:
    return bisect_right(afters, at + within) > bisect_left(afters, at)
