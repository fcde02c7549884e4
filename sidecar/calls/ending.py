"""How a call ends, told in one event; and the ends that it can come to without an answer of the broker's."""

from typing import Final

from sidecar.brokers.profile import OrderFacts, Profile, Refusal
from sidecar.calls import explain
from sidecar.calls.model import Call, Fate, Result
from sidecar.telemetry.events import CallFinished
from sidecar.wire import Answer
from sidecar.words import Effect, Outcome

_NO_FACTS: Final = OrderFacts()


def finished(broker: str, profile: Profile, call: Call, result: Result, seconds: float) -> CallFinished:
    """What became of a call that took `seconds` in all."""
    intent, fate, endpoint = call.intent, result.fate, call.intent.endpoint
    recorded = endpoint.audit or intent.effect is not Effect.READ or fate.outcome is not Outcome.OK
    broker_answered = result.answer if fate.source == "broker" else None
    facts = profile.facts(call.request, broker_answered) if recorded else _NO_FACTS
    return CallFinished(
        id=call.id,
        broker=broker,
        endpoint=endpoint.name,
        group=endpoint.group,
        effect=intent.effect,
        priority=intent.priority,
        method=call.request.method,
        outcome=fate.outcome,
        attempts=fate.attempts,
        why=fate.why,
        source=fate.source,
        status=result.answer.status,
        received=call.received_at,
        seconds=seconds,
        waited=call.waited,
        overhead=max(0.0, seconds - call.waited - call.at_broker),
        trace=call.trace,
        trail=tuple(call.trail),
        audit=endpoint.audit,
        symbol=facts.symbol,
        request=tuple(facts.request.items()),
        response=tuple(facts.response.items()),
        reconciled=fate.reconciled,
    )


def cut_short(call: Call) -> Result:
    """The result of a call that ended on its way, cancelled or by a fault in here: the record must be true."""
    fate = Fate(_as_far_as_known(call), call.attempts, call.waited, source="sidecar")
    return Result(Answer(status=0, headers=()), fate)


def stopped(broker: str, profile: Profile, call: Call) -> Result:
    """The result of a call that the sidecar's end has overtaken: its bot is still told how."""
    refusal: Refusal = explain.stopped(broker, call.intent, call.attempts, in_doubt=call.in_doubt)
    fate = Fate(_as_far_as_known(call), call.attempts, call.waited, refusal.kind, source="sidecar")
    return Result(profile.refuse(refusal), fate)


def _as_far_as_known(call: Call) -> Outcome:
    return Outcome.UNKNOWN if call.in_doubt else Outcome.TRANSIENT
