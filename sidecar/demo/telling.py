"""The sidecar's events in human sentences."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sidecar.demo.chronicle import Happening, Record, longest_wait

_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "failures": "too many failures in a row",
        "failure_rate": "too many calls fail",
        "slow_calls": "too many calls are slow",
        "probe_failed": "the probe failed",
    }
)
_CAUSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "maintenance": "the broker is under maintenance",
        "rate_limit": "too many requests (429)",
        "server_error": "a server error",
        "reset": "the connection was reset",
        "timeout": "no answer in time",
        "connect": "no connection",
        "throttled": "the broker is overloaded",
        "unclear": "the broker itself does not know",
    }
)
_DENIED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unsafe": "not resent, because the broker may have executed it",
        "exhausted": "given up, all attempts are used",
        "budget": "not retried, the retry budget is spent",
        "deadline": "not retried, the bot would not wait that long",
        "breaker_open": "not retried, the breaker has opened",
    }
)


def seconds(value: float) -> str:
    """A duration for people."""
    return f"{value:.0f} s" if value >= 10 else f"{round(value, 1):g} s"  # noqa: PLR2004 - tenths tell nothing more


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 call`, `2 calls`; `things` where the plural is another word."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def sentence(happening: Happening) -> str:
    """What happened, for a person; empty for what is no news."""
    tell = _TELL.get(happening.kind)
    return "" if tell is None else tell(happening.facts)


def _gate_shut(facts: Mapping[str, Any]) -> str:
    said = "banned this address" if facts["outcome"] == "banned" else "said too many requests (429)"
    return f"{facts['broker']} {said}: gate shut for {seconds(facts['seconds'])}"


def _gate_opened(facts: Mapping[str, Any]) -> str:
    return f"{facts['broker']}: gate open again"


def _condition(facts: Mapping[str, Any]) -> str:
    if facts["to_state"] == "ok":
        return f"{facts['broker']} is back"
    words = {"maintenance": "is under maintenance", "degraded": "is degraded", "banned": "has banned this address"}
    return (
        f"{facts['broker']} {words[facts['to_state']]} ({facts['reason']}); next look in {seconds(facts['probe_in'])}"
    )


def _breaker(facts: Mapping[str, Any]) -> str:
    where = f"{facts['broker']} {facts['group']} breaker"
    reason = _REASONS.get(str(facts["reason"]), str(facts["reason"]))
    match facts["to_state"]:
        case "open":
            return f"{where} OPEN, {reason}; next probe in {seconds(facts['retry_in'])}"
        case "half_open":
            return f"{where} half open: one call may probe"
        case "closed":
            return f"{where} CLOSED, the probe succeeded"
        case state:
            return f"{where} {state}"


def _retry(facts: Mapping[str, Any]) -> str:
    cause = _CAUSES.get(str(facts["reason"]), str(facts["reason"]))
    what = f"{facts['broker']} {facts['endpoint']}"
    return f"{what}: {cause}; attempt {facts['attempt'] + 1} follows in {seconds(facts['delay'])}"


def _denied(facts: Mapping[str, Any]) -> str:
    if facts["why"] not in _DENIED:
        return ""
    cause = _CAUSES.get(str(facts["reason"]), str(facts["reason"]))
    return f"{facts['broker']} {facts['endpoint']}: {cause}; {_DENIED[facts['why']]}"


def _threshold(facts: Mapping[str, Any]) -> str:
    side = "above" if facts["above"] else "below"
    limit = f"{facts['used']:.0f} of {facts['capacity']:.0f} {facts['limit']}"
    return f"{facts['broker']}: {limit} used, {side} the warning share"


_TELL: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = MappingProxyType(
    {
        "GateShut": _gate_shut,
        "GateOpened": _gate_opened,
        "BreakerTransition": _breaker,
        "BrokerStateChanged": _condition,
        "RetryScheduled": _retry,
        "RetryDenied": _denied,
        "LimitThreshold": _threshold,
    }
)


def rate_limit(record: Record, broker: str) -> str:
    """What a rate limit meant for the bots."""
    calls = record.of("CallFinished", broker)
    waited = [call for call in calls if call.facts["waited"] > 0]
    refused = [call for call in calls if call.refused]
    shut = [seconds(gate.facts["seconds"]) for gate in record.of("GateShut", broker)]
    longest = f" (the longest for {seconds(longest_wait(waited))})" if waited else ""
    return (
        f"429 from {broker}: gate shut for {', then '.join(shut)}; {counted(len(waited), 'call')} waited{longest}; "
        f"{len(refused)} {'was' if len(refused) == 1 else 'were'} refused"
    )


def outage(record: Record, broker: str, hits: int) -> str:
    """What a maintenance window meant for the broker and the bots; `hits` is how many requests the broker saw."""
    went = record.of("BrokerStateChanged", broker, to_state="maintenance")[0].at
    came = record.of("BrokerStateChanged", broker, to_state="ok")[-1].at
    refused = sum(call.refused for call in record.of("CallFinished", broker))
    return (
        f"{broker} under maintenance: it was away for {seconds(came - went)} and saw only {counted(hits, 'request')} "
        f"in that time; {counted(refused, 'call')} heard `not sent` at once; then trading went on by itself"
    )


def doubt(call: Happening, looked_up: str, times: int) -> str:
    """What became of an order that nobody could be sure of."""
    attempts = int(call.facts["attempts"])
    sent = "not resent" if attempts == 1 else f"sent {attempts} times"
    return (
        f"order {call.order_id}: the broker may have executed it: {sent}; the bot was told `{call.facts['outcome']}` "
        f"and looked it up: {looked_up}; the book says: {booked(times)}"
    )


def found_out(call: Happening, times: int) -> str:
    """What became of an order whose answer was lost, and which the sidecar itself looked up."""
    attempts = int(call.facts["attempts"])
    sent = "not resent" if attempts == 1 else f"sent {attempts} times"
    return (
        f"order {call.order_id}: the broker may have executed it: {sent}; the sidecar asked the broker by the order's "
        f"id and told the bot `{call.facts['outcome']}`; the book says: {booked(times)}"
    )


def persistence(call: Happening, times: int) -> str:
    """What became of an order that definitely had not been executed, and was sent again."""
    attempts = int(call.facts["attempts"])
    return (
        f"order {call.order_id}: surely not executed, so {'sent again' if attempts == 2 else 'sent twice more'}; "  # noqa: PLR2004
        f"{call.facts['outcome']} at attempt {attempts} after {seconds(call.facts['waited'])} of waiting, which is all "
        f"that the bot noticed; the book says: {booked(times)}"
    )


def booked(times: int) -> str:
    """How often a book holds an order."""
    return {0: "not executed", 1: "executed once"}.get(times, f"EXECUTED {times} TIMES")
