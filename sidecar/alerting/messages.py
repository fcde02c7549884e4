"""What people read: short enough for a phone, with what, where, since when, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sidecar.alerting.notice import Pending
from sidecar.alerting.record import ErrorRecord, Key
from sidecar.alerting.types import TYPES
from sidecar.telemetry.news.repeats import spoken
from sidecar.words import Severity

_SHOWN: Final = ("endpoint", "group", "stream", "limit", "symbol", "client_id", "reason", "code", "status", "offset")
"""The context that fits on a phone."""
_MOST: Final = 20
"""Errors that one message lists."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one channel."""

    title: str
    body: str
    severity: Severity
    over: bool
    """Whether it says that all of it is over."""
    key: str
    """The same for the beginning and the end of the same error: a pager's incident."""


@dataclass(frozen=True, slots=True)
class Item:
    """One error to be told."""

    key: Key
    what: Pending
    record: ErrorRecord | None
    """Its newest record; None when it is not kept any longer."""
    lasting: int
    """How many of its kind last."""

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return TYPES[self.key[0]].severity


def single(item: Item, bot: str, now: float) -> Message:
    """A message about one error."""
    kind, broker = item.key
    word = "OVER" if item.what is Pending.RESOLVED else item.severity.upper()
    where = f"{bot} · {broker}" if broker else bot
    still = "still: " if item.what is Pending.STILL else ""
    body = figures(item, now)
    if item.what is not Pending.RESOLVED:
        body += f"\n{TYPES[kind].suggestion}"
    return Message(
        f"{word} · {where}: {still}{TYPES[kind].meaning}",
        body,
        item.severity,
        item.what is Pending.RESOLVED,
        incident(bot, item.key),
    )


def several(items: Sequence[Item], bot: str, now: float) -> Message:
    """One message about many errors, the worst first."""
    if len(items) == 1:
        return single(items[0], bot, now)
    ordered = sorted(items, key=lambda item: (item.what is Pending.RESOLVED, item.severity.rank))
    listed = [single(item, bot, now) for item in ordered[:_MOST]]
    body = "\n\n".join(f"{one.title}\n{one.body}" for one in listed)
    if len(ordered) > _MOST:
        body += f"\n\nand {len(ordered) - _MOST} more: sidecar errors"
    over = all(item.what is Pending.RESOLVED for item in items)
    worst = min((item.severity for item in items), key=lambda severity: severity.rank)
    return Message(_headline(items, bot), body, worst, over, f"{bot}//several")


def figures(item: Item, now: float) -> str:
    """How often and since when, and what else is known of an error."""
    return "\n".join(line for line in (_times(item, now), _context(item)) if line)


def incident(bot: str, key: Key) -> str:
    """What a pager knows an error by."""
    return f"sidecar/{bot}/{key[1]}/{key[0]}"


def moment(at: float) -> str:
    """A time as people write it."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _headline(items: Sequence[Item], bot: str) -> str:
    over = sum(item.what is Pending.RESOLVED for item in items)
    lasting = len(items) - over
    counts = [
        f"{count} {severity}"
        for severity in Severity
        if (count := sum(item.severity is severity and item.what is not Pending.RESOLVED for item in items))
    ]
    said = [f"multiple errors: {', '.join(counts)}"] if lasting else []
    said += [f"{over} over"] if over else []
    return f"{bot} · {'; '.join(said)}"


def _times(item: Item, now: float) -> str:
    record = item.record
    if record is None:
        return str(item.key[0])
    times = "once" if record.count == 1 else f"{record.count} times"
    more = f"; {item.lasting} of them last" if item.lasting > 1 else ""
    if item.what is Pending.RESOLVED:
        ended = record.resolved if record.resolved is not None else now
        by = f", ended by hand: {record.note}" if record.resolution == "manual" else ""
        return f"{record.type}: {times} in {spoken(max(0.0, ended - record.first))}, from {moment(record.first)}{by}"
    return f"{record.type}: {times} since {moment(record.first)}{more}"


def _context(item: Item) -> str:
    if item.record is None:
        return ""
    return ", ".join(f"{name} {item.record.context[name]}" for name in _SHOWN if item.record.context.get(name))
