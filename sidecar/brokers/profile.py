"""What a profile is: everything that is known about one kind of broker, as data and pure functions.

A profile never touches the network and keeps no state. The call path asks it four questions: what does this request
mean (`understand`), how did this attempt end (`classify`), what do these headers say about the limits (`readings`), and
how would this broker itself say no (`refuse`). Of the orders that the sidecar carries itself, it tells how they are
written (`express`), kept (`unsigned`), fitted to what is there (`fit`), taken back (`cancellation`) and followed
(`progress`).
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from sidecar.brokers.limits import LimitSpec, Reading
from sidecar.wire import Answer, Headers, Request
from sidecar.words import Effect, OrderState, OrderType, Outcome, Priority, RefusalKind, Side, TimeInForce


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a method and a path mean at this broker."""

    name: str
    """The metric label and the span's name: `place_order`, `get_account`; closed per profile."""
    group: str
    """The breaker and bucket it belongs to: `orders`, `pricing`, `transactions`, `accounts`, `streaming`."""
    effect: Effect
    priority: Priority
    audit: str = ""
    """The audit event type when it succeeds: `order_placed`, `balance_query`; empty for what needs no audit line."""
    stream: bool = False
    """Whether the answer never ends: relayed as it comes, from `stream_url`."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What one request means: its endpoint, narrowed by what its parameters say."""

    endpoint: Endpoint
    effect: Effect
    priority: Priority
    costs: tuple[tuple[str, float], ...] = ()
    """What it takes from each named window, in the limit's unit. Buckets count calls by themselves."""
    client_id: str = ""
    """The client order id that the request carries."""
    expires_at: float | None = None
    """Unix seconds after which the broker will refuse the signature; None when it does not perish."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended, and what that means for the next one."""

    outcome: Outcome
    reason: str = ""
    """Why it failed, from a closed set (`REASONS`): the label of the retry metrics; empty when nothing failed."""
    code: str = ""
    """The broker's own code, such as `-1003` or `MARKET_HALTED`: for spans and the audit log."""
    retry_after: float | None = None
    """Seconds that the broker asks to wait, counted from the answer."""
    until: float | None = None
    """Unix seconds at which a ban ends, when the broker tells a time instead of a duration."""
    limits: tuple[str, ...] = ()
    """The limits that are used up, where `RATE_LIMITED` means these alone: what needs none of them may go on."""


REASONS = (
    "auth",
    "ban",
    "bad_answer",
    "bad_request",
    "clock_skew",
    "connect",
    "declined",
    "maintenance",
    "rate_limit",
    "reset",
    "server_error",
    "throttled",
    "timeout",
    "unclear",
)
"""Every value that `Verdict.reason` takes. `unclear` is a broker's own "may have been executed"."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the sidecar has to say no to, before a profile puts it into the broker's own words."""

    kind: RefusalKind
    message: str
    """A sentence for a person: what happened, and what to do."""
    retry_after: float | None = None
    """Seconds after which asking again makes sense."""


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What the audit log keeps of an order call; every value a short string, empty when the request does not tell."""

    symbol: str = ""
    request: Mapping[str, str] = field(default_factory=dict)
    """Chosen request fields by the broker's own names: side, type, quantity, price, client id. Never a key."""
    response: Mapping[str, str] = field(default_factory=dict)
    """Chosen answer fields: order id, status, executed quantity, error code and message."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What the sidecar itself signs with. It has no telling `repr`."""

    key: str = ""
    secret: str = ""
    private_key: str = ""
    """An Ed25519 key in PEM."""
    token: str = ""
    user_name: str = ""


class Signer(Protocol):
    """Signs requests with the sidecar's own keys. Pure: the same request at the same time gives the same bytes."""

    def sign(self, request: Request, now: float) -> Request:
        """The request with whatever the bot signed replaced; `now` is the broker's time in Unix seconds.

        A request that the broker takes unsigned stays unsigned.
        """


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a broker's answer says that an order is."""

    state: OrderState
    """`working`, `filled`, `rejected`, `cancelled` or `expired`."""
    broker_order_id: str = ""
    detail: str = ""
    """The broker's own word and what was filled, for people: `PARTIALLY_FILLED 0.4 of 1`."""
    filled: Decimal | None = None
    """How much has been traded so far; None where the answer does not say, and all of it once it is `filled`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at the broker told about an order."""

    status: str
    """The order's state in the broker's word, such as `FILLED`."""
    answer: Answer | None
    """What the broker would have answered, had its answer come; None when the look settles nothing."""
    progress: Progress | None = None
    """How far the order is by now, where that answer tells only how it began; None where the answer is up to date."""


Look = Generator[Request, Answer, Finding | None]
"""One look at an order: asks request after request, is sent their answers, and returns what they tell.

It returns None when the order was not found, which proves nothing.
"""

Fit = Generator[Request, Answer, Request | str]
"""The last questions before an order is sent: asks request after request, is sent their answers, and returns the order
as it is to be sent, or a sentence that says why it must not be."""


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """An order in words that no broker owns; a profile expresses it as a request."""

    instrument: str
    """By the broker's own name: `BTCUSDT`, `EUR_USD`."""
    side: Side
    type: OrderType
    quantity: Decimal
    """Above 0, in the broker's unit: base asset, contracts, units."""
    client_id: str
    """By which the order can be found; within the broker's charset and length."""
    account: str = ""
    """The broker's name of the account; empty where a key has only one."""
    price: Decimal | None = None
    """The limit price; for limit orders, and only for them."""
    stop_price: Decimal | None = None
    """What triggers a stop or a take-profit; for them alone."""
    time_in_force: TimeInForce | None = None
    """None takes the broker's usual one."""
    reduce_only: bool = False
    watched: bool = False
    """Whether an operation cancels its sibling and trades back what it trades too much: a broker without reduce-only or
    take-profit orders may then take it as a plain one."""


