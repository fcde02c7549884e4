"""What is news about limits: a gate that is shut, a limit that runs short."""

from datetime import UTC, datetime

import structlog

from sidecar.telemetry import events
from sidecar.telemetry.events import Bus
from sidecar.telemetry.news.repeats import spoken
from sidecar.telemetry.news.stories import Stories
from sidecar.words import Outcome

_log = structlog.get_logger("sidecar")


class LimitNews:
    """Logs what a broker's limits hold up."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def subscribe(self, bus: Bus) -> None:
        """Log what the bus tells from now on."""
        bus.subscribe(events.GateShut, self._gate_shut)
        bus.subscribe(events.GateOpened, self._gate_opened)
        bus.subscribe(events.LimitThreshold, self._threshold)
        bus.subscribe(events.LimitLearnt, _limit_learnt)
        bus.subscribe(events.LimitReset, _limit_reset)

    def _gate_shut(self, event: events.GateShut) -> None:
        banned = event.outcome is Outcome.BANNED
        what = "the broker has banned this address" if banned else "the broker says too many requests"
        story = self._stories.get(
            ("gate", event.broker),
            (event.outcome,),
            subject=event.broker,
            again=what,
            over="calls may be sent again",
            unit="time",
            fields={"broker": event.broker, "outcome": str(event.outcome)},
            say=_log.error if banned else _log.warning,
        )
        until = datetime.fromtimestamp(event.until, UTC).isoformat(timespec="seconds")
        story.happened(f"{what}; nothing is sent to it for {spoken(event.seconds)}", until=until)

    def _gate_opened(self, event: events.GateOpened) -> None:
        self._stories.end("gate", event.broker)

    def _threshold(self, event: events.LimitThreshold) -> None:
        story = self._stories.get(
            ("limit", event.broker),
            (event.limit,),
            subject=event.broker,
            again=f"{event.limit} keeps crossing its warning share",
            over=f"{event.limit} is back below its warning share",
            unit="crossing",
            fields={"broker": event.broker, "limit": event.limit},
            say=_log.warning,
        )
        if not event.above:
            story.ended()
            return
        share = f" ({event.used / event.capacity:.0%})" if event.capacity else ""
        sentence = f"{event.used:g} of {event.capacity:g}{share} of {event.limit} is used"
        story.happened(sentence, used=event.used, capacity=event.capacity)


def _limit_learnt(event: events.LimitLearnt) -> None:
    _log.info(
        f"{event.broker}: the broker's {event.limit} is {event.capacity:g}, not {event.before:g} as assumed",
        broker=event.broker,
        limit=event.limit,
        before=event.before,
        capacity=event.capacity,
    )


def _limit_reset(event: events.LimitReset) -> None:
    reason = f": {event.reason}" if event.reason else ""
    _log.warning(f"{event.broker}: the limits were reset by hand{reason}", broker=event.broker)
