"""OANDA v20: what each method and path means ([doc] REST-V20 reference, one block for each of its pages)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from sidecar.brokers._answers import parsed
from sidecar.brokers.profile import Endpoint, Intent
from sidecar.wire import Request
from sidecar.words import Effect, Priority

_REDUCING_TYPES: Final = frozenset({"TAKE_PROFIT", "STOP_LOSS", "TRAILING_STOP_LOSS", "GUARANTEED_STOP_LOSS"})
"""[doc] Order definitions: these close the trade that they belong to and can open nothing."""
_PROTECTIONS: Final = ("takeProfit", "stopLoss", "trailingStopLoss", "guaranteedStopLoss")

OTHER_READ: Final = Endpoint("other_read", "accounts", Effect.READ, Priority.ACCOUNT)
OTHER: Final = Endpoint("other", "accounts", Effect.OTHER, Priority.ORDER, "account_changed")

Narrow = Callable[[Intent, Request, list[str]], Intent]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a method and path mean; `narrow` looks at the rest of the request."""

    intent: Intent
    narrow: Narrow | None = None


def order_of(request: Request) -> Mapping[str, object]:
    """The `order` object of a request body; empty when there is none."""
    body = parsed(request.body)
    order = body.get("order") if isinstance(body, dict) else None
    return order if isinstance(order, dict) else {}


def client_id_of(order: Mapping[str, object]) -> str:
    """The client order id that an order carries."""
    extensions = order.get("clientExtensions")
    found = extensions.get("id") if isinstance(extensions, dict) else None
    return found if isinstance(found, str) else ""


def _placed(intent: Intent, request: Request, _: list[str]) -> Intent:
    order = order_of(request)
    client_id = client_id_of(order)
    # [doc] OrderPositionFill: REDUCE_ONLY cannot open a position, REDUCE_FIRST can.
    if order.get("positionFill") == "REDUCE_ONLY" or str(order.get("type")) in _REDUCING_TYPES:
        return Intent(intent.endpoint, Effect.REDUCES_RISK, Priority.REDUCE, client_id=client_id)
    return Intent(intent.endpoint, intent.effect, intent.priority, client_id=client_id) if client_id else intent


def _by_specifier(intent: Intent, _: Request, segments: list[str]) -> Intent:
    """[doc] OrderSpecifier: an order id, or `@` and the client id."""
    specifier = unquote(segments[5])
    if not specifier.startswith("@"):
        return intent
    return Intent(intent.endpoint, intent.effect, intent.priority, client_id=specifier[1:])


def _protected(intent: Intent, request: Request, _: list[str]) -> Intent:
    """[doc] Trade, dependent orders: null takes an order away, and with it the protection."""
    body = parsed(request.body)
    if isinstance(body, dict) and body and all(isinstance(body.get(name, {}), dict) for name in _PROTECTIONS):
        return Intent(intent.endpoint, Effect.REDUCES_RISK, Priority.REDUCE)
    return intent


def _rule(endpoint: Endpoint, narrow: Narrow | None = None) -> Rule:
    return Rule(Intent(endpoint, endpoint.effect, endpoint.priority), narrow)


def _read(name: str, group: str, audit: str = "", narrow: Narrow | None = None) -> Rule:
    priority = Priority.MARKET_DATA if group == "pricing" else Priority.ACCOUNT
    return _rule(Endpoint(name, group, Effect.READ, priority, audit), narrow)


def _stream(name: str) -> Rule:
    return _rule(Endpoint(name, "streaming", Effect.READ, Priority.MARKET_DATA, stream=True))


def _reducing(name: str, priority: Priority, audit: str, narrow: Narrow | None = None) -> Rule:
    return _rule(Endpoint(name, "orders", Effect.REDUCES_RISK, priority, audit), narrow)


def _opening(name: str, audit: str) -> Rule:
    return _rule(Endpoint(name, "orders", Effect.OPENS_RISK, Priority.ORDER, audit), _placed)


