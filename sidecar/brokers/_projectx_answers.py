"""What ProjectX's answers mean, and what the audit log keeps of them.

[doc] A business no is HTTP 200 with `success: false`; 401 is a token that is missing or has expired, 429 a limit.
"""

import re
from collections.abc import Mapping
from typing import Final

from sidecar.brokers._answers import (
    MESSAGE_LENGTH,
    OK,
    Body,
    chosen,
    json_of,
    looks_whole,
    message,
    settled,
    short,
    waiting,
)
from sidecar.brokers._projectx_endpoints import OTHER_READ, PLACES, RULES, fields_of, rule_of
from sidecar.brokers.profile import Intent, OrderFacts, Progress, Verdict
from sidecar.wire import Answer, Request
from sidecar.words import Effect, OrderState, Outcome

_AMBIGUOUS: Final = frozenset({"OrderPending", "Pending", "UnknownError"})
"""[doc] "The order is still being processed", "An unexpected error occurred": neither says that nothing happened."""
_AUTH: Final = "auth"
_LATER: Final = frozenset({"UnknownError"})
_LARGE_BYTES: Final = 64 * 1024
"""No refusal is as long as this, so that a longer read need not be parsed to be taken for what it is."""
_ANSWER_BYTES: Final = 64 * 1024
_TAG: Final = re.compile(r"\b(custom)?tag", re.IGNORECASE)
_NOT_FOUND: Final = frozenset({"OrderNotFound", "Rejected"})


def verdict_of(intent: Intent, answer: Answer) -> Verdict:
    """How an attempt ended."""
    whole = 200 <= answer.status < 300  # noqa: PLR2004 - HTTP's own numbers
    verdict = _said(intent, answer) if whole else _refused(answer)
    return settled(verdict, intent.effect, answer.headers)


def _said(intent: Intent, answer: Answer) -> Verdict:
    effect, name = intent.effect, intent.endpoint.name
    if effect is Effect.READ and (name == "ping" or intent.endpoint is OTHER_READ):
        return OK
    if effect is Effect.READ and len(answer.body) > _LARGE_BYTES:
        return OK if looks_whole(answer) else Verdict(Outcome.TRANSIENT, "bad_answer")
    said = json_of(answer)
    if said is Body.OPAQUE:
        return OK
    success = said.get("success") if isinstance(said, dict) else None
    code = said.get("errorCode") if isinstance(said, dict) else None
    if success is True and (code is None or code == 0):
        return OK
    if success is not False or isinstance(code, bool) or not isinstance(code, int) or code == 0:
        return Verdict(Outcome.UNKNOWN, "bad_answer")
    return _declined(intent, code)


def _declined(intent: Intent, number: int) -> Verdict:
    name = code_name(intent.endpoint.name, number)
    if not name:
        return Verdict(Outcome.UNKNOWN, "unclear", short(number))
    if intent.endpoint.group == _AUTH:
        return Verdict(Outcome.UNKNOWN, "unclear", name) if name in _LATER else Verdict(Outcome.FATAL, "auth", name)
    if name in _AMBIGUOUS:
        return Verdict(Outcome.UNKNOWN, "unclear", name)
    return Verdict(Outcome.REJECTED, "declined", name)


def code_name(endpoint: str, number: int) -> str:
    """What an error code is called at an endpoint; empty for one that is not documented there."""
    rule = RULES.get(endpoint)
    codes = () if rule is None else rule.codes
    return codes[number - 1] if 0 < number <= len(codes) else ""


def _refused(answer: Answer) -> Verdict:
    match answer.status:
        case 304:
            return OK
        case 401 | 403:
            return Verdict(Outcome.FATAL, "auth")
        case 429:
            return Verdict(Outcome.RATE_LIMITED, "rate_limit", "", *waiting(answer.headers))
        case 408 | 504:
            # [think] A gateway that stops waiting says nothing of what happens behind it.
            return Verdict(Outcome.UNKNOWN, "timeout")
        case status if status >= 500:  # noqa: PLR2004 - HTTP's own number
            return Verdict(Outcome.UNKNOWN, "server_error")
        case status if status >= 400:  # noqa: PLR2004 - HTTP's own number
            # [doc] 400 rejects a body before anything is looked at.
            return Verdict(Outcome.FATAL, "bad_request")
        case _:
            return Verdict(Outcome.UNKNOWN, "bad_answer")


def gone(intent: Intent, verdict: Verdict) -> bool:
    """[doc] Cancel: OrderNotFound, and Rejected by the trading engine; the order may have been filled."""
    return intent.endpoint.name == "cancel_order" and verdict.code in _NOT_FOUND


_ASKED: Final[Mapping[str, str]] = {
    name.lower(): name
    for name in ("orderId", "type", "side", "size", "limitPrice", "stopPrice", "trailPrice", "customTag")
}
_TOLD: Final = ("orderId", "success", "errorCode")


def facts(request: Request, answer: Answer | None) -> OrderFacts:
    """The chosen fields of a call; never raises."""
    if rule_of(request).endpoint.group == _AUTH:
        return OrderFacts()
    fields = fields_of(request.body)
    asked = {written: text for name, written in _ASKED.items() if (text := short(fields.get(name)))}
    return OrderFacts(short(fields.get("contractid")), asked, {} if answer is None else _told(answer))


def _told(answer: Answer) -> dict[str, str]:
    if answer.chunks is not None or len(answer.body) > _ANSWER_BYTES:
        return {}
    said = json_of(answer, _ANSWER_BYTES)
    told = chosen(said, _TOLD)
    if isinstance(said, dict) and (text := message(said.get("errorMessage"))):
        told["errorMessage"] = text
    return told


def progress(request: Request, answer: Answer) -> Progress | None:
    """What the answer to placing or cancelling an order says of it; of a fill no such answer says anything."""
    rule = rule_of(request)
    name = rule.endpoint.name
    if name not in PLACES and name != "cancel_order":
        return None
    said = json_of(answer, _ANSWER_BYTES)
    if not isinstance(said, dict) or not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return None
    outcome = verdict_of(rule.intent, answer).outcome
    asked = fields_of(request.body).get("orderid") if name == "cancel_order" else None
    number = short(said.get("orderId")) or short(asked)
    if outcome is Outcome.OK:
        done = OrderState.CANCELLED if name == "cancel_order" else OrderState.WORKING
        return Progress(done, number, "accepted" if done is OrderState.WORKING else "")
    return _rejection(name, number, said) if outcome is Outcome.REJECTED else None


def _rejection(name: str, number: str, said: Mapping[str, object]) -> Progress | None:
    code, text = said.get("errorCode"), message(said.get("errorMessage"))
    if name == "place_order" and _TAG.search(text):
        # [doc] "a duplicate customTag" is one of the reasons: the order that bears it may be this very one.
        return None
    reason = code_name(name, code) if isinstance(code, int) else ""
    return Progress(OrderState.REJECTED, number, f"{reason}: {text}"[:MESSAGE_LENGTH] if text else reason)
