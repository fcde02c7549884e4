"""Every kind of error that there is: how bad it is, what to do, how it ends, and whom it reaches.

The list is closed, because each type is a metric label and an alert. This file imports no room, so that the metrics
can be born with its labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sidecar.words import Severity

HOUR: Final = 3600.0


class ErrorType(StrEnum):
    """What went wrong."""

    AUTH_FAILED = "auth_failed"
    BANNED = "banned"
    ORDERS_BREAKER_OPEN = "orders_breaker_open"
    ORDER_OUTCOME_UNKNOWN = "order_outcome_unknown"
    ORDER_DEAD = "order_dead"
    POSITION_UNPROTECTED = "position_unprotected"
    POSITION_LEFT_OPEN = "position_left_open"
    ORDER_EXPIRED = "order_expired"
    BREAKER_OPEN = "breaker_open"
    BROKER_DOWN = "broker_down"
    TRADING_RESTRICTED = "trading_restricted"
    CONNECTION_FAILED = "connection_failed"
    SERVER_ERRORS = "server_errors"
    STREAM_LOST = "stream_lost"
    FILLS_LATE = "fills_late"
    DATABASE = "database"
    AUDIT_FAILED = "audit_failed"
    STARTUP_FAILED = "startup_failed"
    MAINTENANCE = "maintenance"
    RATE_LIMITED = "rate_limited"
    LIMIT_NEAR = "limit_near"
    CLOCK_SKEW = "clock_skew"
    REQUEST_REFUSED = "request_refused"


class Category(StrEnum):
    """Whether it may go away by itself."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"


class Topic(StrEnum):
    """What the pause between two notifications about the same thing is configured by."""

    STARTUP = "startup"
    WEBSOCKET = "websocket"
    BROKER = "broker"
    DATABASE = "database"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a type of error."""

    severity: Severity
    category: Category
    topic: Topic
    meaning: str
    """What has happened, as a message's first words."""
    suggestion: str
    """What a person should do."""
    alert: str
    """The Prometheus alert of the same name; its pushed twin carries the same labels."""
    push: bool = False
    """Whether it cannot wait for a scrape."""
    quiet_seconds: float | None = None
    """It is over when it was not seen for so long; None where an event tells its end, or only a person can."""
    waits: bool = False
    """Whether the bot waits for its end, so that people are told now and then that it still lasts."""


_CRITICAL, _ERROR, _WARNING = Severity.CRITICAL, Severity.ERROR, Severity.WARNING
_TRANSIENT, _PERMANENT = Category.TRANSIENT, Category.PERMANENT

