"""What went wrong, from its first sight to its end.

Everything is answered from memory, which holds what lasts and the newest of what is over; the ledger keeps the same on
the disk.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import uuid4

from sidecar.alerting.ledger import Ledger
from sidecar.alerting.record import ErrorRecord, Key
from sidecar.alerting.types import TYPES, ErrorType
from sidecar.clock import Clock
from sidecar.telemetry.audit.clean import clean_fields, clean_text
from sidecar.telemetry.events import Bus, ErrorRaised, ErrorResolved
from sidecar.telemetry.state import ErrorsReading

MOST_RESOLVED: Final = 1000
"""Errors that are over and are still kept."""
MOST_SUBJECTS: Final = 200
"""Errors of one type at one broker that last at once; further ones are counted together, as `others`."""
MOST_SEEN: Final = 10_000
"""Single occurrences whose times are remembered, for rates."""
OTHERS: Final = "others"

Seen = tuple[float, ErrorType, str]
"""When what was seen at which broker."""


class Registry:
    """The errors. Use it on the event loop only."""

    def __init__(self, bus: Bus, clock: Clock, ledger: Ledger) -> None:
        self._bus = bus
        self._clock = clock
        self._ledger = ledger
        self._open: dict[Key, dict[str, ErrorRecord]] = {}
        self._over: deque[ErrorRecord] = deque()
        self._seen: deque[Seen] = deque(maxlen=MOST_SEEN)
        self.open_count = 0
        """How many last."""

    async def load(self) -> None:
        """Take up what an earlier process has left. Raises `StoreError`."""
        for record in await self._ledger.errors():
            self._seen.append((record.first, *record.key))
            if record.resolved is None:
                self.open_count += 1
                self._open.setdefault(record.key, {})[record.subject] = record
            else:
                self._over.append(record)
        self._over = deque(sorted(self._over, key=lambda record: record.resolved or 0.0))
        self._trim()

    def happened(
        self, kind: ErrorType, broker: str = "", subject: str = "", context: Mapping[str, Any] | None = None
    ) -> None:
        """It happened, perhaps once more."""
        now = self._clock.now()
        same = self._open.setdefault((kind, broker), {})
        if subject not in same and len(same) >= MOST_SUBJECTS:
            subject = OTHERS
        record = same.get(subject)
        known = record is not None
        if record is None:
            self.open_count += 1
            record = same[subject] = ErrorRecord(uuid4().hex[:16], kind, broker, clean_text(subject), now, now)
        else:
            record.last, record.count, record.inherited = now, record.count + 1, False
        if context:
            record.context = clean_fields(context)
        self._seen.append((now, kind, broker))
        self._ledger.put(record, soon=known)
        self._bus.emit(ErrorRaised(record.id, broker, kind, TYPES[kind].severity, record.count))

    def ended(self, kind: ErrorType, broker: str = "", subject: str | None = None, *, inherited: bool = False) -> None:
        """It is over: what is about `subject`, or with None all. `inherited`: only what an earlier process has left."""
        same = self._open.get((kind, broker))
        if not same:
            return
        found = list(same.values()) if subject is None else [same[subject]] if subject in same else []
        for record in found:
            if record.inherited or not inherited:
                self._close(record, "over")

    def resolve(self, key: str, note: str) -> ErrorRecord | None:
        """A person says that it is over; None when there is no such error. Harmless for one that is over already."""
        record = self.find(key)
        if record is not None and record.resolved is None:
            self._close(record, "manual", clean_text(note))
        return record

    def sweep(self) -> None:
        """End what was not seen for long and has no other end."""
        now = self._clock.now()
        for record in self.lasting():
            quiet = record.kind.quiet_seconds
            if quiet is not None and now - record.last >= quiet:
                self._close(record, "quiet")

    def noted(self, key: Key) -> None:
        """Somebody was told of it."""
        for record in self.of(key):
            record.notified += 1
            self._ledger.put(record, soon=True)

    def is_open(self, kind: ErrorType, broker: str) -> bool:
        """Whether such an error lasts there; cheap enough for every call."""
        return bool(self._open.get((kind, broker)))

    def of(self, key: Key) -> Collection[ErrorRecord]:
        """What lasts of one type at one broker."""
        return self._open.get(key, {}).values()

    def newest(self, key: Key) -> ErrorRecord | None:
        """The newest error of one type at one broker, lasting or over."""
        lasting = self.of(key)
        if lasting:
            return max(lasting, key=lambda record: record.last)
        return next((record for record in reversed(self._over) if record.key == key), None)

    def lasting(self) -> list[ErrorRecord]:
        """Everything that lasts."""
        return [record for same in self._open.values() for record in same.values()]

    def all(self) -> list[ErrorRecord]:
        """Everything that is kept, what was seen last first."""
        return sorted([*self._over, *self.lasting()], key=lambda record: record.last, reverse=True)

    def seen(self) -> Iterable[Seen]:
        """Single occurrences, the oldest first."""
        return self._seen

    def find(self, key: str) -> ErrorRecord | None:
        """The error with this id."""
        return next((record for record in self.all() if record.id == key), None)

    def reading(self) -> ErrorsReading:
        """How many last; cheap enough for every scrape."""
        return ErrorsReading(
            tuple(
                (broker, str(kind), str(TYPES[kind].severity), len(same)) for (kind, broker), same in self._open.items()
            )
        )

    def _close(self, record: ErrorRecord, reason: str, note: str = "") -> None:
        same = self._open[record.key]
        subject = next(subject for subject, found in same.items() if found is record)
        del same[subject]
        self.open_count -= 1
        record.resolved, record.resolution, record.note = self._clock.now(), reason, note
        record.inherited = False
        self._over.append(record)
        self._ledger.put(record)
        self._trim()
        self._bus.emit(
            ErrorResolved(
                record.id,
                record.broker,
                record.type,
                record.kind.severity,
                record.count,
                record.resolved - record.first,
                reason,
                note,
            )
        )

    def _trim(self) -> None:
        while len(self._over) > MOST_RESOLVED:
            self._ledger.forget(self._over.popleft())
