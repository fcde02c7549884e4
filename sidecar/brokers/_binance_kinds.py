"""The shapes that most lines of the Binance endpoint tables share."""

from typing import Final

from sidecar.brokers._binance_rules import ByLimit, Route, Weigh
from sidecar.brokers.profile import Endpoint
from sidecar.words import Effect, Priority

Lines = dict[tuple[str, str], Route]
"""An endpoint table: method and path to what they mean."""

OTHER_READ: Final = Endpoint("other_read", "accounts", Effect.READ, Priority.ACCOUNT)
"""[doc] General Info: on Binance a GET never changes anything, so an unknown one is still a read."""
OTHER: Final = Endpoint("other", "accounts", Effect.OTHER, Priority.ORDER, "account_changed")
"""Anything else unknown may move money: it is never resent, and it is on the record."""


def market(name: str, weigh: Weigh | float) -> Route:
    """Public market data, unsigned."""
    return Route(Endpoint(name, "pricing", Effect.READ, Priority.MARKET_DATA), weigh, signed=False)


def account_read(name: str, weigh: Weigh | float, audit: str = "", group: str = "accounts") -> Route:
    """A signed look at the account."""
    return Route(Endpoint(name, group, Effect.READ, Priority.ACCOUNT, audit), weigh)


def order_read(name: str, weigh: Weigh | float, client_id: str = "") -> Route:
    """A signed look at orders."""
    return Route(Endpoint(name, "orders", Effect.READ, Priority.ACCOUNT, "order_query"), weigh, client_id=client_id)


def cancel(name: str, client_id: str = "", weigh: float = 1, audit: str = "order_cancelled") -> Route:
    """What takes open orders away."""
    endpoint = Endpoint(name, "orders", Effect.REDUCES_RISK, Priority.CANCEL, audit)
    return Route(endpoint, weigh, client_id=client_id)


def change(name: str, audit: str, weigh: float = 1) -> Route:
    """What changes a setting of the account."""
    return Route(Endpoint(name, "accounts", Effect.OTHER, Priority.ACCOUNT, audit), weigh)


def listen_key(weigh: float) -> Route:
    """The key of a user-data stream: authorised by the API key alone, so nothing in it perishes."""
    return Route(Endpoint("listen_key", "streaming", Effect.OTHER, Priority.ACCOUNT), weigh, signed=False)


def futures_candles() -> ByLimit:
    """[doc] Kline weights by `limit`: under 100, under 500, up to 1000, more; 500 rows by default."""
    return ByLimit(((99, 1), (499, 2), (1000, 5)), beyond=10, default=5)