class Inexpressible(Exception):
    """Raised when a broker cannot take an order with such terms; the message says which, and what it takes instead."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Orders of one lane are sent one after the other, in the order in which they came."""

    account: str
    instrument: str

    def covers(self, other: "Lane") -> bool:
        """Whether it is the other lane; an empty name here stands for any."""
        return self.account in {"", other.account} and self.instrument in {"", other.instrument}


class Profile(Protocol):
    """One kind of broker. Implementations are immutable after construction."""

    clock_request: Request | None
    """Asks the broker for its time; None when it cannot be asked."""
    lookups_need_keys: bool
    """Whether a look at an order must be signed by the sidecar, because the bot's signature covers its own request."""

    @property
    def name(self) -> str:
        """The name that the configuration uses: `binance-usdm`."""

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Every endpoint that `understand` can return, so that metrics can be born at 0."""

    @property
    def limits(self) -> Sequence[LimitSpec]:
        """The limits that the broker documents."""

    @property
    def retry_preset(self) -> str:
        """The retry preset that suits this broker when the configuration names none."""

    @property
    def probe(self) -> Request | None:
        """The cheapest read that tells whether the broker is there; None when none is known. It needs no key."""

    @property
    def key_check(self) -> Request | None:
        """A cheap read, unsigned here, that a broker answers only to a key that it takes; None when none is known."""

    def understand(self, request: Request) -> Intent:
        """What a request means. Never raises: what is not known is the endpoint `other` with a cautious effect."""

    def classify(self, intent: Intent, answer: Answer) -> Verdict:
        """How an attempt ended that brought a whole answer. Never raises, whatever the bytes."""

    def readings(self, headers: Headers) -> Sequence[Reading]:
        """What the answer's headers tell about the limits."""

    def learn(self, intent: Intent, answer: Answer) -> Sequence[LimitSpec]:
        """Limits that a successful answer announces (such as `exchangeInfo`); empty for most answers."""

    def refuse(self, refusal: Refusal) -> Answer:
        """The refusal in the broker's own envelope, so that the bot's library parses it.

        Only `RefusalKind.UNKNOWN` may look like something that may have been executed, and it must.
        """

    def facts(self, request: Request, answer: Answer | None) -> OrderFacts:
        """What the audit log keeps of this call."""

    def essence(self, request: Request) -> bytes:
        """What a request asks for, without what differs when a bot asks for the same again, such as a signature.

        Two requests with the same essence would have the same effect on the same account. It is hashed before it is
        kept anywhere: it may hold a key. Never raises.
        """

    def signer(self, keys: Keys) -> Signer | None:
        """What signs with these keys; None when nothing is known of how this broker wants to be signed to.

        Raises ValueError, without a word of the keys in it, when they are of the wrong form.
        """

    def identified(self, request: Request, client_id: str) -> Request:
        """The request with this client order id, when it places an order that has none; else the very request."""

    def look(self, request: Request, intent: Intent, since: Callable[[], float], order_id: str = "") -> Look | None:
        """A way to find out what became of the order that this request places or cancels; None when there is none.

        `since` tells the broker's time, in Unix seconds, before which the order cannot have been placed: an older one
        of the same client id is another order. `order_id` is the broker's own id of the order, where it has told one.
        """

    def gone(self, intent: Intent, verdict: Verdict) -> bool:
        """Whether a cancel was declined because there is no such open order any more: it may have been filled."""

    def told_time(self, intent: Intent, answer: Answer) -> float | None:
        """The broker's time in Unix seconds, when this is an answer to that question; precise to the millisecond."""

    # Orders that the sidecar itself carries

    def lane(self, request: Request) -> Lane:
        """Which account and instrument a request is about; empty strings for what it does not tell."""

    def unsigned(self, request: Request) -> Request:
        """The request without anything secret or perishable, as it may be kept on the disk and signed later.

        Of the headers only those remain that the meaning of the body depends on.
        """

    def express(self, terms: OrderTerms) -> Request:
        """The unsigned request that places this order, asking for the fullest answer. Raises Inexpressible."""

    def at_market(self, request: Request) -> bool:
        """Whether the request places an order that trades at once or never, at whatever price there is."""

    def named(self, request: Request) -> Sequence[str]:
        """The client ids of the orders that a cancel or a change names; of one that is placed besides, not."""

    def fit(self, request: Request) -> Fit | None:
        """What has to be asked right before an unsigned request of `express` is sent; None for nothing."""

    def cancellation(self, request: Request, order_id: str = "") -> Request | None:
        """The unsigned request that cancels the order that `request` places; None when none can.

        It names the order by its client id or, where a broker insists on its own, by `order_id`.
        """

    def progress(self, request: Request, answer: Answer) -> Progress | None:
        """What an answer that was `ok` or `rejected` says of the order that the request places or cancels.

        The answer may come from a look, too. A cancel that did its work is `cancelled`. None when it does not say: so
        is a refusal because an order of this client id exists already, which may be this very one.
        """

    def price_request(self, terms: OrderTerms) -> Request | None:
        """The unsigned request that asks for the instrument's prices now; None when this broker cannot be asked."""

    def told_price(self, terms: OrderTerms, answer: Answer) -> Decimal | None:
        """The price that this order would meet at the market now: the ask for a buy, the bid for a sell."""
