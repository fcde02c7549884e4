"""A broker without a profile of its own: endpoints, header names and statuses come from the configuration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from sidecar.brokers._answers import OK, number, settled, waiting
from sidecar.brokers._essence import everything, joined
from sidecar.brokers._paths import PathTree
from sidecar.brokers._rate_limit_headers import told_by
from sidecar.brokers._refusals import envelope, sentence
from sidecar.brokers.limits import LimitSpec, Reading, Scope, WindowSpec
from sidecar.brokers.profile import (
    Endpoint,
    Fit,
    Inexpressible,
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
from sidecar.brokers.times import unix_time
from sidecar.wire import Answer, Headers, Request, header
from sidecar.words import Effect, Outcome, Priority, RefusalKind

REQUESTS: Final = "requests"
"""The one window that a generic broker has."""
_UNTOLD_CAPACITY: Final = 1_000_000.0
"""What the window holds until a header or the configuration tells more: nothing is held back on a guess."""
_UNTOLD_SECONDS: Final = 60.0
"""How long it is unless `limits.windows.requests.seconds` says so; a reset that the broker tells ends it early."""
_MILLISECONDS_FROM: Final = 1e11
"""From here on a reset is told in Unix milliseconds: as seconds it would lie beyond the year 5000."""
_UNIX_FROM: Final = 1e9
"""From here on a reset is a Unix time; below, seconds from now."""

_OTHER_READ: Final = Endpoint("other_read", "accounts", Effect.READ, Priority.ACCOUNT)
_OTHER: Final = Endpoint("other", "accounts", Effect.OTHER, Priority.ORDER, "account_changed")
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_DECLINED_STATUSES: Final = frozenset({400, 402, 404, 409, 422})


@dataclass(frozen=True, slots=True)
class HeaderNames:
    """Header names, in lower case, by which a broker tells its limit; empty where it tells nothing."""

    used: bytes = b""
    remaining: bytes = b""
    limit: bytes = b""
    reset: bytes = b""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the configuration tells about the broker."""

    routes: Sequence[tuple[str, str, Endpoint, float]] = ()
    """Method, path pattern, endpoint, cost."""
    headers: HeaderNames = HeaderNames()
    probe: str = ""
    """Path of a cheap read; empty when none is known."""
    statuses: Mapping[int, tuple[Outcome, str]] = field(default_factory=dict)
    """Outcome and reason of the statuses that have a meaning of their own."""


