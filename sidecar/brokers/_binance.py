"""What Binance's spot and futures interfaces share: one class over two sets of tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from sidecar.brokers import _binance_errors as errors
from sidecar.brokers import _binance_facts, _binance_lookup, _binance_orders, _binance_progress
from sidecar.brokers._answers import OK, Body, error_of, json_of, looks_whole, parsed, settled
from sidecar.brokers._binance_keys import BinanceSigner, identified
from sidecar.brokers._binance_kinds import OTHER, OTHER_READ, Lines
from sidecar.brokers._binance_rules import Costs, Route, Rule
from sidecar.brokers._essence import joined, without
from sidecar.brokers._refusals import envelope, sentence
from sidecar.brokers.limits import LimitSpec, Reading, WindowSpec
from sidecar.brokers.profile import (
    Endpoint,
    Fit,
    Intent,
    Keys,
    Lane,
    Look,
    OrderFacts,
    OrderTerms,
    Progress,
    Refusal,
    Verdict,
)
from sidecar.wire import Answer, Headers, Request, header
from sidecar.words import Effect, Outcome, RefusalKind

_ANNOUNCING: Final = frozenset({"exchange_info", "get_order_rate_limit"})
_ANNOUNCEMENT_BYTES: Final = 64 * 1024
"""`rateLimits` stands at the front of `exchangeInfo`; the megabytes of symbols behind it are not looked at."""
_INTERVALS: Final = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}
_SOON_SECONDS: Final = 60
_RENEWED: Final = frozenset({"timestamp", "recvWindow", "signature"})
"""[doc] "Endpoint security": what signing adds to a request."""
_LONGEST_COUNT: Final = 15
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CANCELS: Final = frozenset({"cancel_order", "cancel_algo_order"})
_LATEST_MS: Final = 10**14
_WHATEVER_THE_STATUS: Final = frozenset({Outcome.RATE_LIMITED, Outcome.BANNED, Outcome.MAINTENANCE, Outcome.UNKNOWN})
"""Outcomes that a spot 5xx does not put in doubt."""
_UNREADABLE: Final = Verdict(Outcome.UNKNOWN, "bad_answer")
# [doc] -1007, and the text of the ambiguous 503.
_AMBIGUOUS_TEXT: Final = (
    "Timeout waiting for response from backend server. Send status unknown; execution status unknown. "
    "Unknown error, please check your request or try again later."
)


@dataclass(frozen=True, slots=True)
class Tables:
    """What differs between Binance's interfaces."""

    name: str
    ping: str
    key_check: str
    """Path of the test of connectivity."""
    routes: Lines
    codes: Mapping[int, tuple[Outcome, str]]
    limits: tuple[WindowSpec, ...]
    weight_limit: str
    """The window that request weights count in."""
    foreign: Mapping[str, Costs]
    """Path prefixes that count in other windows, and what a request there costs."""
    definite_5xx: bool
    """Whether a documented code makes a 5xx definite; on spot every 5xx leaves open what happened."""
    refused_status: int
    """The status under which this interface's clients believe that nothing was executed."""
    clock_path: str
    """Where it tells its time."""
    dialect: _binance_orders.Dialect
    """How it takes orders."""


