"""What a finished call says about errors."""

from collections.abc import Iterator
from typing import Any, Final

from sidecar.telemetry.events import AttemptFinished, CallFinished
from sidecar.words import Effect, Outcome

_CONNECTION: Final = frozenset({"connect", "reset", "timeout"})
_THERE: Final = frozenset({"server_error", "throttled", "bad_answer"})
_ANSWERED: Final = frozenset({Outcome.OK, Outcome.REJECTED})


def last_attempt(call: CallFinished) -> AttemptFinished | None:
    """The attempt by which a call ended; None when nothing was sent."""
    attempts = (step.event for step in reversed(call.trail) if isinstance(step.event, AttemptFinished))
    return next(attempts, None)


def _reason(call: CallFinished) -> str:
    attempt = last_attempt(call)
    return "" if attempt is None else attempt.reason


def unauthorised(call: CallFinished) -> bool:
    """Whether the broker refused the credentials."""
    return call.outcome is Outcome.FATAL and _reason(call) == "auth"


def malformed(call: CallFinished) -> bool:
    """Whether the broker can never accept it as it is."""
    return call.outcome is Outcome.FATAL and _reason(call) == "bad_request"


def too_early_or_late(call: CallFinished) -> bool:
    """Whether the broker found its time wrong."""
    return call.outcome is not Outcome.OK and _reason(call) == "clock_skew"


def in_doubt(call: CallFinished) -> bool:
    """Whether it may have changed something, and nobody knows."""
    return call.outcome is Outcome.UNKNOWN and call.effect is not Effect.READ


def unreached(call: CallFinished) -> bool:
    """Whether it failed on the way, retries and all."""
    return call.outcome is Outcome.TRANSIENT and _reason(call) in _CONNECTION


def failed_there(call: CallFinished) -> bool:
    """Whether the broker failed, retries and all."""
    return call.outcome is Outcome.TRANSIENT and _reason(call) in _THERE


def succeeded(call: CallFinished) -> bool:
    """Whether the broker did what was asked; an answer that was remembered tells nothing of it."""
    return call.outcome is Outcome.OK and call.source != "cache"


def answered(call: CallFinished) -> bool:
    """Whether the broker answered as it should; a business no is an answer, too."""
    return call.outcome in _ANSWERED and call.source != "cache"


def accepted_order(call: CallFinished) -> bool:
    """Whether the broker took something whose time it looks at."""
    return call.outcome is Outcome.OK and call.effect is not Effect.READ


def order(call: CallFinished) -> str:
    """What the order of a call is known by: its client id, or else the call's own id."""
    return next(_client_ids(call), call.id)


def settled(call: CallFinished) -> Iterator[str]:
    """The orders about which this call leaves no doubt: the broker has answered a question that names them."""
    if succeeded(call):
        yield from _client_ids(call)


def context(call: CallFinished) -> dict[str, Any]:
    """What helps a person to find out more; never a body or a query."""
    attempt = last_attempt(call)
    found = {
        "endpoint": call.endpoint,
        "symbol": call.symbol,
        "reason": attempt.reason if attempt else str(call.why or ""),
        "code": attempt.code if attempt else "",
        "status": call.status,
        "client_id": next(_client_ids(call), ""),
        "correlation_id": call.id,
        "trace_id": f"{call.trace.trace_id:032x}",
    }
    return {name: value for name, value in found.items() if value}


def _client_ids(call: CallFinished) -> Iterator[str]:
    """`newClientOrderId`, `origClientOrderId`, `clientExtensions.id` and their like."""
    for name, value in (*call.request, *call.response):
        lower = name.lower()
        if "client" in lower and lower.endswith("id") and value:
            yield value