class Generic:
    """A broker that is known by its configuration alone."""

    name: str = "generic"
    retry_preset: str = "standard"
    clock_request: Request | None = None
    key_check: Request | None = None
    lookups_need_keys: bool = True
    limits: Sequence[LimitSpec] = (WindowSpec(REQUESTS, _UNTOLD_CAPACITY, _UNTOLD_SECONDS, Scope.ACCOUNT),)

    def __init__(self, knowledge: Knowledge) -> None:
        self.probe = Request("GET", knowledge.probe, ()) if knowledge.probe else None
        self._statuses = knowledge.statuses
        self._names = names = knowledge.headers
        configured = {names.used, names.remaining, names.limit, names.reset} - {b""}
        self._wanted = configured | {b"ratelimit", b"ratelimit-policy", b"date"}
        self._tree: PathTree[Intent] = PathTree()
        for method, pattern, endpoint, cost in knowledge.routes:
            self._tree.add(method, pattern, _intent(endpoint, cost))
        named = (endpoint for _, _, endpoint, _ in knowledge.routes)
        self.endpoints: Sequence[Endpoint] = tuple({e.name: e for e in (_OTHER_READ, _OTHER, *named)}.values())
        self._other_read = _intent(_OTHER_READ, 1)
        self._other = _intent(_OTHER, 1)

    def understand(self, request: Request) -> Intent:
        """What a request means, by the configured patterns."""
        found = self._tree.find(request.method, request.path.split("/"))
        if found is None:
            return self._other_read if request.method in _READS else self._other
        return found

    def classify(self, intent: Intent, answer: Answer) -> Verdict:
        """How an attempt ended, by the status alone: what the body says is not known."""
        configured = self._statuses.get(answer.status)
        if configured is not None:
            return Verdict(*configured, "", *waiting(answer.headers))
        return settled(_by_status(answer.status), intent.effect, answer.headers)

    def readings(self, headers: Headers) -> tuple[Reading, ...]:
        """What the configured headers tell, or else the IETF's `RateLimit` fields."""
        wanted = self._wanted
        found: dict[bytes, bytes] = {}
        for key, value in headers:
            name = key.lower()
            if name in wanted:
                found.setdefault(name, value)
        return (self._configured(found) or _standard(found)) if found else ()

    def _configured(self, found: Mapping[bytes, bytes]) -> tuple[Reading, ...]:
        names = self._names
        used, capacity = _count(found.get(names.used)), _count(found.get(names.limit))
        remaining = _count(found.get(names.remaining))
        if used is None and remaining is not None and capacity is not None:
            used = max(0.0, capacity - remaining)
        if used is None and capacity is None:
            return ()
        resets_at = _reset_time(_count(found.get(names.reset)), found.get(b"date"))
        return (Reading(REQUESTS, used, capacity or None, resets_at),)

    def learn(self, intent: Intent, answer: Answer) -> Sequence[LimitSpec]:  # noqa: ARG002 - the protocol's signature
        """The window that `RateLimit-Policy` announces; configured headers tell no window's length."""
        policy = header(answer.headers, b"ratelimit-policy")
        if policy is None:
            return ()
        told = told_by(header(answer.headers, b"ratelimit") or b"", policy)
        if told.capacity is None or told.window is None:
            return ()
        return (WindowSpec(REQUESTS, told.capacity, told.window, Scope.ACCOUNT),)

    def refuse(self, refusal: Refusal) -> Answer:
        """The refusal as a problem document (RFC 9457); only an unknown outcome comes as 504."""
        status = _REFUSED_AS.get(refusal.kind, HTTPStatus.SERVICE_UNAVAILABLE)
        problem = {
            "type": f"urn:broker-sidecar:{refusal.kind}",
            "title": refusal.kind.replace("_", " "),
            "status": int(status),
            "detail": sentence(refusal),
        }
        return envelope(status, status.phrase, problem, refusal, b"application/problem+json")

    def facts(self, request: Request, answer: Answer | None) -> OrderFacts:  # noqa: ARG002 - the protocol's signature
        """Nothing beyond the call itself: which fields would be safe to keep is not known."""
        return OrderFacts()

    def essence(self, request: Request) -> bytes:
        """The request as it is, since what may be renewed in it is not known, and who asks."""
        return joined(everything(request), header(request.headers, b"authorization") or b"")

    def signer(self, keys: Keys) -> None:
        """Nothing: how this broker wants to be signed to is not known."""

    def identified(self, request: Request, client_id: str) -> Request:  # noqa: ARG002 - the protocol's signature
        """The very request: where an id would go is not known."""
        return request

    def look(self, request: Request, intent: Intent, since: Callable[[], float], order_id: str = "") -> Look | None:  # noqa: ARG002 - the protocol's
        """Nothing: how its orders are looked up is not known."""
        return None

    def gone(self, intent: Intent, verdict: Verdict) -> bool:  # noqa: ARG002 - the protocol's signature
        """Never: what its codes mean is not known."""
        return False

    def told_time(self, intent: Intent, answer: Answer) -> float | None:  # noqa: ARG002 - the protocol's signature
        """Nothing: how it tells its time is not known."""
        return None

    def lane(self, request: Request) -> Lane:  # noqa: ARG002 - the protocol's signature
        """Nothing: where it names account and instrument is not known."""
        return Lane("", "")

    def unsigned(self, request: Request) -> Request:
        """Method and path alone: which of the rest is secret is not known, and it could not be signed again."""
        return Request(request.method, request.path, ())

    def express(self, terms: OrderTerms) -> Request:  # noqa: ARG002 - the protocol's signature
        """Nothing can be expressed: how this broker takes orders is not known."""
        raise Inexpressible(
            "the sidecar cannot carry orders to a broker with the profile `generic`, because it knows neither its "
            "words nor its signatures: let the bot send the order itself, or use the broker's own profile"
        )

    def at_market(self, request: Request) -> bool:  # noqa: ARG002 - the protocol's signature
        """No: which orders trade at once is not known."""
        return False

    def named(self, request: Request) -> Sequence[str]:  # noqa: ARG002 - the protocol's signature
        """Nothing: where it names orders is not known."""
        return ()

    def fit(self, request: Request) -> Fit | None:  # noqa: ARG002 - the protocol's signature
        """Nothing can be asked."""
        return None

    def cancellation(self, request: Request, order_id: str = "") -> Request | None:  # noqa: ARG002 - the protocol's signature
        """Nothing: how its orders are cancelled is not known."""
        return None

    def progress(self, request: Request, answer: Answer) -> Progress | None:  # noqa: ARG002 - the protocol's signature
        """Nothing: how it tells of its orders is not known."""
        return None

    def price_request(self, terms: OrderTerms) -> Request | None:  # noqa: ARG002 - the protocol's signature
        """Nothing: how it tells its prices is not known."""
        return None

    def told_price(self, terms: OrderTerms, answer: Answer) -> Decimal | None:  # noqa: ARG002 - the protocol's signature
        """Nothing: how it tells its prices is not known."""
        return None