class BinanceProfile:
    """One of Binance's interfaces."""

    retry_preset: str = "binance"
    lookups_need_keys: bool = True

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        weight = tables.weight_limit
        self._rules = {key: Rule(route, weight) for key, route in tables.routes.items()}
        self._other = {name: Rule(Route(endpoint), weight) for name, endpoint in _OTHERS.items()}
        self._foreign = {
            prefix: {name: Rule(Route(endpoint, 0, costs), weight) for name, endpoint in _OTHERS.items()}
            for prefix, costs in tables.foreign.items()
        }
        self._readings = {spec.header: spec.name for spec in tables.limits if spec.header}
        self._lengths = frozenset(map(len, self._readings))
        self._specs = {(spec.name.split("_", 1)[0], spec.seconds): spec for spec in tables.limits}
        self.clock_request: Request | None = Request("GET", tables.clock_path, ())
        named = (route.endpoint for route in tables.routes.values())
        self.endpoints: Sequence[Endpoint] = tuple({e.name: e for e in (*named, OTHER_READ, OTHER)}.values())

    @property
    def name(self) -> str:
        """The name that the configuration uses."""
        return self._tables.name

    @property
    def probe(self) -> Request:
        """The broker's own test of connectivity ([doc] General endpoints, "Test Connectivity"); weight 1."""
        return Request("GET", self._tables.ping, ())

    @property
    def key_check(self) -> Request:
        """The account's own state: [doc] "USER_DATA", so that it takes a valid key, signature and address."""
        return Request("GET", self._tables.key_check, ())

    @property
    def limits(self) -> Sequence[LimitSpec]:
        """The documented limits; the account's own come with `exchangeInfo`."""
        return self._tables.limits

    def understand(self, request: Request) -> Intent:
        """What a request means; unknown paths are a read for GET and something that is never resent otherwise."""
        rule = self._rules.get((request.method, request.path))
        if rule is None:
            rule = self._unknown(request)
        return rule.fixed or rule.read(request)

    def _unknown(self, request: Request) -> Rule:
        rules = next((rules for prefix, rules in self._foreign.items() if request.path.startswith(prefix)), self._other)
        return rules["read" if request.method in _READS else "change"]

    def classify(self, intent: Intent, answer: Answer) -> Verdict:
        """How an attempt ended: the texts and codes that Binance documents first, the status last."""
        if 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
            return self._success(intent, answer)
        if answer.status == 304:  # noqa: PLR2004 - not modified: the read succeeded
            return OK
        return settled(self._failure(answer), intent.effect, answer.headers)

    def _success(self, intent: Intent, answer: Answer) -> Verdict:
        if intent.effect is Effect.READ:
            # What an unknown read answers is unknown too, and HEAD has no body.
            whole = intent.endpoint is OTHER_READ or looks_whole(answer)
            return OK if whole else Verdict(Outcome.TRANSIENT, "bad_answer")
        if answer.status == 204:  # noqa: PLR2004 - no content
            return OK
        said = json_of(answer)
        if said is Body.OPAQUE:
            return OK
        if isinstance(said, list):
            return self._batch([self._item(item, answer) for item in said], intent.effect)
        if isinstance(said, dict):
            return self._item(said, answer)
        return _UNREADABLE

    def _item(self, item: object, answer: Answer) -> Verdict:
        """The answer to one order. Success has no code, or a positive one: cancelling all answers 200."""
        if not isinstance(item, dict):
            return _UNREADABLE
        code, msg = _code_and_message(item)
        if code is None or code >= 0:
            return OK
        return self._by_code(code, msg, answer)

    def _by_code(self, code: int, msg: str, answer: Answer) -> Verdict:
        verdict = errors.by_code(self._tables.codes, code, msg, answer.status, answer.headers)
        return replace(verdict, limits=self._used_up(msg)) if code == errors.TOO_MANY_ORDERS else verdict

    def _used_up(self, msg: str) -> tuple[str, ...]:
        """Which order limit a -1015 means; where it does not say, any that ends soon."""
        seconds = errors.interval_of(msg)
        orders = {spec.seconds: spec.name for (kind, _), spec in self._specs.items() if kind == "orders"}
        if seconds in orders:
            return (orders[seconds],)
        return tuple(name for length, name in orders.items() if length <= _SOON_SECONDS)

    @staticmethod
    def _batch(verdicts: list[Verdict], effect: Effect) -> Verdict:
        """A batch is in doubt when one order is, and done when one is; only a whole failure is a failure."""
        if not verdicts:
            # Nothing to cancel is fine; orders of which nothing is said are not.
            return _UNREADABLE if effect is Effect.OPENS_RISK else OK
        first = verdicts[0]
        doubtful = next((verdict for verdict in verdicts if verdict.outcome is Outcome.UNKNOWN), None)
        if doubtful is not None:
            return doubtful
        if any(verdict.outcome is Outcome.OK for verdict in verdicts):
            return OK
        if all(verdict.outcome is first.outcome for verdict in verdicts):
            return first
        return replace(first, outcome=Outcome.REJECTED, reason="declined")

    def _failure(self, answer: Answer) -> Verdict:
        status, headers = answer.status, answer.headers
        code, msg = _code_and_message(error_of(answer))
        negative = code is not None and code < 0
        verdict = errors.by_text(msg or _plain_text(answer), status, str(code) if negative else "", headers)
        if verdict is not None and (self._tables.definite_5xx or verdict.outcome is not Outcome.TRANSIENT):
            return verdict
        if code is None or not negative:
            return errors.by_status(status, headers)
        verdict = self._by_code(code, msg, answer)
        if status < 500 or self._tables.definite_5xx or verdict.outcome in _WHATEVER_THE_STATUS:  # noqa: PLR2004 - HTTP's
            return verdict
        # [doc] spot, "HTTP Return Codes": a 5XX must not be taken for a failure; it could have been a success.
        return Verdict(Outcome.UNKNOWN, "server_error", str(code))

    def readings(self, headers: Headers) -> tuple[Reading, ...]:
        """What is used of each limit, by the `X-MBX-*` and `X-SAPI-*` headers."""
        found: tuple[Reading, ...] = ()
        lengths, names = self._lengths, self._readings
        for key, value in headers:
            if len(key) in lengths and (limit := names.get(key.lower())) and _is_count(value):
                found = (*found, Reading(limit, float(value)))
        return found

    def learn(self, intent: Intent, answer: Answer) -> Sequence[LimitSpec]:
        """The limits that `exchangeInfo` and `rateLimit/order` announce."""
        if intent.endpoint.name not in _ANNOUNCING or answer.status != 200:  # noqa: PLR2004 - HTTP's own number
            return ()
        learnt = (self._announced(item) for item in _announcement(answer))
        return tuple(spec for spec in learnt if spec is not None)

    def _announced(self, item: object) -> WindowSpec | None:
        if not isinstance(item, dict):
            return None
        kind = {"REQUEST_WEIGHT": "weight", "ORDERS": "orders"}.get(str(item.get("rateLimitType")))
        count, limit = item.get("intervalNum"), item.get("limit")
        if not isinstance(count, int) or not isinstance(limit, int) or not 0 < limit <= 10**_LONGEST_COUNT:
            return None
        seconds = _INTERVALS.get(str(item.get("interval")), 0) * min(count, 10**6)
        spec = self._specs.get((kind or "", seconds))
        return None if spec is None else replace(spec, capacity=float(limit))

    def refuse(self, refusal: Refusal) -> Answer:
        """The refusal as Binance would say it.

        The codes are chosen by what clients make of them. -1003 under 429 or 418 is back-pressure to all of them. -1001
        is the one definite failure that ccxt takes for a passing one (`OperationFailed`) whatever host it believes to
        talk to; -1008 becomes a plain `ExchangeError` once its URL is redirected. -1007 is `RequestTimeout` there, and
        the words of the ambiguous 503 are what other bots look for. No end of a ban is ever made up in the text.
        """
        status, reason, code = self._code_for(refusal.kind)
        told = sentence(refusal)
        if refusal.kind is RefusalKind.UNKNOWN:
            told = f"{_AMBIGUOUS_TEXT} {told}"
        return envelope(status, reason, {"code": code, "msg": told}, refusal)

    def _code_for(self, kind: RefusalKind) -> tuple[int, str, int]:
        match kind:
            case RefusalKind.RATE_LIMITED:
                return 429, "Too Many Requests", -1003
            case RefusalKind.BANNED:
                return 418, "I'm a teapot", -1003
            case RefusalKind.UNKNOWN:
                return 503, "Service Unavailable", -1007
            case RefusalKind.BAD_REQUEST:
                return 400, "Bad Request", -1130  # [doc] "Data sent for parameter %s is not valid."
            case RefusalKind.BAD_ANSWER:
                return 503, "Service Unavailable", -1001
            case _:
                status = self._tables.refused_status
                return status, "Service Unavailable" if status == 503 else "Failed Dependency", -1001  # noqa: PLR2004

    def facts(self, request: Request, answer: Answer | None) -> OrderFacts:
        """What the audit log keeps of this call."""
        return _binance_facts.facts(request, answer)

    def essence(self, request: Request) -> bytes:
        """Path and parameters without those that every signature renews, and the key, which names the account."""
        return joined(
            request.method.encode(),
            _bytes(request.path),
            without(_RENEWED, _bytes(request.query)),
            without(_RENEWED, request.body),
            header(request.headers, b"x-mbx-apikey") or b"",
        )

    def signer(self, keys: Keys) -> BinanceSigner:
        """Signs with HMAC-SHA256 or Ed25519. Raises ValueError for a private key that is no Ed25519 one."""
        return BinanceSigner(self._tables.routes, keys)

    def identified(self, request: Request, client_id: str) -> Request:
        """The request with this client order id, when it places a single order that has none."""
        return identified(request, client_id)

    def look(self, request: Request, intent: Intent, since: Callable[[], float], order_id: str = "") -> Look | None:  # noqa: ARG002 - the protocol's
        """A look at the one order that the request places or cancels."""
        return _binance_lookup.look(request, since)

    def gone(self, intent: Intent, verdict: Verdict) -> bool:
        """[doc] -2011 CANCEL_REJECTED: the order may have been filled."""
        return verdict.code == "-2011" and intent.endpoint.name in _CANCELS

    def told_time(self, intent: Intent, answer: Answer) -> float | None:
        """[doc] Check Server Time: `serverTime` in milliseconds."""
        if intent.endpoint.name != "server_time" or answer.status != 200:  # noqa: PLR2004 - HTTP's own number
            return None
        said = json_of(answer, 1024)
        told = said.get("serverTime") if isinstance(said, dict) else None
        return told / 1000 if isinstance(told, int) and 0 < told < _LATEST_MS else None

    def lane(self, request: Request) -> Lane:
        """The symbol; a key has only one account."""
        return _binance_orders.lane(request)

    def unsigned(self, request: Request) -> Request:
        """The request without key, timestamp and signature."""
        return _binance_orders.unsigned(request)

    def express(self, terms: OrderTerms) -> Request:
        """The unsigned order, in a form body. Raises Inexpressible."""
        return _binance_orders.express(self._tables.dialect, terms)

    def at_market(self, request: Request) -> bool:
        """Whether its `type` is MARKET."""
        return self.facts(request, None).request.get("type", "").upper() == "MARKET"

    def named(self, request: Request) -> Sequence[str]:
        """The client ids, one or a list of them, in the query or the body."""
        return _binance_orders.mentioned(request)

    def fit(self, request: Request) -> Fit | None:  # noqa: ARG002 - the protocol's signature
        """Nothing has to be asked."""
        return None

    def cancellation(self, request: Request, order_id: str = "") -> Request | None:  # noqa: ARG002 - the protocol's signature
        """The cancel of the single order that the request places."""
        return _binance_orders.cancellation(request)

    def progress(self, request: Request, answer: Answer) -> Progress | None:
        """How far the single order is that the request places or cancels."""
        intent = self.understand(request)
        return _binance_progress.progress(intent.endpoint.name, self.classify(intent, answer), answer)

    def price_request(self, terms: OrderTerms) -> Request:
        """The best bid and ask of the symbol."""
        return _binance_orders.price_request(self._tables.dialect, terms)

    def told_price(self, terms: OrderTerms, answer: Answer) -> Decimal | None:
        """The best ask for a buy, the best bid for a sell."""
        return _binance_orders.told_price(terms, answer)


