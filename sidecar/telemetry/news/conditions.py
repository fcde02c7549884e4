"""What is news about a broker's condition: its breakers, its state, how much of it may be used."""

from collections.abc import Mapping

import structlog

from sidecar.telemetry import events
from sidecar.telemetry.events import Bus
from sidecar.telemetry.news.repeats import spoken
from sidecar.telemetry.news.stories import Stories
from sidecar.words import BreakerState, BrokerState, DegradationCause, DegradationLevel, LoginResult

_log = structlog.get_logger("sidecar")

FAR_SECONDS = 1.0
"""From here on a clock's offset is news: Binance refuses what is a second ahead of its own."""
_AWAY = {BrokerState.MAINTENANCE, BrokerState.BANNED}
_CONDITIONS: Mapping[BrokerState, str] = {
    BrokerState.MAINTENANCE: "under maintenance",
    BrokerState.DEGRADED: "degraded",
    BrokerState.BANNED: "banned",
}
_NO_NEW_RISK = {DegradationLevel.READ_ONLY, DegradationLevel.EMERGENCY}
_FORCED = {BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED}


class ConditionNews:
    """Logs what changes in what may be done at a broker."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def subscribe(self, bus: Bus) -> None:
        """Log what the bus tells from now on."""
        bus.subscribe(events.BreakerTransition, self._breaker)
        bus.subscribe(events.BrokerStateChanged, self._condition)
        bus.subscribe(events.DegradationChanged, self._degradation)
        bus.subscribe(events.ClockOffsetLearnt, _clock_offset)
        bus.subscribe(events.LoginFinished, _login)

    def _breaker(self, event: events.BreakerTransition) -> None:
        fields = {"broker": event.broker, "group": event.group}
        if event.reason == "manual" or event.to_state in _FORCED:
            self._set_by_hand(event, fields)
            return
        story = self._stories.get(
            ("breaker", event.broker, event.group),
            (),
            subject=f"{event.broker} {event.group}",
            again="the breaker does not stay closed",
            over="the breaker closed",
            unit="opening",
            fields=fields,
            say=_log.warning,
        )
        if event.to_state is BreakerState.OPEN:
            probe = "" if event.retry_in is None else f"; first probe in {spoken(event.retry_in)}"
            story.happened(
                f"the breaker opened ({event.reason}), calls are refused{probe}",
                reason=event.reason,
                retry_in=event.retry_in,
            )
        elif event.to_state is BreakerState.CLOSED:
            story.ended()

    def _set_by_hand(self, event: events.BreakerTransition, fields: dict[str, str]) -> None:
        if event.from_state is event.to_state:
            return  # the audit log keeps that it was ordered; nothing changed
        state = event.to_state.replace("_", " ")
        note = f": {event.note}" if event.note else ""
        _log.warning(
            f"{event.broker} {event.group}: the breaker was set to {state} by hand{note}",
            **fields,
            from_state=str(event.from_state),
            to_state=str(event.to_state),
        )
        story = self._stories.active("breaker", event.broker, event.group)
        if story is not None and event.to_state is not BreakerState.OPEN:
            story.ended()

    def _condition(self, event: events.BrokerStateChanged) -> None:
        where = ("condition", event.broker)
        self._stories.end(*where, but=event.to_state)
        if event.to_state is BrokerState.OK:
            return
        words = _CONDITIONS[event.to_state]
        story = self._stories.get(
            where,
            (event.to_state,),
            subject=event.broker,
            again=f"still {words}",
            over=f"no longer {words}",
            unit="time",
            fields={"broker": event.broker, "state": str(event.to_state)},
            say=_log.error if event.to_state in _AWAY else _log.warning,
        )
        looks = f"probes pause for ~{spoken(event.probe_in)}"
        row = f"; {event.consecutive_503} in a row" if event.consecutive_503 else ""
        story.happened(f"{words} ({event.reason}); {looks}{row}", probe_in=round(event.probe_in, 1))

    def _degradation(self, event: events.DegradationChanged) -> None:
        if event.from_level is event.to_level:
            return  # the audit log keeps that it was ordered; nothing changed
        level, words = event.to_level, event.to_level.replace("_", " ")
        where = ("degradation", event.broker)
        self._stories.end(*where, but=level)
        by = "by hand" if event.cause is DegradationCause.MANUAL else event.cause.replace("_", " ")
        note = f": {event.note}" if event.note else ""
        sentence = f"degradation level {words} ({by}{note})"
        if level not in _NO_NEW_RISK:
            # It refuses no order, and what moved it there was told by itself, unless that was a person.
            if event.cause is DegradationCause.MANUAL:
                _log.warning(f"{event.broker}: {sentence}", broker=event.broker, level=str(level))
            return
        story = self._stories.get(
            where,
            (level,),
            subject=event.broker,
            again=f"degradation level {words} again",
            over=f"no longer at degradation level {words}",
            unit="time",
            fields={"broker": event.broker, "level": str(level)},
            say=_log.error,
        )
        story.happened(
            f"{sentence}; new orders are refused",
            cause=str(event.cause),
            from_level=str(event.from_level),
        )


def _clock_offset(event: events.ClockOffsetLearnt) -> None:
    far = abs(event.offset) >= FAR_SECONDS
    direction = "ahead of" if event.offset > 0 else "behind"
    (_log.warning if far else _log.debug)(
        f"{event.broker}: the broker's clock is {abs(event.offset):.1f} s {direction} this machine's",
        broker=event.broker,
        offset=round(event.offset, 3),
        source=str(event.source),
    )


def _login(event: events.LoginFinished) -> None:
    match event.result:
        case LoginResult.OK:
            _log.info(f"{event.broker}: logged in", broker=event.broker)
            return
        case LoginResult.REFUSED:
            say, what = _log.error, "the broker refused the login; check the credentials"
        case LoginResult.FAILED:
            say, what = _log.warning, "the login brought no usable answer"
    say(f"{event.broker}: {what}", broker=event.broker, reason=event.reason, code=event.code)
