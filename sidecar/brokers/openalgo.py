"""OpenAlgo (`http://127.0.0.1:5000`): one API in front of Zerodha and some thirty other brokers.

Orders bear no client id here. One whose answer was lost cannot be asked for, and sending it again would be a new order;
so it is told as unknown, and never resent. That goes for smart orders, too: the position by which the second would be
measured need not show the first one yet, and one with the target 0 opens `quantity` as soon as the book is flat.

[doc] is OpenAlgo's `docs/api`; [source] its server.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from sidecar.brokers import _openalgo_answers, _openalgo_body, _openalgo_orders
from sidecar.brokers._answers import OK, settled
from sidecar.brokers._openalgo_endpoints import OTHER, OTHER_READ, ROUTES, UNKNOWN_CHANGE, UNKNOWN_READ, Rule
from sidecar.brokers._openalgo_keys import OpenAlgoSigner
from sidecar.brokers._paths import PathTree
from sidecar.brokers._refusals import envelope, sentence
from sidecar.brokers._silent import Silent
from sidecar.brokers.limits import BucketSpec, LimitSpec, Scope
from sidecar.brokers.profile import (
    Endpoint,
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
from sidecar.wire import Answer, Request
from sidecar.words import Effect, RefusalKind

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

LIMITS: Final[tuple[LimitSpec, ...]] = (
    # [doc] "Rate Limiting": 50, 10 and 10 a second for one address, in windows that move. A bucket lets at most
    # burst + rate through in any one second.
    BucketSpec("global", rate=40, burst=10, scope=Scope.ADDRESS),
    # Bulk cancels, closes, baskets and splits count among the 50 there, and among these here: each becomes orders.
    BucketSpec("orders", rate=6, burst=4, scope=Scope.ADDRESS, group="orders"),
    BucketSpec("smart_orders", rate=6, burst=4, scope=Scope.ADDRESS, group="smart_orders"),
)


class OpenAlgo(Silent):
    """The REST interface: a key in each body, no client ids, and no header that tells what is used."""

    name: str = "openalgo"
    limits: Sequence[LimitSpec] = LIMITS
    probe: Request = Request("POST", "/api/v1/ping", _openalgo_body.JSON, b"{}")
    """[source] Without a key it is answered with 400; that tells as well that OpenAlgo is there."""
    key_check: Request | None = Request("POST", "/api/v1/funds", _openalgo_body.JSON, b"{}")
    """[doc] "Funds" asks the broker behind OpenAlgo, so that it tells as well whether the login there still holds."""

    def __init__(self) -> None:
        self._tree: PathTree[Rule] = PathTree()
        for method, pattern, rule in ROUTES:
            self._tree.add(method, pattern, rule)
        named = (rule.intent.endpoint for _, _, rule in ROUTES)
        self.endpoints: Sequence[Endpoint] = tuple({e.name: e for e in (*named, OTHER_READ, OTHER)}.values())

    def understand(self, request: Request) -> Intent:
        """What a request means, by its path; [source] with or without a slash at its end."""
        rule = self._tree.find(request.method, request.path.removesuffix("/").split("/"))
        if rule is None:
            rule = UNKNOWN_READ if request.method in _READS else UNKNOWN_CHANGE
        return rule.intent if rule.narrow is None else rule.narrow(rule.intent, request)

    def classify(self, intent: Intent, answer: Answer) -> Verdict:
        """How an attempt ended."""
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
            return settled(_openalgo_answers.failure(intent.effect, answer), intent.effect, answer.headers)
        if intent.effect is Effect.READ:
            return _openalgo_answers.read(intent.endpoint, answer)
        if intent.endpoint is OTHER:
            return OK
        return _openalgo_answers.success(intent.endpoint.name, answer)

    def refuse(self, refusal: Refusal) -> Answer:
        """The refusal in OpenAlgo's error envelope.

        A 5xx on an order leaves open at OpenAlgo whether it was executed, so none but an unknown outcome, and a read
        whose answer was spoilt, come as one.
        """
        match refusal.kind:
            case RefusalKind.RATE_LIMITED | RefusalKind.BANNED:
                status, reason = 429, "Too Many Requests"
            case RefusalKind.BAD_REQUEST:
                status, reason = 400, "Bad Request"
            case RefusalKind.BAD_ANSWER:
                status, reason = 502, "Bad Gateway"
            case RefusalKind.UNKNOWN:
                status, reason = 504, "Gateway Timeout"
            case _:
                status, reason = 424, "Failed Dependency"
        return envelope(status, reason, {"status": "error", "message": sentence(refusal)}, refusal)

    def facts(self, request: Request, answer: Answer | None) -> OrderFacts:
        """What the audit log keeps of this call."""
        return _openalgo_answers.facts(request, answer)

    def essence(self, request: Request) -> bytes:
        """Path and fields, and a digest of the key, which names the account."""
        return _openalgo_body.essence(request)

    def signer(self, keys: Keys) -> OpenAlgoSigner:
        """Writes the API key into the body."""
        return OpenAlgoSigner(keys.key)

    def identified(self, request: Request, client_id: str) -> Request:  # noqa: ARG002 - the protocol's signature
        """The very request: orders have no place for an id."""
        return request

    def look(self, request: Request, intent: Intent, since: Callable[[], float], order_id: str = "") -> Look | None:  # noqa: ARG002 - the protocol's
        """A look at the order that a cancel names, or at a placed one whose id is known; None for any other."""
        return _openalgo_orders.look(request, intent.endpoint.name, order_id)

    def gone(self, intent: Intent, verdict: Verdict) -> bool:
        """Whether a cancel was declined, for whatever reason: the order may have been filled."""
        return _openalgo_orders.gone(intent, verdict.outcome)

    def lane(self, request: Request) -> Lane:
        """The instrument as `NSE:SBIN`, with its product where that is not `MIS`; a key has one account."""
        return _openalgo_orders.lane(request)

    def unsigned(self, request: Request) -> Request:
        """The request without the key."""
        return _openalgo_body.unsigned(request)

    def express(self, terms: OrderTerms) -> Request:
        """The order for `placeorder`; its client id stays behind, so that one in doubt can only be told."""
        return _openalgo_orders.express(terms)

    def at_market(self, request: Request) -> bool:
        """Whether its `pricetype` is MARKET."""
        return _openalgo_orders.at_market(request)

    def cancellation(self, request: Request, order_id: str = "") -> Request | None:
        """The cancel by the id that the answer told; None without one."""
        return _openalgo_orders.cancellation(self.understand(request).endpoint.name, order_id)

    def progress(self, request: Request, answer: Answer) -> Progress | None:
        """What the answer says of the order."""
        intent = self.understand(request)
        outcome = self.classify(intent, answer).outcome
        return _openalgo_orders.progress(intent.endpoint.name, request, answer, outcome)

    def price_request(self, terms: OrderTerms) -> Request | None:
        """The instrument's quote."""
        return _openalgo_orders.price_request(terms)

    def told_price(self, terms: OrderTerms, answer: Answer) -> Decimal | None:
        """The ask or the bid of the quote; None where nobody offers."""
        return _openalgo_orders.told_price(terms, answer)
