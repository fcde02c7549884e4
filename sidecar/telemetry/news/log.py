"""Which events are news for a person, and in what words.

Calls that succeed are no news. A condition that goes on is told when it begins, summed up now and then, and told when
it is over; an order whose outcome is unknown is told each time.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import structlog

from sidecar.clock import Clock
from sidecar.telemetry import events
from sidecar.telemetry.audit.clean import clean_fields
from sidecar.telemetry.events import Bus, CallFinished
from sidecar.telemetry.news import lifecycle
from sidecar.telemetry.news.operations import operation_changed, unprotected
from sidecar.telemetry.news.repeats import spoken
from sidecar.telemetry.news.stories import Stories, Story
from sidecar.words import (
    BreakerState,
    BrokerState,
    DegradationCause,
    DegradationLevel,
    Effect,
    LoginResult,
    OrderState,
    Outcome,
    RefusalKind,
)

_log = structlog.get_logger("sidecar")

FAILURES: Mapping[Outcome, str] = {
    Outcome.REJECTED: "the broker rejects calls",
    Outcome.RATE_LIMITED: "calls exceed a rate limit",
    Outcome.BANNED: "the broker has banned this address",
    Outcome.MAINTENANCE: "the broker is under maintenance",
    Outcome.TRANSIENT: "calls fail, and are known not to have been executed",
    Outcome.FATAL: "the broker refuses calls that cannot succeed as they are",
    Outcome.UNKNOWN: "calls end with an unknown outcome",
}
AUTH = "the broker refuses the credentials; check the key, its permissions and its allowed addresses"
REFUSALS: Mapping[str, str] = {
    "unknown_broker": "a request named no configured broker",
    "too_large": "a request was larger than listen.max_request_bytes",
    "malformed": "a request could not be parsed",
    "foreign_host": "a request named a foreign host; something other than the bot may be calling",
    "browser": "a web page tried to use the sidecar",
    "token": "a request carried no valid bearer token",
    "peer": "a process of a user that may not connect tried to",
    "upgrade": "a request asked for another protocol",
}
FAR_SECONDS = 1.0
"""From here on a clock's offset is news: Binance refuses what is a second ahead of its own."""
_ANSWERED = {Outcome.OK, Outcome.REJECTED}
_AWAY = {BrokerState.MAINTENANCE, BrokerState.BANNED}
_CONDITIONS: Mapping[BrokerState, str] = {
    BrokerState.MAINTENANCE: "under maintenance",
    BrokerState.DEGRADED: "degraded",
    BrokerState.BANNED: "banned",
}
_NO_NEW_RISK = {DegradationLevel.READ_ONLY, DegradationLevel.EMERGENCY}
_ARRIVED = {OrderState.WORKING, OrderState.FILLED}
_GATE = {RefusalKind.RATE_LIMITED, RefusalKind.BANNED}
_LOST = {
    "lost": "the stream was lost",
    "broker_closed": "the broker closed the stream",
    "unopened": "the stream could not be opened",
}
_FORCED = {BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED}


