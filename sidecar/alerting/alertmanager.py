"""What cannot wait for a scrape goes to Alertmanager's API at once, to each of several by itself.

An alert is a state, not a message: what lasts is told again before it would lapse, its end is told until it has
arrived, and an Alertmanager that was away is told everything when it is back.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sidecar.alerting.messages import Item, figures
from sidecar.alerting.notice import Pending
from sidecar.alerting.record import Key
from sidecar.alerting.registry import Registry
from sidecar.alerting.types import TYPES, ErrorType
from sidecar.clock import Clock
from sidecar.telemetry.events import Bus, NotificationSent
from sidecar.words import Severity

CHANNEL: Final = "alertmanager"
"""Its name among the channels."""
RETRY_SECONDS: Final = 1.0
RETRY_MAX_SECONDS: Final = 30.0
LAPSE_REFRESHES: Final = 4
"""An alert that was not told again for so many refreshes lapses: a sidecar that died leaves none behind."""
LINGER_SECONDS: Final = 180.0
"""How long an Alertmanager holds an alert that is over. The rule of the same alert looks back over a while, and must
have taken over by then: else one thing would have an end, a beginning and an end again. It is longer than groups wait,
too, so that what came and went while an Alertmanager was away is told."""

Post = Callable[[bytes], Awaitable[str]]
"""Posts alerts to one Alertmanager; returns why it could not, in words without secrets, or nothing."""


@dataclass(slots=True)
class _Alert:
    """One error at one Alertmanager."""

    key: Key
    began: float
    ended: float | None = None
    sent: bool = False
    """Whether the Alertmanager has it as it is now."""
    known: bool = False
    """Whether the Alertmanager was ever told that it lasts."""
    description: str = ""


@dataclass(slots=True)
class _Peer:
    """One Alertmanager."""

    post: Post
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    alerts: dict[Key, _Alert] = field(default_factory=dict)
    failures: int = 0


class Pusher:
    """Keeps every Alertmanager informed of what lasts."""

    def __init__(
        self,
        posts: Sequence[Post],
        *,
        labels: Mapping[str, str],
        runbooks: str,
        refresh_seconds: float,
        registry: Registry,
        bus: Bus,
        clock: Clock,
    ) -> None:
        """`labels` are those that Prometheus adds to every series of this sidecar: the bot, the namespace.

        `runbooks` is the address of the folder with a page for each alert; empty where the receivers know it.
        """
        self._peers = [_Peer(post) for post in posts]
        self._labels = dict(labels)
        self._runbooks = runbooks.rstrip("/")
        self._refresh = refresh_seconds
        self._registry = registry
        self._bus = bus
        self._clock = clock

    def load(self) -> None:
        """Take up what lasts since an earlier process."""
        for record in self._registry.lasting():
            self.raised(record.key)

    def raised(self, key: Key) -> None:
        """It happened, perhaps once more."""
        if not TYPES[key[0]].push:
            return
        description = self._description(key, Pending.FIRING)
        began = min((record.first for record in self._registry.of(key)), default=self._clock.now())
        for peer in self._peers:
            alert = peer.alerts.get(key)
            if alert is None or alert.ended is not None:
                known = alert is not None and alert.known
                peer.alerts[key] = _Alert(key, began, known=known, description=description)
                peer.wake.set()
            else:
                alert.description = description

    def ended(self, key: Key) -> None:
        """The last one of its kind is over."""
        for peer in self._peers:
            alert = peer.alerts.get(key)
            if alert is not None and alert.ended is None:
                alert.ended, alert.sent = self._clock.now(), False
                alert.description = self._description(key, Pending.RESOLVED)
                peer.wake.set()

    async def run(self) -> None:
        """Tell all of them, for as long as nobody cancels it."""
        async with asyncio.TaskGroup() as group:
            for peer in self._peers:
                group.create_task(self._serve(peer))

    async def _serve(self, peer: _Peer) -> None:
        while True:
            peer.wake.clear()
            if peer.alerts:
                await self._tell(peer)
            if peer.failures:
                # A new alert does not hurry it: an Alertmanager that is away is asked at its own pace.
                await self._clock.sleep(min(RETRY_SECONDS * 2.0 ** min(peer.failures - 1, 10), RETRY_MAX_SECONDS))
            else:
                await self._wait(peer)

    async def _wait(self, peer: _Peer) -> None:
        timer = self._clock.call_later(self._refresh, peer.wake.set) if peer.alerts else None
        try:
            await peer.wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _tell(self, peer: _Peer) -> None:
        told = list(peer.alerts.values())
        news = [alert for alert in told if not alert.sent]
        ended = {alert.key: alert.ended for alert in told}
        failure = await peer.post(self._encoded(told))
        worst = min((TYPES[alert.key[0]].severity for alert in news or told), key=lambda severity: severity.rank)
        if failure:
            peer.failures += 1
            self._bus.emit(NotificationSent(CHANNEL, worst, "failed", failure))
            return
        peer.failures = 0
        for alert in told:
            # It may have ended, or begun anew, while it was under way.
            if peer.alerts.get(alert.key) is not alert or alert.ended != ended[alert.key]:
                continue
            alert.sent = True
            if alert.ended is not None:
                del peer.alerts[alert.key]
            elif alert in news:
                self._registry.noted(alert.key)
            alert.known = True
        if news:
            self._bus.emit(NotificationSent(CHANNEL, worst, "sent"))

    def _encoded(self, alerts: Sequence[_Alert]) -> bytes:
        return json.dumps([self._plain(alert) for alert in alerts]).encode()

    def _plain(self, alert: _Alert) -> dict[str, Any]:
        now = self._clock.now()
        if alert.ended is None:
            ends = now + LAPSE_REFRESHES * self._refresh
        else:
            ends = (alert.ended if alert.known else now) + LINGER_SECONDS
        annotations = advice(alert.key[0], self._runbooks) | {"description": alert.description}
        return as_alert(alert.key, self._labels, annotations, alert.began, ends)

    def _description(self, key: Key, what: Pending) -> str:
        item = Item(key, what, self._registry.newest(key), len(self._registry.of(key)))
        return figures(item, self._clock.now())


def advice(kind: ErrorType, runbooks: str) -> dict[str, str]:
    """What does not change from one alert of a type to the next; in the words of the type's rule."""
    known = TYPES[kind]
    page = {"runbook_url": f"{runbooks}/{known.alert}.md"} if runbooks else {}
    return {"summary": known.meaning[0].upper() + known.meaning[1:], "action": known.suggestion, **page}


def as_alert(
    key: Key, labels: Mapping[str, str], annotations: Mapping[str, str], starts: float, ends: float
) -> dict[str, Any]:
    """An alert as Alertmanager's API v2 takes it; the same labels as the rule's, so that both are one alert."""
    kind, broker = key
    of_broker = {"broker": broker} if broker else {}
    return {
        "labels": {
            "alertname": TYPES[kind].alert,
            "severity": str(TYPES[kind].severity),
            "error_type": str(kind),
            **of_broker,
            **labels,
        },
        "annotations": dict(annotations),
        "startsAt": _rfc3339(starts),
        "endsAt": _rfc3339(ends),
    }


def harmless(labels: Mapping[str, str], now: float) -> bytes:
    """An alert that says that it is none; it lapses by itself."""
    alert = {
        "labels": {"alertname": "SidecarTest", "severity": str(Severity.INFO), "error_type": "test", **labels},
        "annotations": {"summary": "a test: nothing has happened", "description": "Sent by sidecar alerts test."},
        "startsAt": _rfc3339(now),
        "endsAt": _rfc3339(now + LINGER_SECONDS),
    }
    return json.dumps([alert]).encode()


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