_REFUSED_AS: Final = {
    RefusalKind.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    RefusalKind.BANNED: HTTPStatus.TOO_MANY_REQUESTS,
    RefusalKind.UNKNOWN: HTTPStatus.GATEWAY_TIMEOUT,
    RefusalKind.BAD_ANSWER: HTTPStatus.BAD_GATEWAY,
    RefusalKind.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
}


def _intent(endpoint: Endpoint, cost: float) -> Intent:
    return Intent(endpoint, endpoint.effect, endpoint.priority, ((REQUESTS, cost),) if cost else ())


def _by_status(status: int) -> Verdict:
    match status:
        case _ if 200 <= status < 300 or status == 304:  # noqa: PLR2004 - HTTP's own numbers
            return OK
        case 401 | 403 | 407:
            return Verdict(Outcome.FATAL, "auth")
        case 408 | 504:
            return Verdict(Outcome.UNKNOWN, "timeout")
        case _ if status >= 500:  # noqa: PLR2004 - HTTP's own number
            return Verdict(Outcome.UNKNOWN, "server_error")
        case _ if status in _DECLINED_STATUSES:
            return Verdict(Outcome.REJECTED, "declined")
        case _:
            return Verdict(Outcome.FATAL, "bad_request")


def _count(text: bytes | None) -> float | None:
    found = None if text is None else number(text)
    return found if found is not None and found >= 0 else None


def _reset_time(told: float | None, date: bytes | None) -> float | None:
    """A reset as Unix seconds; seconds from now are counted from the answer's own `Date`."""
    if told is None:
        return None
    if told >= _MILLISECONDS_FROM:
        return told / 1000
    if told >= _UNIX_FROM:
        return told
    now = unix_time(date) if date else None
    return None if now is None else now + told


def _standard(found: Mapping[bytes, bytes]) -> tuple[Reading, ...]:
    told = told_by(found.get(b"ratelimit", b""), found.get(b"ratelimit-policy", b""))
    if told.remaining is None or told.capacity is None:
        return ()
    used = max(0.0, told.capacity - told.remaining)
    return (Reading(REQUESTS, used, told.capacity, _reset_time(told.resets_in, found.get(b"date"))),)
