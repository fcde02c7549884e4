"""Events of the event stream in the words of one line."""

import re
from collections.abc import Mapping
from typing import Any, Final

from sidecar.config.report import printable

QUIET: Final = frozenset({"LimitReading", "LimitWaited", "AttemptFinished", "StreamMessages", "CacheAsked"})
"""Too many, and told by the other parts of the page."""

_USUAL: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "CallFinished": ("outcome", ("ok",)),
    "OrderStateChanged": ("to_state", ("accepted", "queued", "sending", "working")),
    "OrderLookedUp": ("result", ("found",)),
    "OperationStep": ("step", ("plan", "progress")),
}
"""What goes its way, by a field of the event and its values, is not told: it would push away what does not."""

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
    "OrderLookedUp": "{endpoint} looked up: {result}",
    "LoginFinished": "login: {result} {reason}",
    "ClockOffsetLearnt": "the broker's clock is {offset:+.3f} s ahead",
    "CallFinished": "{endpoint}: {outcome}, {attempts} attempts",
    "CallReplayed": "{endpoint} repeated, not sent again: {result}",
    "CallRefused": "a request turned away at the {listener} listener: {reason}",
    "StreamOpened": "stream {stream} open",
    "StreamClosed": "stream {stream} ended: {reason}",
    "OrderStateChanged": "{kind} {client_id} {instrument}: {to_state} ({reason})",
    "OrderRefused": "an order not taken: {reason}",
    "DegradationChanged": "degradation {from_level} -> {to_level} ({cause})",
    "BrokerChecked": "start-up checks: {from_state} -> {to_state} ({reason})",
    "OperationChanged": "{type} {operation}: {to_state} ({reason})",
    "OperationStep": "{type} {operation}: {step} {leg} {detail}",
    "OperationRecovery": "{type} {operation}: {result} ({reason})",
    "PositionUnprotected": "UNPROTECTED position in {instrument}: {reason}",
    "ErrorRaised": "error {error_type} ({severity})",
    "ErrorResolved": "error {error_type} over after {seconds:.0f} s ({reason})",
    "NotificationSent": "told {channel} of a {severity}: {result}",
    "OperationalStateChanged": "the sidecar: {from_state} -> {to_state} ({reason})",
    "OrdersRecovering": "{left} of {total} orders in doubt still to be looked up",
    "Started": "the sidecar takes calls, after {seconds:.1f} s",
    "SelfChecked": "start-up check {check}: {detail}",
    "PositionsClosed": "closed before the stop: {closed}; still held: {open}",
    "Stopped": "the sidecar has stopped: {reason}",
}


def told(kind: str, fields: Mapping[str, Any]) -> str | None:
    """The event in one line of printable ASCII; None when it is not worth one."""
    if kind in QUIET or _goes_its_way(kind, fields):
        return None
    broker = fields.get("broker") or ""
    try:
        words = _WORDS[kind].format_map(fields)
    except (KeyError, ValueError, TypeError):
        # An event of a sidecar of another version.
        words = _plainly(kind, fields)
    return printable(f"{broker} {words}".strip())


def _goes_its_way(kind: str, fields: Mapping[str, Any]) -> bool:
    name, usual = _USUAL.get(kind, ("", ()))
    return fields.get(name) in usual


def _plainly(kind: str, fields: Mapping[str, Any]) -> str:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()
    told = " ".join(f"{key}={value}" for key, value in fields.items() if key != "broker" and _says(value))
    return f"{name}: {told}" if told else name


def _says(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""
