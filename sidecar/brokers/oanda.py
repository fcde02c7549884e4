"""OANDA v20 (`https://api-fxtrade.oanda.com`, streams on `https://stream-fxtrade.oanda.com`)."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from sidecar.brokers import (
    _oanda_answers,
    _oanda_lookup,
    _oanda_orders,
    _oanda_positions,
    _oanda_progress,
    _oanda_stream,
)
from sidecar.brokers._answers import OK, looks_whole, settled
from sidecar.brokers._essence import everything
from sidecar.brokers._oanda_endpoints import OTHER, OTHER_READ, ROUTES, UNKNOWN_CHANGE, UNKNOWN_READ, Rule
from sidecar.brokers._oanda_keys import OandaSigner, identified
from sidecar.brokers._paths import PathTree
from sidecar.brokers._refusals import envelope, sentence
from sidecar.brokers.groups import Group
from sidecar.brokers.limits import BucketSpec, LimitSpec, Reading
from sidecar.brokers.positions import Position, Positions
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
from sidecar.brokers.streams import OrderStream
from sidecar.wire import Answer, Headers, Request
from sidecar.words import Effect, Outcome, RefusalKind

_NO_SUCH_ORDER: Final = frozenset({"ORDER_DOESNT_EXIST", "NO_SUCH_ORDER"})
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

LIMITS: Final[tuple[LimitSpec, ...]] = (
    # [doc] "Best Practices": 120 requests a second are refused with 429, 100 are recommended. A bucket lets at most
    # burst + rate through in any one second: 20 + 100 = 120.
    BucketSpec("global", rate=100, burst=20),
    # Shares of it by group. None can pass more than the global bucket does, so their bursts only keep one group from
    # using up the common burst.
    BucketSpec("pricing", rate=200, burst=20, group="pricing"),
    BucketSpec("orders", rate=100, burst=20, group="orders"),
    BucketSpec("transactions", rate=50, burst=10, group="transactions"),
    BucketSpec("accounts", rate=30, burst=6, group="accounts"),
    # [doc] Two new connections a second: a burst of streams waits here, though the rate itself is more generous.
    BucketSpec("streaming", rate=10, burst=2, group="streaming"),
)


class Oanda:
    """The v20 REST interface: bearer tokens, which do not perish, and no header that tells what is used."""

    name: str = "oanda"
    retry_preset: str = "standard"
    limits: Sequence[LimitSpec] = LIMITS
    clock_request: Request | None = None
    lookups_need_keys: bool = False
    probe: Request = Request("GET", "/v3/accounts", ())
    """The account list; without a token it is answered with 401, which tells as well that the broker is there."""
    key_check: Request | None = probe
    """[doc] It lists the accounts that the token is authorised for."""
    covers_parts: bool = True
    """What a fill opens is protected by the fill itself, whether it is all that was ordered or a part."""
    locks_exits: bool = False

    def __init__(self) -> None:
        self._tree: PathTree[Rule] = PathTree()
        for method, pattern, rule in ROUTES:
            self._tree.add(method, pattern, rule)
        named = (rule.intent.endpoint for _, _, rule in ROUTES)
        self.endpoints: Sequence[Endpoint] = tuple({e.name: e for e in (*named, OTHER_READ, OTHER)}.values())

    def understand(self, request: Request) -> Intent:
        """What a request means, by its path; order bodies tell whether they can only reduce a position."""
        segments = request.path.split("/")
        rule = self._tree.find(request.method, segments)
        if rule is None:
            # [doc] v20 changes things by POST, PUT and PATCH alone.
            rule = UNKNOWN_READ if request.method in _READS else UNKNOWN_CHANGE
        return rule.intent if rule.narrow is None else rule.narrow(rule.intent, request, segments)

    def classify(self, intent: Intent, answer: Answer) -> Verdict:
        """How an attempt ended."""
        status = answer.status
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
            return OK if status == 304 else settled(_oanda_answers.failure(answer), intent.effect, answer.headers)  # noqa: PLR2004
        if intent.effect is not Effect.READ:
            return _oanda_answers.success(intent.endpoint.name, answer)
        if intent.endpoint.stream or intent.endpoint is OTHER_READ or looks_whole(answer):
            return OK
        return Verdict(Outcome.TRANSIENT, "bad_answer")

    def readings(self, headers: Headers) -> Sequence[Reading]:  # noqa: ARG002 - the protocol's signature
        """Nothing: OANDA tells nothing about its limits."""
        return ()

    def learn(self, intent: Intent, answer: Answer) -> Sequence[LimitSpec]:  # noqa: ARG002 - the protocol's signature
        """Nothing: OANDA announces no limits."""
        return ()

    def refuse(self, refusal: Refusal) -> Answer:
        """The refusal in OANDA's error envelope; only an unknown outcome comes as 504, which is OANDA's own for it."""
        told = sentence(refusal)
        match refusal.kind:
            case RefusalKind.RATE_LIMITED | RefusalKind.BANNED:
                status, reason = 429, "Too Many Requests"
            case RefusalKind.BAD_REQUEST:
                status, reason = 400, "Bad Request"
            case RefusalKind.BAD_ANSWER:
                status, reason = 502, "Bad Gateway"
            case RefusalKind.UNKNOWN:
                status, reason = 504, "Gateway Timeout"
                told = f"Timeout waiting for response. {told}"
            case _:
                status, reason = 503, "Service Unavailable"
        return envelope(status, reason, {"errorMessage": told}, refusal)

    def facts(self, request: Request, answer: Answer | None) -> OrderFacts:
        """What the audit log keeps of this call."""
        return _oanda_answers.facts(request, answer, request.path.split("/"))

    def essence(self, request: Request) -> bytes:
        """The request as it is: nothing in it is renewed, and its path names the account."""
        return everything(request)

    def signer(self, keys: Keys) -> OandaSigner:
        """Shows the bearer token."""
        return OandaSigner(keys.token)

    def identified(self, request: Request, client_id: str) -> Request:
        """The request with `clientExtensions.id`, when it places an order that has none."""
        return identified(request, client_id) if self.understand(request).endpoint.name == "place_order" else request

    def look(self, request: Request, intent: Intent, since: Callable[[], float], order_id: str = "") -> Look | None:  # noqa: ARG002 - the protocol's
        """A look at the order that the request places or cancels; the bot's own token opens it."""
        return _oanda_lookup.look(request, intent, since)

    def gone(self, intent: Intent, verdict: Verdict) -> bool:
        """[doc] ORDER_DOESNT_EXIST: the order may have been filled."""
        return verdict.code in _NO_SUCH_ORDER and intent.endpoint.name == "cancel_order"

    def told_time(self, intent: Intent, answer: Answer) -> float | None:  # noqa: ARG002 - the protocol's signature
        """Nothing: OANDA has no endpoint for its time."""
        return None

    def lane(self, request: Request) -> Lane:
        """The account in the path, and the instrument that the order or the closed position is in."""
        return _oanda_orders.lane(request)

    def unsigned(self, request: Request) -> Request:
        """The request without its token."""
        return _oanda_orders.unsigned(request)

    def express(self, terms: OrderTerms) -> Request:
        """The order as JSON, without a token. Raises Inexpressible."""
        return _oanda_orders.express(terms)

    def express_group(self, group: Group) -> Request:
        """The entry with its stop and target on fill. Raises Inexpressible."""
        return _oanda_orders.express_group(group)

    def companion(self, request: Request, terms: OrderTerms, broker_order_id: str) -> Request:  # noqa: ARG002 - the protocol's
        """What stands for the stop or the target: each has a client id of its own."""
        return _oanda_orders.companion(terms)

    def booked(self, answer: Answer) -> Decimal | None:  # noqa: ARG002 - the protocol's signature
        """Nothing: a stop or target closes the whole trade."""
        return None

    def at_market(self, request: Request) -> bool:
        """Whether its `type` is MARKET."""
        return self.facts(request, None).request.get("type", "").upper() == "MARKET"

    def named(self, request: Request) -> Sequence[str]:
        """The client id after the `@` of the path."""
        return _oanda_orders.mentioned(request)

    def fit(self, request: Request) -> Fit | None:  # noqa: ARG002 - the protocol's signature
        """Nothing has to be asked."""
        return None

    def cancellation(self, request: Request, order_id: str = "") -> Request | None:  # noqa: ARG002 - the protocol's signature
        """The cancel of the order that the request places."""
        return _oanda_orders.cancellation(request, self.understand(request))

    def progress(self, request: Request, answer: Answer) -> Progress | None:
        """How far the order is that the request places or cancels; so for orders that close a trade or a position."""
        intent = self.understand(request)
        return _oanda_progress.progress(intent.endpoint.name, self.classify(intent, answer), answer)

    def order_stream(self, account: str) -> OrderStream:
        """The account's transactions, as they happen."""
        return _oanda_stream.order_stream(account)

    def price_request(self, terms: OrderTerms) -> Request | None:
        """The prices of the instrument, which OANDA tells to an account only."""
        return _oanda_orders.price_request(terms)

    def told_price(self, terms: OrderTerms, answer: Answer) -> Decimal | None:
        """The best ask for a buy, the best bid for a sell."""
        return _oanda_orders.told_price(terms, answer)

    def positions(self) -> Positions:
        """Asks for the positions of every account that the token opens."""
        return _oanda_positions.positions()

    def closing(self, position: Position, client_id: str) -> Request:
        """A market order that can only reduce the position."""
        return _oanda_positions.closing(position, client_id)
