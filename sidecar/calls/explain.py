"""What the sidecar tells a bot in its own words: what happened, whether anything was sent, and what to do."""

from datetime import UTC, datetime

from sidecar.brokers.profile import Intent, Refusal, Verdict
from sidecar.telemetry.state import DegradationReading
from sidecar.words import DegradationCause, DegradationLevel, Outcome, RefusalKind

_NO_ANSWER = {
    "connect": "no connection to it could be made",
    "timeout": "it did not answer in time",
    "reset": "the connection broke before it answered",
    "bad_answer": "its answer was cut short or cannot be read",
    "bad_request": "a request header is not valid UTF-8",
}


def breaker_open(broker: str, group: str, retry_in: float | None) -> str:
    """The sentence for a call that an open breaker stopped."""
    when = "a person has forced it open" if retry_in is None else f"the next probe may pass in {retry_in:.0f} s"
    return f"not sent: the circuit breaker for {broker} {group} is open; {when}"


def too_late(broker: str, intent: Intent) -> str:
    """The sentence for a call whose caller has stopped waiting before anything was sent."""
    return f"not sent: the deadline of this {broker} {intent.endpoint.name} call is over; allow it more time"


def under_maintenance(broker: str, opens_in: float) -> str:
    """The sentence for a call that comes while the broker is away."""
    return f"not sent: {broker} is under maintenance; it is looked at again in {opens_in:.0f} s"


def degraded(broker: str, reading: DegradationReading) -> str:
    """The sentence for a call that the degradation level forbids."""
    passing = "cancels, reduce-only orders and reads of the account pass"
    if reading.level is not DegradationLevel.EMERGENCY:
        passing = "cancels, reduce-only orders and reads pass"
    why = "by hand" if reading.cause is DegradationCause.MANUAL else str(reading.cause or "")
    because = f"{why}: {reading.note}" if reading.note else why
    since = datetime.fromtimestamp(reading.since, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"not sent: {broker} is at degradation level {reading.level} since {since} ({because}); {passing}"


def gone(broker: str, intent: Intent) -> str:
    """The sentence for a call whose caller has hung up before it was sent; only the record shows it."""
    return f"not sent: the caller of this {broker} {intent.endpoint.name} hung up while it waited"


def no_answer(broker: str, intent: Intent, verdict: Verdict, attempts: int) -> Refusal:
    """The refusal for a call whose last attempt brought no whole answer."""
    what = f"{broker} {intent.endpoint.name}: {_NO_ANSWER.get(verdict.reason, 'it did not answer')}"
    tries = f"after {attempts} attempts" if attempts > 1 else "at the first attempt"
    if verdict.outcome is Outcome.UNKNOWN:
        return Refusal(RefusalKind.UNKNOWN, f"sent, outcome unknown: {what} {tries}; {_look_it_up(intent)}")
    if verdict.reason == "bad_request":
        return Refusal(RefusalKind.BAD_REQUEST, f"not sent: {what}")
    if verdict.reason == "connect":
        return Refusal(RefusalKind.UNREACHABLE, f"not sent: {what} {tries}; check the broker's status and the network")
    return Refusal(RefusalKind.BAD_ANSWER, f"nothing was changed: {what} {tries}; ask again")


def stopped(broker: str, intent: Intent, attempts: int, *, in_doubt: bool) -> Refusal:
    """The refusal for a call that was still under way when the sidecar had to end."""
    what = f"the sidecar was stopped before this {broker} {intent.endpoint.name} call had its answer"
    if in_doubt:
        return Refusal(RefusalKind.UNKNOWN, f"sent, outcome unknown: {what}; {_look_it_up(intent)}")
    kind = RefusalKind.BAD_ANSWER if attempts else RefusalKind.UNREACHABLE
    return Refusal(kind, f"not executed: {what}; send it again when the sidecar is back")


def _look_it_up(intent: Intent) -> str:
    known_by = f"client id {intent.client_id}" if intent.client_id else "symbol, side and time"
    return f"it may have been executed: look it up by {known_by} before sending it again"
