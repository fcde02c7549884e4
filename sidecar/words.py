"""The words that every room uses: what calls are, how attempts end, why the sidecar says no.

Each is a closed set, because each becomes a metric label. A value's text is what a person reads in a metric, a log line
or the `Sidecar-Fate` header.
"""

from enum import IntEnum, StrEnum


class Outcome(StrEnum):
    """How an attempt ended. Only `UNKNOWN` leaves open whether the broker executed it."""

    OK = "ok"
    REJECTED = "rejected"
    """The broker's business no: it understood, and declined."""
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    MAINTENANCE = "maintenance"
    TRANSIENT = "transient"
    """It failed and was definitely not executed."""
    FATAL = "fatal"
    """Authentication or a malformed request: the same bytes can never succeed."""
    UNKNOWN = "unknown"
    """It may have been executed."""


class Effect(StrEnum):
    """What an endpoint does to the account."""

    READ = "read"
    OPENS_RISK = "opens_risk"
    REDUCES_RISK = "reduces_risk"
    OTHER = "other"
    """It changes something that is not a position: leverage, a listen key."""


class Priority(IntEnum):
    """Who goes first when a limit makes callers wait; lower goes first."""

    CANCEL = 0
    REDUCE = 1
    ORDER = 2
    ACCOUNT = 3
    MARKET_DATA = 4

    @property
    def label(self) -> str:
        """The metric label."""
        return self.name.lower()

    @property
    def reserved(self) -> bool:
        """Whether the call may use the share of a limit that is kept for getting out of risk."""
        return self <= Priority.REDUCE


class Why(StrEnum):
    """Why a call got no further attempt."""

    EXHAUSTED = "exhausted"
    """The policy's attempts are used up."""
    BUDGET = "budget"
    """Retries would become too large a share of the traffic."""
    UNSAFE = "unsafe"
    """It may have been executed; a resend could double it."""
    DEADLINE = "deadline"
    """The next attempt would come after the caller has gone, or after the signature has expired."""
    FATAL = "fatal"
    """The same bytes can never succeed."""
    BREAKER_OPEN = "breaker_open"


class RefusalKind(StrEnum):
    """Why the sidecar answers by itself. All but `UNKNOWN` say: the broker did not execute it."""

    BREAKER_OPEN = "breaker_open"
    RATE_LIMITED = "rate_limited"
    """A limit, or a closed gate, would keep the call past its deadline."""
    BANNED = "banned"
    MAINTENANCE = "maintenance"
    """The broker is away, and nobody should knock before the next probe."""
    DEADLINE = "deadline"
    UNREACHABLE = "unreachable"
    """No connection, so nothing was sent."""
    BAD_ANSWER = "bad_answer"
    """A read that could not be read: reset, cut short or late."""
    UNKNOWN = "unknown"
    """It was sent and no answer came: it may have been executed."""
    NO_SESSION = "no_session"
    """The broker wants a login, and the sidecar's own does not come about."""
    DEGRADED = "degraded"
    """The broker's degradation level forbids it."""
    BAD_REQUEST = "bad_request"
    """The sidecar could not take the request (too large, malformed); the broker never saw it."""
    UNRECORDED = "unrecorded"
    """It could not be written down first, as it has to be; so it was not sent."""
    NOT_READY = "not_ready"
    """The start-up checks of the broker that the sidecar signs for have not passed; new risk waits for them."""


class DegradationLevel(StrEnum):
    """How much of a broker may be used: each level forbids at least what the one before it does."""

    NONE = "none"
    """Everything passes."""
    RATE_LIMITED = "rate_limited"
    """Market data leaves most of the limits to orders."""
    CACHED_DATA = "cached_data"
    """Besides, a read that fails may be answered with what is remembered, where a cache is configured."""
    READ_ONLY = "read_only"
    """No new risk: cancels, reduce-only orders and reads pass."""
    EMERGENCY = "emergency"
    """Cancels and closes, and what must be known for them."""

    @property
    def rank(self) -> int:
        """From 0 for `NONE`; as text the levels have no order."""
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(DegradationLevel)}


class DegradationCause(StrEnum):
    """Why a broker's degradation level changed."""

    RATE_LIMITED = "rate_limited"
    """The broker said: too many requests; or a limit is used beyond the configured share."""
    BANNED = "banned"
    ERRORS = "errors"
    """Too large a share of the attempts fails."""
    DEGRADED = "degraded"
    """The broker's condition: failures in a row."""
    MAINTENANCE = "maintenance"
    BREAKER_OPEN = "breaker_open"
    """The breaker of a group other than `orders`."""
    ORDERS_BREAKER_OPEN = "orders_breaker_open"
    MANUAL = "manual"
    """A person said so."""
    EXPIRED = "expired"
    """What a person had said was for so long only."""
    RECOVERY = "recovery"
    """It has been well for long enough: one step down."""


class CacheResult(StrEnum):
    """What the cache did for a read that it is configured for."""

    HIT = "hit"
    """Answered with what is remembered, and fresh enough."""
    SHARED = "shared"
    """Answered together with the same read that was under way already."""
    MISS = "miss"
    """The broker was asked."""
    STALE = "stale"
    """The broker was asked in vain, and an older answer served, as the degradation level allows."""


