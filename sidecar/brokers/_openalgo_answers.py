"""What OpenAlgo's answers mean, and what the audit log keeps of them.

[doc] "Response And Status Conventions": `status` is `success` or `error`, with a `message`. The status and the words
of the broker behind OpenAlgo pass through; OpenAlgo adds no code.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from sidecar.brokers._answers import OK, Body, chosen, error_of, json_of, looks_whole, message, short, waiting
from sidecar.brokers._openalgo_body import Fields, fields_of, key_of
from sidecar.brokers._openalgo_endpoints import BATCHES, PLAIN_TEXT
from sidecar.brokers.profile import Endpoint, OrderFacts, Verdict
from sidecar.wire import Answer, Request
from sidecar.words import Effect, Outcome

_DECLINED: Final = Verdict(Outcome.REJECTED, "declined")
_UNCLEAR: Final = Verdict(Outcome.UNKNOWN, "unclear")
_AUTH: Final = Verdict(Outcome.FATAL, "auth")
_MALFORMED: Final = Verdict(Outcome.FATAL, "bad_request")

_NAMED_BY: Final[Mapping[str, str]] = {
    "place_order": "orderid",
    "place_options_order": "orderid",
    "place_smart_order": "orderid",
    "place_gtt_order": "trigger_id",
}
"""By endpoint: what a success names."""
# [source] What OpenAlgo says when something broke while it talked to its broker: the order may be there.
_BROKE: Final = re.compile(r"internal error|unexpected error|timed? ?out|timeout", re.IGNORECASE)
# [source] Reads hand on the text of the broker's refusal under a 500: a person must log in there again.
_LOGGED_OUT: Final = re.compile(
    r"access_token|tokenexception|(?:token|session)\b[^.]{0,20}\b(?:expired|invalid)|invalid (?:token|session)",
    re.IGNORECASE,
)
_BANNED: Final = b"your ip has been banned"
_SEMI_AUTO: Final = "semi-auto"
_SMALL: Final = 4096
_ANSWER_BYTES: Final = 256 * 1024


def said_by(answer: Answer) -> Fields:
    """The fields of an answer; empty when it is no JSON object."""
    said = json_of(answer, _ANSWER_BYTES) if answer.chunks is None else None
    return said if isinstance(said, dict) else {}


def words_of(said: Fields) -> str:
    """The message of an answer; validation errors come as an object of lists."""
    told = said.get("message")
    return told if isinstance(told, str) else ""


def read(endpoint: Endpoint, answer: Answer) -> Verdict:
    """What a 2xx on a read means."""
    if endpoint.name in PLAIN_TEXT:
        return OK
    if not looks_whole(answer):
        return Verdict(Outcome.TRANSIENT, "bad_answer")
    if len(answer.body) <= _SMALL and said_by(answer).get("status") == "error":
        return _DECLINED
    return OK


def success(name: str, answer: Answer) -> Verdict:
    """What a 2xx on an endpoint with an effect means: only a success that names what was made is one."""
    said = json_of(answer)
    if said is Body.OPAQUE:
        return OK
    if not isinstance(said, dict) or said.get("status") not in {"success", "error"}:
        return Verdict(Outcome.UNKNOWN, "bad_answer")
    if said["status"] == "error":
        return _UNCLEAR if _BROKE.search(words_of(said)[:1000]) else _DECLINED
    results = said.get("results")
    if isinstance(results, list):
        return _of_batch(results)
    if name in BATCHES:
        return OK if is_queued(said) else Verdict(Outcome.UNKNOWN, "bad_answer")
    if name == "cancel_all_orders":
        return _DECLINED if said.get("failed_cancellations") and not said.get("canceled_orders") else OK
    wanted = _NAMED_BY.get(name)
    if wanted is None or said.get(wanted) or is_queued(said) or (name == "place_smart_order" and is_at_target(said)):
        return OK
    # [source] Brokers that decline with a 200 make OpenAlgo report a success with `"orderid": null`.
    return _UNCLEAR


def is_queued(said: Fields) -> bool:
    """[source] Semi-auto mode: the order waits in OpenAlgo's Action Center until a person approves it."""
    return bool(said.get("pending_order_id"))


def is_at_target(said: Fields) -> bool:
    """[doc] placesmartorder: "No action needed" when the position is at its target."""
    return "no action" in words_of(said)[:1000].lower()


def _of_batch(results: list[object]) -> Verdict:
    """A batch is in doubt when one order is, and done when one is; only a whole failure is a failure."""
    verdicts = [_of_one(item) for item in _each(results)]
    if not verdicts or _UNCLEAR in verdicts:
        return _UNCLEAR
    return OK if OK in verdicts else _DECLINED