TYPES: Final[Mapping[ErrorType, Kind]] = MappingProxyType(
    {
        ErrorType.AUTH_FAILED: Kind(
            _CRITICAL,
            _PERMANENT,
            Topic.BROKER,
            "the broker does not accept the bot's key",
            "Check the key, its permissions and its allowed addresses at the broker.",
            "SidecarAuthFailed",
            push=True,
        ),
        ErrorType.BANNED: Kind(
            _CRITICAL,
            _TRANSIENT,
            Topic.BROKER,
            "the broker has banned this address",
            "Send nothing to the broker from this address until the ban ends; find out what used up its limits.",
            "SidecarBanned",
            waits=True,
        ),
        ErrorType.ORDERS_BREAKER_OPEN: Kind(
            _CRITICAL,
            _TRANSIENT,
            Topic.BROKER,
            "orders are refused: the breaker opened",
            "See in the log why orders failed, and at the broker whether open positions need a hand.",
            "SidecarOrdersBreakerOpen",
            waits=True,
        ),
        ErrorType.ORDER_OUTCOME_UNKNOWN: Kind(
            _CRITICAL,
            _PERMANENT,
            Topic.ORDERS,
            "nobody knows whether an order was executed",
            "Look the order up at the broker by its client id; do not send it again before that.",
            "SidecarOrderOutcomeUnknown",
            push=True,
        ),
        ErrorType.ORDER_DEAD: Kind(
            _CRITICAL,
            _PERMANENT,
            Topic.ORDERS,
            "an order was given up",
            "Look it up at the broker by its client id; the reason says whether it may have been executed.",
            "SidecarOrderDead",
            push=True,
        ),
        ErrorType.POSITION_UNPROTECTED: Kind(
            _CRITICAL,
            _PERMANENT,
            Topic.ORDERS,
            "a position has no working stop",
            "Place the stop by hand, or close the position.",
            "SidecarPositionUnprotected",
            push=True,
        ),
        ErrorType.POSITION_LEFT_OPEN: Kind(
            _CRITICAL,
            _PERMANENT,
            Topic.ORDERS,
            "a stop was to close a position, and has not",
            "Look at the broker what is held, and close it by hand; the next start closes nothing.",
            "SidecarPositionLeftOpen",
            push=True,
        ),
        ErrorType.ORDER_EXPIRED: Kind(
            _ERROR,
            _PERMANENT,
            Topic.ORDERS,
            "an order was not sent in time",
            "Decide whether it is still wanted; if so, send it anew.",
            "SidecarOrderExpired",
            quiet_seconds=HOUR,
        ),
        ErrorType.BREAKER_OPEN: Kind(
            _ERROR,
            _TRANSIENT,
            Topic.BROKER,
            "calls are refused: a breaker opened",
            "See in the log why these calls failed; the breaker probes by itself and closes when one succeeds.",
            "SidecarBreakerOpen",
        ),
        ErrorType.BROKER_DOWN: Kind(
            _ERROR,
            _TRANSIENT,
            Topic.BROKER,
            "the broker fails again and again",
            "Look at the broker's status page; the sidecar probes by itself.",
            "SidecarBrokerDown",
            waits=True,
        ),
        ErrorType.TRADING_RESTRICTED: Kind(
            _ERROR,
            _TRANSIENT,
            Topic.BROKER,
            "new risk is refused: the degradation level is read_only or emergency",
            "See with sidecar status what or who demands it; POST /v1/brokers/NAME/degradation/recover ends it.",
            "SidecarTradingRestricted",
            waits=True,
        ),
        ErrorType.CONNECTION_FAILED: Kind(
            _ERROR,
            _TRANSIENT,
            Topic.BROKER,
            "the broker cannot be reached",
            "Check name resolution, firewall and proxy between this machine and the broker.",
            "SidecarConnectionFailed",
            quiet_seconds=HOUR,
        ),
        ErrorType.SERVER_ERRORS: Kind(
            _ERROR,
            _TRANSIENT,
            Topic.BROKER,
            "the broker answers with errors of its own",
            "Look at the broker's status page; retries did not help.",
            "SidecarServerErrors",
            quiet_seconds=HOUR,
        ),
        ErrorType.STREAM_LOST: Kind(
            _ERROR,
            _TRANSIENT,
            Topic.WEBSOCKET,
            "a stream ended that the bot had not left",
            "See whether the bot opened it again: until then it trades without these prices or events.",
            "SidecarStreamLost",
        ),
        ErrorType.DATABASE: Kind(
            _ERROR,
            _TRANSIENT,
            Topic.DATABASE,
            "the state file cannot be written",
            "Check space and rights where state.path lies; what must be written down first is not sent meanwhile.",
            "SidecarDatabase",
        ),
        ErrorType.AUDIT_FAILED: Kind(
            _ERROR,
            _PERMANENT,
            Topic.DATABASE,
            "the audit log loses lines",
            "Check space and rights where audit.directory lies; then run sidecar audit verify.",
            "SidecarAuditFailed",
        ),
        ErrorType.STARTUP_FAILED: Kind(
            _ERROR,
            _TRANSIENT,
            Topic.STARTUP,
            "the start-up checks fail",
            "See which check fails with sidecar status; the sidecar goes on trying.",
            "SidecarStartupFailed",
            waits=True,
        ),
        ErrorType.MAINTENANCE: Kind(
            _WARNING,
            _TRANSIENT,
            Topic.BROKER,
            "the broker is under maintenance",
            "Wait: the sidecar notices by itself when the broker is back.",
            "SidecarMaintenance",
            waits=True,
        ),
        ErrorType.FILLS_LATE: Kind(
            _WARNING,
            _TRANSIENT,
            Topic.WEBSOCKET,
            "the stream that tells of fills stays away",
            "See in the log why it does not open; fills are learnt by looking meanwhile, seconds later.",
            "SidecarFillsLate",
        ),
        ErrorType.RATE_LIMITED: Kind(
            _WARNING,
            _TRANSIENT,
            Topic.BROKER,
            "the broker says too many requests",
            "Make fewer calls, or find out who else uses this address or key.",
            "SidecarRateLimited",
        ),
        ErrorType.LIMIT_NEAR: Kind(
            _WARNING,
            _TRANSIENT,
            Topic.BROKER,
            "a rate limit is nearly used up",
            "Make fewer calls before the broker refuses them.",
            "SidecarLimitNear",
        ),
        ErrorType.CLOCK_SKEW: Kind(
            _WARNING,
            _PERMANENT,
            Topic.BROKER,
            "this machine's clock is off",
            "Set the clock by NTP: brokers refuse requests whose time is wrong.",
            "SidecarClockSkew",
        ),
        ErrorType.REQUEST_REFUSED: Kind(
            _WARNING,
            _PERMANENT,
            Topic.BROKER,
            "the broker refuses calls that can never succeed as they are",
            "Correct the bot's request; the audit log has the broker's code.",
            "SidecarRequestRefused",
            quiet_seconds=HOUR,
        ),
    }
)
"""Every type."""
