"""Events of the event stream in the words of one line."""

import re
from collections.abc import Mapping
from typing import Any, Final

from sidecar.config.report import printable

QUIET: Final = frozenset({"LimitReading", "LimitWaited", "AttemptFinished", "StreamMessages"})
"""Too many, and told by the other parts of the page."""

_WORDS: Final[Mapping[str, str]] = {
    "LimitThreshold": "{limit} at {used:g} of {capacity:g}",
    "LimitLearnt": "{limit} is {capacity:g} and not {before:g}, by the broker's word",
    "LimitReset": "limits reset by hand: {reason}",
    "LimitRejected": "a call in {group} refused: {limit} would have kept it too long",
    "GateShut": "gate shut for {seconds:.0f} s: {outcome}",
    "GateOpened": "gate open again",
    "BreakerTransition": "breaker {group}: {from_state} -> {to_state} ({reason})",
    "BrokerStateChanged": "{from_state} -> {to_state}: {reason}",
    "RetryScheduled": "{endpoint} failed ({reason}), is tried again",
    "RetryDenied": "{endpoint} failed ({reason}), no retry: {why}",
    "OrderLookedUp": "{endpoint} in doubt, look {number}: {result}",
    "LoginFinished": "login: {result} {reason}",
    "ClockOffsetLearnt": "the broker's clock is {offset:+.3f} s ahead",
    "CallFinished": "{endpoint}: {outcome}, {attempts} attempts",
    "CallReplayed": "{endpoint} repeated, not sent again: {result}",
    "CallRefused": "a request turned away at the {listener} listener: {reason}",
    "StreamOpened": "stream {stream} open",
    "StreamClosed": "stream {stream} ended: {reason}",
    "OrderStateChanged": "{kind} {client_id} {instrument}: {to_state} ({reason})",
    "OrderRefused": "an order not taken: {reason}",
    "OrdersRecovering": "{left} of {total} orders in doubt still to be looked up",
    "Started": "the sidecar takes calls, after {seconds:.1f} s",
    "SelfChecked": "start-up check {check}: {detail}",
    "PositionsClosed": "closed before the stop: {closed}; still held: {open}",
    "Stopped": "the sidecar has stopped: {reason}",
}


def told(kind: str, fields: Mapping[str, Any]) -> str | None:
    """The event in one line of printable ASCII; None when it is not worth one."""
    if kind in QUIET or (kind == "CallFinished" and fields.get("outcome") == "ok"):
        return None
    broker = fields.get("broker") or ""
    try:
        words = _WORDS[kind].format_map(fields)
    except (KeyError, ValueError, TypeError):
        # An event of a sidecar of another version.
        words = _plainly(kind, fields)
    return printable(f"{broker} {words}".strip())


def _plainly(kind: str, fields: Mapping[str, Any]) -> str:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()
    told = " ".join(f"{key}={value}" for key, value in fields.items() if key != "broker" and _says(value))
    return f"{name}: {told}" if told else name


def _says(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""