def _each(results: list[object]) -> Iterator[object]:
    """[source] The leg of a multi-order that was split tells its orders in `split_results`."""
    for item in results:
        pieces = item.get("split_results") if isinstance(item, dict) else None
        yield from pieces if isinstance(pieces, list) else (item,)


def _of_one(result: object) -> Verdict:
    if not isinstance(result, dict):
        return _UNCLEAR
    if result.get("status") == "success":
        return OK if result.get("orderid") else _UNCLEAR
    return _UNCLEAR if _BROKE.search(words_of(result)[:1000]) else _DECLINED


def failure(effect: Effect, answer: Answer) -> Verdict:
    """What any other status means. Of the 5xx none but 501 is documented as definite."""
    status = answer.status
    said = error_of(answer)
    fields: Fields = said if isinstance(said, dict) else {}
    match status:
        case 403:
            return _forbidden(fields, answer)
        case 401 | 407:
            return _AUTH
        case 429:
            # The body's `retry_after` is 60 whatever the limit ([source]); [doc] the window moves on by itself, and a
            # request that it refused does not count. A minute without stops and cancels would be the greater harm.
            return Verdict(Outcome.RATE_LIMITED, "rate_limit", "", *waiting(answer.headers))
        case 408 | 504:
            return Verdict(Outcome.UNKNOWN, "timeout")
        case 501 if fields.get("status") == "error":
            # [doc] "GTT orders are not supported for broker 'X' yet".
            return _DECLINED
        case _ if status >= 500 or status < 400:  # noqa: PLR2004 - HTTP's own numbers
            # [source] OpenAlgo turns a crash into a redirect to its error page.
            logged_out = effect is Effect.READ and _LOGGED_OUT.search(words_of(fields)[:1000])
            return _AUTH if logged_out else Verdict(Outcome.UNKNOWN, "server_error")
        case _ if fields.get("status") == "error" and not _is_malformed(status, fields):
            return _DECLINED
        case _:
            return _MALFORMED


def _forbidden(fields: Fields, answer: Answer) -> Verdict:
    """A wrong key, a login at the broker that has expired, a mode that forbids it, or a ban of the address."""
    words = words_of(fields)[:1000].lower()
    if _BANNED in answer.content(1024)[:1024].lower():
        return Verdict(Outcome.BANNED, "ban", "", *waiting(answer.headers))
    return _DECLINED if _SEMI_AUTO in words else _AUTH


def _is_malformed(status: int, fields: Fields) -> bool:
    """[source] The schema's complaints are an object, or one written as text; an unknown path is told with `path`."""
    told = fields.get("message")
    if status == 404:  # noqa: PLR2004 - HTTP's own number
        return "path" in fields
    return isinstance(told, (dict, list)) or (isinstance(told, str) and told.startswith("{"))


_ASKED: Final = ("exchange", "action", "pricetype", "product", "quantity", "price", "trigger_price",
    "disclosed_quantity", "position_size", "splitsize", "orderid", "trigger_id", "trigger_type", "strategy",
    "underlying", "offset", "option_type")  # fmt: skip
_TOLD: Final = ("status", "orderid", "trigger_id", "mode", "pending_order_id")


def facts(request: Request, answer: Answer | None) -> OrderFacts:
    """The chosen fields of a call, without the key wherever it was repeated; never raises."""
    key = key_of(request)
    asked = _without(key, fields_of(request))
    told: dict[str, str] = {}
    if answer is not None:
        said = _without(key, said_by(answer))
        told = chosen(said, _TOLD) | _counted(said)
        if words := message(said.get("message")):
            told["message"] = words
    return OrderFacts(short(asked.get("symbol")), chosen(asked, _ASKED), told)


def _counted(said: Fields) -> dict[str, str]:
    counts: dict[str, str] = {}
    for name in ("canceled_orders", "failed_cancellations"):
        if isinstance(listed := said.get(name), list):
            counts[name] = str(len(listed))
    if isinstance(results := said.get("results"), list):
        fine = sum(isinstance(item, dict) and item.get("status") == "success" for item in results)
        counts |= {"results": str(len(results)), "succeeded": str(fine)}
    return counts


def told_words(request: Request, said: Fields) -> str:
    """The answer's message as it may be kept."""
    return message(_without(key_of(request), said).get("message"))


def _without(key: str, fields: Fields) -> Fields:
    """The fields with the key taken out of their texts, before any of them is cut."""
    if not key:
        return fields
    return {name: told.replace(key, "[removed]") if isinstance(told, str) else told for name, told in fields.items()}