class NewsLog:
    """Logs what is news.

    `repeat_seconds` is how often at most a condition that goes on, or comes and goes, is summed up.
    """

    def __init__(self, repeat_seconds: float, clock: Clock) -> None:
        self._now = clock.monotonic
        self._stories = Stories(repeat_seconds)

    def subscribe(self, bus: Bus) -> None:
        """Log what the bus tells from now on."""
        bus.subscribe(CallFinished, self._call)
        bus.subscribe(events.CallRefused, self._call_refused)
        bus.subscribe(events.OrderStateChanged, self._order)
        bus.subscribe(events.OrderRefused, self._order_refused)
        bus.subscribe(events.OrdersRecovering, _recovering)
        bus.subscribe(events.OperationChanged, operation_changed)
        bus.subscribe(events.PositionUnprotected, unprotected)
        bus.subscribe(events.BreakerTransition, self._breaker)
        bus.subscribe(events.BrokerStateChanged, self._condition)
        bus.subscribe(events.DegradationChanged, self._degradation)
        bus.subscribe(events.GateShut, self._gate_shut)
        bus.subscribe(events.GateOpened, self._gate_opened)
        bus.subscribe(events.LimitThreshold, self._threshold)
        bus.subscribe(events.LimitLearnt, _limit_learnt)
        bus.subscribe(events.LimitReset, _limit_reset)
        bus.subscribe(events.ClockOffsetLearnt, _clock_offset)
        bus.subscribe(events.LoginFinished, _login)
        bus.subscribe(events.StreamClosed, self._stream_closed)
        bus.subscribe(events.StreamOpened, self._stream_opened)
        bus.subscribe(events.OperationalStateChanged, lifecycle.state_changed)
        bus.subscribe(events.BrokerChecked, lifecycle.checked)
        bus.subscribe(events.Reloaded, lifecycle.reloaded)
        bus.subscribe(events.LastRunTold, lifecycle.last_run)
        bus.subscribe(events.NotificationSent, self._notification)
        bus.subscribe(events.Started, _started)
        bus.subscribe(events.Stopped, _stopped)

    def close(self) -> None:
        """Tell what has been counted and not told yet."""
        now = self._now()
        for story in self._stories.all():
            story.rest(now)

    # Calls

    def _call(self, call: CallFinished) -> None:
        if call.outcome in _ANSWERED and call.source != "cache":
            self._answered(call)
        if call.outcome is Outcome.OK:
            return
        if call.outcome is Outcome.UNKNOWN and call.effect is not Effect.READ:
            _unknown(call)
        elif not self._known_refusal(call):
            self._failed(call)

    def _answered(self, call: CallFinished) -> None:
        stories = self._stories.told.get(("calls", call.broker, call.group))
        if not stories:
            return
        now = self._now()
        for (outcome, _), story in stories.items():
            # A business rejection is an answer, too: it ends everything but rejections.
            if outcome != call.outcome:
                story.ended(now)

    def _known_refusal(self, call: CallFinished) -> bool:
        """Whether an open breaker or a shut gate, which was told already, is why the call was not sent."""
        if call.why is RefusalKind.BREAKER_OPEN:
            story = self._stories.active("breaker", call.broker, call.group)
        elif call.why is RefusalKind.MAINTENANCE:
            story = self._stories.active("condition", call.broker)
        elif call.why is RefusalKind.DEGRADED:
            story = self._stories.active("degradation", call.broker)
        elif call.why in _GATE:
            story = self._stories.active("gate", call.broker)
        else:
            return False
        if story is None:
            return False
        story.refused += 1
        return True

    def _failed(self, call: CallFinished) -> None:
        attempt = _last_attempt(call)
        reason = attempt.reason if attempt else str(call.why or "caller_left")
        sentence = AUTH if reason == "auth" else FAILURES[call.outcome]
        fields = {"broker": call.broker, "group": call.group, "outcome": str(call.outcome), "reason": reason}
        bad = call.outcome is Outcome.BANNED or reason == "auth"
        story = self._stories.get(
            ("calls", call.broker, call.group),
            (call.outcome, reason),
            lambda condition: Story(
                condition,
                subject=f"{call.broker} {call.group}",
                again=f"{sentence} ({reason})",
                over="recovered",
                unit="failure",
                fields=fields,
                say=_log.error if bad else _log.warning,
            ),
        )
        story.happened(
            self._now(),
            f"{sentence} ({reason})",
            endpoint=call.endpoint,
            status=call.status,
            code=attempt.code if attempt else "",
            correlation_id=call.id,
        )

    def _call_refused(self, event: events.CallRefused) -> None:
        story = self._stories.get(
            ("refused", event.broker, event.listener),
            (event.reason,),
            lambda condition: Story(
                condition,
                subject=f"{event.listener} listener",
                again=f"refused: {REFUSALS.get(event.reason, event.reason)}",
                over="over",
                unit="request",
                fields={"broker": event.broker, "listener": event.listener, "reason": event.reason},
                say=_log.warning,
            ),
        )
        story.happened(self._now(), f"refused: {REFUSALS.get(event.reason, event.reason)}")

    # Carried orders

    def _order(self, event: events.OrderStateChanged) -> None:
        if event.to_state is OrderState.DEAD:
            _dead(event)
        elif event.to_state is OrderState.EXPIRED:
            self._order_lost(event.broker, "orders expired before they could be sent", event.reason, order=event.order)
        elif event.to_state in _ARRIVED:
            for story in self._stories.told.get(("orders", event.broker), {}).values():
                story.ended(self._now())

    def _order_refused(self, event: events.OrderRefused) -> None:
        self._order_lost(
            event.broker, f"orders are not taken: {event.reason}", f"an order was not taken: {event.reason}"
        )

    def _order_lost(self, broker: str, again: str, sentence: str, **details: str) -> None:
        story = self._stories.get(
            ("orders", broker),
            (again,),
            lambda condition: Story(
                condition,
                subject=f"{broker} orders",
                again=again,
                over="orders go through again",
                unit="order",
                fields={"broker": broker},
                say=_log.warning,
            ),
        )
        story.happened(self._now(), sentence, **details)

    # Breakers, limits and gates

    def _breaker(self, event: events.BreakerTransition) -> None:
        fields = {"broker": event.broker, "group": event.group}
        if event.reason == "manual" or event.to_state in _FORCED:
            self._set_by_hand(event, fields)
            return
        story = self._stories.get(
            ("breaker", event.broker, event.group),
            (),
            lambda condition: Story(
                condition,
                subject=f"{event.broker} {event.group}",
                again="the breaker does not stay closed",
                over="the breaker closed",
                unit="opening",
                fields=fields,
                say=_log.warning,
            ),
        )
        if event.to_state is BreakerState.OPEN:
            probe = "" if event.retry_in is None else f"; first probe in {spoken(event.retry_in)}"
            story.happened(
                self._now(),
                f"the breaker opened ({event.reason}), calls are refused{probe}",
                reason=event.reason,
                retry_in=event.retry_in,
            )
        elif event.to_state is BreakerState.CLOSED:
            story.ended(self._now())

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
            story.ended(self._now())

    def _condition(self, event: events.BrokerStateChanged) -> None:
        now = self._now()
        where = ("condition", event.broker)
        for what, story in self._stories.told.get(where, {}).items():
            if what != (event.to_state,):
                story.ended(now)
        if event.to_state is BrokerState.OK:
            return
        words = _CONDITIONS[event.to_state]
        story = self._stories.get(
            where,
            (event.to_state,),
            lambda condition: Story(
                condition,
                subject=event.broker,
                again=f"still {words}",
                over=f"no longer {words}",
                unit="time",
                fields={"broker": event.broker, "state": str(event.to_state)},
                say=_log.error if event.to_state in _AWAY else _log.warning,
            ),
        )
        looks = f"probes pause for ~{spoken(event.probe_in)}"
        row = f"; {event.consecutive_503} in a row" if event.consecutive_503 else ""
        story.happened(now, f"{words} ({event.reason}); {looks}{row}", probe_in=round(event.probe_in, 1))

    def _degradation(self, event: events.DegradationChanged) -> None:
        if event.from_level is event.to_level:
            return  # the audit log keeps that it was ordered; nothing changed
        now, level, words = self._now(), event.to_level, event.to_level.replace("_", " ")
        where = ("degradation", event.broker)
        for what, story in self._stories.told.get(where, {}).items():
            if what != (level,):
                story.ended(now)
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
            lambda condition: Story(
                condition,
                subject=event.broker,
                again=f"degradation level {words} again",
                over=f"no longer at degradation level {words}",
                unit="time",
                fields={"broker": event.broker, "level": str(level)},
                say=_log.error,
            ),
        )
        story.happened(
            now,
            f"{sentence}; new orders are refused",
            cause=str(event.cause),
            from_level=str(event.from_level),
        )

    def _gate_shut(self, event: events.GateShut) -> None:
        banned = event.outcome is Outcome.BANNED
        what = "the broker has banned this address" if banned else "the broker says too many requests"
        story = self._stories.get(
            ("gate", event.broker),
            (event.outcome,),
            lambda condition: Story(
                condition,
                subject=event.broker,
                again=what,
                over="calls may be sent again",
                unit="time",
                fields={"broker": event.broker, "outcome": str(event.outcome)},
                say=_log.error if banned else _log.warning,
            ),
        )
        until = datetime.fromtimestamp(event.until, UTC).isoformat(timespec="seconds")
        story.happened(self._now(), f"{what}; nothing is sent to it for {spoken(event.seconds)}", until=until)

    def _gate_opened(self, event: events.GateOpened) -> None:
        now = self._now()
        for story in self._stories.told.get(("gate", event.broker), {}).values():
            story.ended(now)

    def _threshold(self, event: events.LimitThreshold) -> None:
        story = self._stories.get(
            ("limit", event.broker),
            (event.limit,),
            lambda condition: Story(
                condition,
                subject=event.broker,
                again=f"{event.limit} keeps crossing its warning share",
                over=f"{event.limit} is back below its warning share",
                unit="crossing",
                fields={"broker": event.broker, "limit": event.limit},
                say=_log.warning,
            ),
        )
        if not event.above:
            story.ended(self._now())
            return
        share = f" ({event.used / event.capacity:.0%})" if event.capacity else ""
        sentence = f"{event.used:g} of {event.capacity:g}{share} of {event.limit} is used"
        story.happened(self._now(), sentence, used=event.used, capacity=event.capacity)

    # Streams

    def _stream_closed(self, event: events.StreamClosed) -> None:
        if event.reason not in _LOST:
            return
        story = self._stories.get(
            ("stream", event.broker, event.stream),
            (event.reason,),
            lambda condition: Story(
                condition,
                subject=f"{event.broker} {event.stream}",
                again="the stream does not stay open",
                over="the stream is open again",
                unit="interruption",
                fields={"broker": event.broker, "stream": event.stream, "reason": event.reason},
                say=_log.warning,
            ),
        )
        story.happened(self._now(), _LOST[event.reason])

    def _stream_opened(self, event: events.StreamOpened) -> None:
        now = self._now()
        for story in self._stories.told.get(("stream", event.broker, event.stream), {}).values():
            story.ended(now)

    # Notifications

    def _notification(self, event: events.NotificationSent) -> None:
        where = ("notification", event.channel)
        if event.result == "sent":
            for story in self._stories.told.get(where, {}).values():
                story.ended(self._now())
        if event.result != "failed":
            return
        story = self._stories.get(
            where,
            (),
            lambda condition: Story(
                condition,
                subject=event.channel,
                again="notifications cannot be delivered",
                over="notifications are delivered again",
                unit="failure",
                fields={"channel": event.channel},
                say=_log.error,
            ),
        )
        story.happened(self._now(), f"a notification could not be delivered: {event.detail}")