class BreakerState(StrEnum):
    """What a breaker does with the next call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"


class BrokerState(StrEnum):
    """What condition a broker is in."""

    OK = "ok"
    MAINTENANCE = "maintenance"
    """It is away, by its own word or by a row of 503s; one probe at a time looks whether it is back."""
    DEGRADED = "degraded"
    """It fails in other ways; calls go on, the breakers decide."""
    BANNED = "banned"
    """It takes no calls from this address."""


class BreakerMode(StrEnum):
    """How a breaker is run: by its measurements, or by a person."""

    AUTO = "auto"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"
    SHADOW = "shadow"
    """It measures and tells, and refuses nothing."""


class LookResult(StrEnum):
    """How one look at an order whose outcome is unknown ended."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    """It proves nothing: the order may only not be visible yet."""
    FAILED = "failed"
    """The broker gave no usable answer, or a limit kept the question back."""


class LoginResult(StrEnum):
    """How a login of the sidecar's own ended."""

    OK = "ok"
    REFUSED = "refused"
    """The broker declined the keys, or the user."""
    FAILED = "failed"
    """It gave no answer that means anything."""


class ClockSource(StrEnum):
    """What told the broker's time."""

    DATE = "date"
    """The `Date` header of an answer."""
    SERVER_TIME = "server_time"
    """The broker's endpoint for it."""


class Severity(StrEnum):
    """How much an error matters: who is told, and how soon."""

    CRITICAL = "critical"
    """Money is at risk, or trading has stopped: somebody gets up."""
    ERROR = "error"
    """Somebody should look today."""
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Severity).index(self)


class OrderState(StrEnum):
    """How far an order is that the sidecar itself carries."""

    ACCEPTED = "accepted"
    """It is on the disk: whatever happens now, it is not forgotten."""
    QUEUED = "queued"
    """It waits for its turn, for a limit or for the broker."""
    SENDING = "sending"
    """It is on its way; found in this state after a crash, it may have arrived."""
    IN_DOUBT = "in_doubt"
    """It may have been executed. The broker is asked, and nothing is sent again."""
    WORKING = "working"
    """The broker has it, and it is not filled yet."""
    FILLED = "filled"
    REJECTED = "rejected"
    """The broker said no; its reason is kept."""
    CANCELLED = "cancelled"
    """It was taken back, before or after it was sent; a cancel that did its work ends so too."""
    EXPIRED = "expired"
    """Its time ran out, here before it was sent, or at the broker."""
    DEAD = "dead"
    """The sidecar has given it up, and a person must look; the reason says whether it may have been executed."""

    @property
    def open(self) -> bool:
        """Whether the sidecar still has to do something about it."""
        return self in _OPEN

    @property
    def final(self) -> bool:
        """Whether it can never change again."""
        return self not in _OPEN and self is not OrderState.WORKING


_OPEN = frozenset({OrderState.ACCEPTED, OrderState.QUEUED, OrderState.SENDING, OrderState.IN_DOUBT})


class OperationalState(StrEnum):
    """What the sidecar as a whole is doing."""

    STARTING = "starting"
    """It opens its rooms, or its first checks are under way."""
    ACTIVE = "active"
    """At least one broker can be traded with."""
    WAITING = "waiting"
    """No broker can be traded with now; checks go on and it goes on by itself."""
    ERROR = "error"
    """No broker can be traded with, and a person is needed: no check goes on by itself."""
    SHUTDOWN = "shutdown"
    """It has been told to stop."""


class Readiness(StrEnum):
    """What the start-up checks of one broker have found."""

    CHECKING = "checking"
    """The first rounds are not over."""
    READY = "ready"
    WAITING = "waiting"
    """Something passing stands in the way; it is checked again."""
    ERROR = "error"
    """Something stands in the way that only a person can mend, such as a key that the broker refuses."""


class StartupCheck(StrEnum):
    """What is looked at before a broker is traded with."""

    STATE_FILE = "state_file"
    """Is the state file whole, of a known form, and this sidecar's alone? The one check that ends a start."""
    CONNECTIVITY = "connectivity"
    """Does the broker answer at all?"""
    AUTHENTICATION = "authentication"
    """Does it take the sidecar's keys, and is a broker behind it logged in?"""
    CLOCK = "clock"
    """How far is its clock from this machine's?"""
    STREAM = "stream"
    """Can its streams be reached?"""


class OperationType(StrEnum):
    """What kind of operation the orders belong to."""

    BRACKET = "bracket"
    """An entry with its stop, and perhaps its target."""
    OCO = "oco"
    """Two orders of which at most one is to be filled."""
    POSITION_CLOSE = "position_close"
    BULK_CANCEL = "bulk_cancel"
    MODIFICATION = "modification"
    """An order in the place of another one."""


class OperationState(StrEnum):
    """How far an operation is."""

    PENDING = "pending"
    """It is on the disk, and nothing has been done for it yet."""
    IN_PROGRESS = "in_progress"
    """It is being carried out, or its orders are being watched."""
    ROLLING_BACK = "rolling_back"
    """It is being undone, because somebody asked or because it cannot be carried out safely."""
    COMPLETED = "completed"
    PARTIALLY_COMPLETED = "partially_completed"
    """It has ended, and a part of it failed; it tells which."""
    FAILED = "failed"
    """It has ended without doing what it was for; its reason says what is left."""
    ROLLED_BACK = "rolled_back"
    """It has been undone."""

    @property
    def final(self) -> bool:
        """Whether it can never change again."""
        return self not in _UNDER_WAY


_UNDER_WAY = frozenset({OperationState.PENDING, OperationState.IN_PROGRESS, OperationState.ROLLING_BACK})


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        """The other way."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """When an order trades, and at what price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    """A market order once the stop price is reached."""
    TAKE_PROFIT = "take_profit"
    """A market order once the stop price is reached from the other side."""


class TimeInForce(StrEnum):
    """How long an order stays in the book."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    DAY = "day"