_OTHERS: Final = {"read": OTHER_READ, "change": OTHER}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _is_count(value: bytes) -> bool:
    return value.isdigit() and len(value) <= _LONGEST_COUNT


def _code_and_message(said: object) -> tuple[int | None, str]:
    """Error code and message of a JSON object."""
    if not isinstance(said, dict):
        return None, ""
    msg = said.get("msg")
    return _code(said.get("code")), msg if isinstance(msg, str) else ""


def _code(told: object) -> int | None:
    """[seen] Some interfaces write the code as a string."""
    if isinstance(told, str) and len(told) <= _LONGEST_COUNT and told.isascii() and told.removeprefix("-").isdigit():
        return int(told)
    return told if isinstance(told, int) and told.bit_length() < 64 else None  # noqa: PLR2004 - a machine word


def _plain_text(answer: Answer) -> str:
    return answer.content(1024)[:1024].decode("latin-1")


def _announcement(answer: Answer) -> list[object]:
    """The list of limits: the whole answer, or its `rateLimits`, which holds no list itself."""
    text = answer.content(_ANNOUNCEMENT_BYTES)[:_ANNOUNCEMENT_BYTES]
    at = max(0, text.find(b'"rateLimits"'))
    start = text.find(b"[", at)
    end = text.find(b"]", start)
    found = parsed(text[start : end + 1]) if 0 <= start < end else None
    return found if isinstance(found, list) else []