def _change(name: str, group: str, audit: str, narrow: Narrow | None = None) -> Rule:
    return _rule(Endpoint(name, group, Effect.OTHER, Priority.ORDER, audit), narrow)


_A: Final = "/v3/accounts/*"

ROUTES: Final[tuple[tuple[str, str, Rule], ...]] = (
    # Account
    ("GET", "/v3/accounts", _read("get_accounts", "accounts")),
    ("GET", _A, _read("get_account", "accounts", "balance_query")),
    ("GET", f"{_A}/summary", _read("get_account_summary", "accounts", "balance_query")),
    ("GET", f"{_A}/instruments", _read("get_instruments", "accounts")),
    ("GET", f"{_A}/changes", _read("get_account_changes", "accounts")),
    # The margin rate is OANDA's word for leverage.
    ("PATCH", f"{_A}/configuration", _change("configure_account", "accounts", "leverage_set")),
    # Order
    ("POST", f"{_A}/orders", _opening("place_order", "order_placed")),
    ("GET", f"{_A}/orders", _read("get_orders", "orders", "order_query")),
    ("GET", f"{_A}/pendingOrders", _read("get_pending_orders", "orders", "order_query")),
    ("GET", f"{_A}/orders/*", _read("get_order", "orders", "order_query", _by_specifier)),
    ("PUT", f"{_A}/orders/*", _opening("modify_order", "order_modified")),
    ("PUT", f"{_A}/orders/*/cancel", _reducing("cancel_order", Priority.CANCEL, "order_cancelled", _by_specifier)),
    ("PUT", f"{_A}/orders/*/clientExtensions", _change("set_order_extensions", "orders", "order_modified")),
    # Trade
    ("GET", f"{_A}/trades", _read("get_trades", "accounts", "position_query")),
    ("GET", f"{_A}/openTrades", _read("get_open_trades", "accounts", "position_query")),
    ("GET", f"{_A}/trades/*", _read("get_trade", "accounts", "position_query")),
    ("PUT", f"{_A}/trades/*/close", _reducing("close_trade", Priority.REDUCE, "order_placed")),
    ("PUT", f"{_A}/trades/*/orders", _change("set_trade_orders", "orders", "order_modified", _protected)),
    ("PUT", f"{_A}/trades/*/clientExtensions", _change("set_trade_extensions", "orders", "order_modified")),
    # Position
    ("GET", f"{_A}/positions", _read("get_positions", "accounts", "position_query")),
    ("GET", f"{_A}/openPositions", _read("get_open_positions", "accounts", "position_query")),
    ("GET", f"{_A}/positions/*", _read("get_position", "accounts", "position_query")),
    ("PUT", f"{_A}/positions/*/close", _reducing("close_position", Priority.REDUCE, "order_placed")),
    # Transaction
    ("GET", f"{_A}/transactions", _read("get_transactions", "transactions")),
    ("GET", f"{_A}/transactions/idrange", _read("get_transaction_range", "transactions")),
    ("GET", f"{_A}/transactions/sinceid", _read("get_transactions_since", "transactions")),
    ("GET", f"{_A}/transactions/stream", _stream("stream_transactions")),
    ("GET", f"{_A}/transactions/*", _read("get_transaction", "transactions")),
    # Pricing and instrument
    ("GET", f"{_A}/pricing", _read("get_pricing", "pricing")),
    ("GET", f"{_A}/pricing/stream", _stream("stream_pricing")),
    ("GET", f"{_A}/candles/latest", _read("get_latest_candles", "pricing")),
    ("GET", f"{_A}/instruments/*/candles", _read("get_candles", "pricing")),
    ("GET", "/v3/instruments/*/candles", _read("get_candles", "pricing")),
    ("GET", "/v3/instruments/*/orderBook", _read("get_order_book", "pricing")),
    ("GET", "/v3/instruments/*/positionBook", _read("get_position_book", "pricing")),
)

UNKNOWN_READ: Final = _rule(OTHER_READ)
UNKNOWN_CHANGE: Final = _rule(OTHER)
