"""What is news about calls: those that fail, and those that the sidecar turned away."""

from collections.abc import Mapping

import structlog

from sidecar.telemetry import events
from sidecar.telemetry.audit.clean import clean_fields
from sidecar.telemetry.events import Bus, CallFinished
from sidecar.telemetry.news.stories import Stories
from sidecar.words import Effect, Outcome, RefusalKind

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
_ANSWERED = {Outcome.OK, Outcome.REJECTED}
_GATE = {RefusalKind.RATE_LIMITED, RefusalKind.BANNED}


class CallNews:
    """Logs what went wrong with calls. An order whose outcome is unknown is told each time."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def subscribe(self, bus: Bus) -> None:
        """Log what the bus tells from now on."""
        bus.subscribe(CallFinished, self._call)
        bus.subscribe(events.CallRefused, self._call_refused)

    def _call(self, call: CallFinished) -> None:
        if call.outcome in _ANSWERED and call.source != "cache":
            # A business rejection is an answer, too: it ends everything but rejections.
            self._stories.end("calls", call.broker, call.group, but=call.outcome)
        if call.outcome is Outcome.OK:
            return
        if call.outcome is Outcome.UNKNOWN and call.effect is not Effect.READ:
            _unknown(call)
        elif not self._known_refusal(call):
            self._failed(call)

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
            subject=f"{call.broker} {call.group}",
            again=f"{sentence} ({reason})",
            over="recovered",
            unit="failure",
            fields=fields,
            say=_log.error if bad else _log.warning,
        )
        story.happened(
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
            subject=f"{event.listener} listener",
            again=f"refused: {REFUSALS.get(event.reason, event.reason)}",
            over="over",
            unit="request",
            fields={"broker": event.broker, "listener": event.listener, "reason": event.reason},
            say=_log.warning,
        )
        story.happened(f"refused: {REFUSALS.get(event.reason, event.reason)}")


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


def _last_attempt(call: CallFinished) -> events.AttemptFinished | None:
    attempts = (step.event for step in reversed(call.trail) if isinstance(step.event, events.AttemptFinished))
    return next(attempts, None)
