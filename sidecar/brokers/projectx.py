"""ProjectX gateway (`https://api.topstepx.com` and the other firms' hosts): futures for evaluation and funded accounts.

[doc] https://gateway.docs.projectx.com. The hubs of its streams speak SignalR and are connected to directly; their URLs
carry the token.
"""

from collections.abc import Callable, Sequence
from typing import Final

from sidecar.brokers import (
    _projectx_answers,
    _projectx_closing,
    _projectx_keys,
    _projectx_lookup,
    _projectx_orders,
    _projectx_positions,
)
from sidecar.brokers._essence import everything
from sidecar.brokers._projectx_endpoints import ENDPOINTS, client_id_of, fields_of, rule_of
from sidecar.brokers._refusals import envelope, sentence
from sidecar.brokers._silent import Silent
from sidecar.brokers.limits import BucketSpec, LimitSpec
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
from sidecar.wire import Answer, Request
from sidecar.words import RefusalKind

LIMITS: Final[tuple[LimitSpec, ...]] = (
    # [doc] "Rate Limits": 200 requests in 60 seconds; fixed or sliding is not said. In any 60 seconds a bucket lets
    # through burst + 60 * rate = 200. History has a limit of its own and is counted here too, to be on the safe side.
    BucketSpec("global", rate=2.5, burst=50),
    # [doc] retrieveBars: 50 in 30 seconds, of which an older edition of the page allowed 30.
    BucketSpec("history", rate=1, burst=20, group="pricing"),
)
NOT_SENT_CODE: Final = -1
"""No endpoint has such an error code: every one that exists would mean something else elsewhere."""


class ProjectX(Silent):
    """The REST gateway: bearer tokens of 24 hours, HTTP 200 for a business no, codes that each endpoint counts anew."""

    name: str = "projectx"
    limits: Sequence[LimitSpec] = LIMITS
    endpoints: Sequence[Endpoint] = ENDPOINTS
    probe: Request = Request("GET", "/api/Status/ping", ())
    key_check: Request | None = None  # the login itself tells

    def understand(self, request: Request) -> Intent:
        """What a request means, by its path; an order's tag is its client id."""
        intent = rule_of(request).intent
        if intent.endpoint.name != "place_order":
            return intent
        client_id = client_id_of(fields_of(request.body))
        return Intent(intent.endpoint, intent.effect, intent.priority, client_id=client_id) if client_id else intent

    def classify(self, intent: Intent, answer: Answer) -> Verdict:
        """How an attempt ended."""
        return _projectx_answers.verdict_of(intent, answer)

    def refuse(self, refusal: Refusal) -> Answer:
        """The refusal in ProjectX's envelope.

        [ran] project-x-py takes 401, 429 and 503 to an order for "perhaps executed", and a `success: false` to a read
        for an empty list. So what was not sent is 424: to it a definite failure of both, and to nobody a resend.
        """
        told = sentence(refusal)
        match refusal.kind:
            case RefusalKind.UNKNOWN:
                status, reason = 504, "Gateway Timeout"
            case RefusalKind.BAD_ANSWER:
                status, reason = 502, "Bad Gateway"
            case RefusalKind.BAD_REQUEST:
                status, reason = 400, "Bad Request"
            case _:
                status, reason = 424, "Failed Dependency"
        # project-x-py shows `message` to people, and of the gateway's own fields none.
        payload = {"success": False, "errorCode": NOT_SENT_CODE, "errorMessage": told, "message": told}
        return envelope(status, reason, payload, refusal)

    def facts(self, request: Request, answer: Answer | None) -> OrderFacts:
        """What the audit log keeps of this call."""
        return _projectx_answers.facts(request, answer)

    def essence(self, request: Request) -> bytes:
        """The request as it is: nothing in path and body is renewed, and the body names the account."""
        return everything(request)

    def signer(self, keys: Keys) -> _projectx_keys.ProjectXSigner | None:
        """Shows the token; None before a login has brought one."""
        return _projectx_keys.ProjectXSigner(keys.token) if keys.token else None

    def login(self, keys: Keys) -> _projectx_keys.ProjectXLogin:
        """Logs in with the user's name and API key."""
        return _projectx_keys.ProjectXLogin(keys)

    def identified(self, request: Request, client_id: str) -> Request:
        """The request with `customTag`, when it places an order that has none."""
        places = rule_of(request).endpoint.name == "place_order"
        return _projectx_keys.identified(request, client_id) if places else request

    def look(self, request: Request, intent: Intent, since: Callable[[], float], order_id: str = "") -> Look | None:
        """A look at the order that the request places or cancels; the bot's own token opens it."""
        return _projectx_lookup.look(request, intent, since, order_id)

    def gone(self, intent: Intent, verdict: Verdict) -> bool:
        """Whether a cancel came too late: the order may have been filled."""
        return _projectx_answers.gone(intent, verdict)

    def lane(self, request: Request) -> Lane:
        """The account and the contract that the body names."""
        return _projectx_orders.lane(request)

    def unsigned(self, request: Request) -> Request:
        """The request without its token."""
        return _projectx_keys.unsigned(request)

    def express(self, terms: OrderTerms) -> Request:
        """The unsigned request that places this order. Raises Inexpressible."""
        return _projectx_orders.express(terms)

    def at_market(self, request: Request) -> bool:
        """Whether its `type` is Market, or it closes a position."""
        return _projectx_orders.at_market(request)

    def fit(self, request: Request) -> Fit | None:
        """Before a position is closed: what the account holds of it now."""
        return _projectx_closing.fit(request)

    def cancellation(self, request: Request, order_id: str = "") -> Request | None:
        """[doc] The cancel by the number that the broker gave the order: its tag names it nowhere."""
        return _projectx_orders.cancellation(request, order_id)

    def progress(self, request: Request, answer: Answer) -> Progress | None:
        """What the answer to placing or cancelling an order says of it."""
        return _projectx_answers.progress(request, answer)

    def positions(self) -> Positions:
        """Asks for the positions of every active account of the user."""
        return _projectx_positions.positions()

    def closing(self, position: Position, client_id: str) -> Request:  # noqa: ARG002 - the protocol's signature
        """Closes all of the contract's position; no client id goes with it."""
        return _projectx_positions.closing(position)