def _unknown(call: CallFinished) -> None:
    attempt = _last_attempt(call)
    _log.error(
        f"{call.broker} {call.endpoint}: sent, and its outcome is unknown: it may have been executed; "
        "look it up at the broker before sending it again",
        broker=call.broker,
        group=call.group,
        endpoint=call.endpoint,
        symbol=call.symbol,
        order=clean_fields(dict(call.request)),
        reason=attempt.reason if attempt else "caller_left",
        status=call.status,
        attempts=call.attempts,
        correlation_id=call.id,
        trace_id=f"{call.trace.trace_id:032x}",
    )


def _dead(event: events.OrderStateChanged) -> None:
    _log.error(
        f"{event.broker}: {event.kind} {event.order} is given up: {event.reason}",
        broker=event.broker,
        order=event.order,
        client_id=event.client_id,
        instrument=event.instrument,
        may_have_been_executed=event.may_have_been_executed,
    )


def _recovering(event: events.OrdersRecovering) -> None:
    done = event.total - event.left
    what = f"{done} of {event.total} orders that the last run left in doubt have been looked up"
    (_log.info if event.left == 0 else _log.warning)(
        f"{event.broker}: {what}", broker=event.broker, left=event.left, total=event.total
    )


def _last_attempt(call: CallFinished) -> events.AttemptFinished | None:
    attempts = (step.event for step in reversed(call.trail) if isinstance(step.event, events.AttemptFinished))
    return next(attempts, None)


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


def _started(event: events.Started) -> None:
    _log.info(
        f"Started after {spoken(event.seconds)}", version=event.version, bot=event.bot, seconds=round(event.seconds, 3)
    )


def _stopped(event: events.Stopped) -> None:
    if event.unfinished:
        _log.warning(
            f"Stopped ({event.reason}) with {event.unfinished} calls unfinished: look their orders up at the broker",
            reason=event.reason,
            unfinished=event.unfinished,
            left=event.left,
        )
    elif event.left:
        _log.warning(f"Stopped ({event.reason}); left for the next start: {', '.join(event.left)}", reason=event.reason)
    else:
        _log.info(f"Stopped ({event.reason})", reason=event.reason)
