"""ProjectX gateway: what each path means, and what its error codes are called.

[doc] https://gateway.docs.projectx.com and the gateway's own OpenAPI document (`/swagger`). Nearly everything is a POST
with a JSON body. Each endpoint counts its error codes by itself: 2 is a rejected order here and a missing position
there, so that a code means nothing without its endpoint.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.brokers._answers import parsed
from sidecar.brokers.profile import Endpoint, Intent
from sidecar.wire import Request
from sidecar.words import Effect, Priority, Side

OTHER_READ: Final = Endpoint("other_read", "accounts", Effect.READ, Priority.ACCOUNT)
OTHER: Final = Endpoint("other", "accounts", Effect.OTHER, Priority.ORDER, "account_changed")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a path means; `codes` are the names of its error codes, the first for 1."""

    endpoint: Endpoint
    codes: tuple[str, ...] = ()

    @property
    def intent(self) -> Intent:
        """The meaning before the body is looked at."""
        return Intent(self.endpoint, self.endpoint.effect, self.endpoint.priority)


def _read(name: str, group: str, codes: str = "", audit: str = "") -> Rule:
    priority = Priority.MARKET_DATA if group == "pricing" else Priority.ACCOUNT
    return Rule(Endpoint(name, group, Effect.READ, priority, audit), tuple(codes.split()))


def _order(name: str, effect: Effect, priority: Priority, audit: str, codes: str) -> Rule:
    return Rule(Endpoint(name, "orders", effect, priority, audit), tuple(codes.split()))


_LOGIN: Final = (
    "UserNotFound PasswordVerificationFailed InvalidCredentials AppNotFound AppVerificationFailed InvalidDevice "
    "AgreementsNotSigned UnknownError ApiSubscriptionNotFound ApiKeyAuthenticationDisabled"
)

_WRITTEN: Final[Mapping[tuple[str, str], Rule]] = {
    # Auth. [doc] A login makes a new token and harms none that is in use, so that it may be repeated like a read.
    ("POST", "/api/Auth/loginKey"): _read("log_in", "auth", _LOGIN),
    ("POST", "/api/Auth/loginApp"): _read("log_in_app", "auth", _LOGIN),
    ("POST", "/api/Auth/validate"): _read(
        "validate_session", "auth", "InvalidSession SessionNotFound ExpiredToken UnknownError"
    ),
    ("POST", "/api/Auth/logout"): Rule(
        Endpoint("log_out", "auth", Effect.OTHER, Priority.ACCOUNT, "account_changed"),
        ("InvalidSession", "UnknownError"),
    ),
    ("GET", "/api/Status/ping"): _read("ping", "accounts"),
    # Account and contracts
    ("POST", "/api/Account/search"): _read("get_accounts", "accounts", audit="balance_query"),
    ("POST", "/api/Contract/search"): _read("search_contracts", "accounts"),
    ("POST", "/api/Contract/searchById"): _read("get_contract", "accounts", "ContractNotFound"),
    ("POST", "/api/Contract/available"): _read("get_contracts", "accounts"),
    ("POST", "/api/History/retrieveBars"): _read(
        "get_bars", "pricing", "ContractNotFound UnitInvalid UnitNumberInvalid LimitInvalid"
    ),
    # Orders
    ("POST", "/api/Order/place"): _order(
        "place_order",
        Effect.OPENS_RISK,
        Priority.ORDER,
        "order_placed",
        "AccountNotFound OrderRejected InsufficientFunds AccountViolation OutsideTradingHours OrderPending "
        "UnknownError ContractNotFound ContractNotActive AccountRejected",
    ),
    ("POST", "/api/Order/modify"): _order(
        "modify_order",
        Effect.OPENS_RISK,
        Priority.ORDER,
        "order_modified",
        "AccountNotFound OrderNotFound Rejected Pending UnknownError AccountRejected ContractNotFound",
    ),
    ("POST", "/api/Order/cancel"): _order(
        "cancel_order",
        Effect.REDUCES_RISK,
        Priority.CANCEL,
        "order_cancelled",
        "AccountNotFound OrderNotFound Rejected Pending UnknownError AccountRejected",
    ),
    ("POST", "/api/Order/search"): _read("search_orders", "orders", "AccountNotFound", "order_query"),
    ("POST", "/api/Order/searchOpen"): _read("search_open_orders", "orders", "AccountNotFound", "order_query"),
    ("POST", "/api/Order/searchById"): _read("get_order", "orders", "OrderNotFound", "order_query"),
    ("POST", "/api/Order/v2/query"): _read("query_orders", "orders", "AccountNotFound", "order_query"),
    # Positions and trades
    ("POST", "/api/Position/searchOpen"): _read("get_positions", "accounts", "AccountNotFound", "position_query"),
    ("POST", "/api/Position/closeContract"): _order(
        "close_position",
        Effect.REDUCES_RISK,
        Priority.REDUCE,
        "order_placed",
        "AccountNotFound PositionNotFound ContractNotFound ContractNotActive OrderRejected OrderPending UnknownError "
        "AccountRejected",
    ),
    ("POST", "/api/Position/partialCloseContract"): _order(
        "reduce_position",
        Effect.REDUCES_RISK,
        Priority.REDUCE,
        "order_placed",
        "AccountNotFound PositionNotFound ContractNotFound ContractNotActive InvalidCloseSize OrderRejected "
        "OrderPending UnknownError AccountRejected",
    ),
    ("POST", "/api/Trade/search"): _read("get_trades", "transactions", "AccountNotFound"),
}
ROUTES: Final[Mapping[tuple[str, str], Rule]] = {
    (method, path.lower()): rule for (method, path), rule in _WRITTEN.items()
}
"""By method and path in lower case: the documentation itself writes paths in both."""
RULES: Final[Mapping[str, Rule]] = {rule.endpoint.name: rule for rule in ROUTES.values()}
"""By the endpoint's name."""
PLACES: Final = frozenset({"place_order", "close_position", "reduce_position"})
"""What becomes one order in the book."""
SIDES: Final[Mapping[Side, int]] = {Side.BUY: 0, Side.SELL: 1}
"""[doc] OrderSide: Bid buys, Ask sells."""
JSON: Final = ((b"Content-Type", b"application/json"),)
"""The headers of the sidecar's own requests."""
ENDPOINTS: Final = (*(rule.endpoint for rule in ROUTES.values()), OTHER_READ, OTHER)
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def rule_of(request: Request) -> Rule:
    """What a method and path mean; what is not known may change anything, unless its method says otherwise."""
    path = request.path.rstrip("/").lower()
    known = ROUTES.get((request.method, path))
    if known is not None:
        return known
    return Rule(OTHER_READ if request.method in _READS else OTHER)


def fields_of(body: bytes) -> Mapping[str, object]:
    """A body's fields by their names in lower case, as the gateway reads them; empty when it holds no object."""
    said = parsed(body) if body else None
    return {str(name).lower(): value for name, value in said.items()} if isinstance(said, dict) else {}


def client_id_of(fields: Mapping[str, object]) -> str:
    """[doc] `customTag`, unique across the account."""
    found = fields.get("customtag")
    return found if isinstance(found, str) else ""
