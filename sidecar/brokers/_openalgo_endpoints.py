"""OpenAlgo: what each method and path means ([doc] "Registered REST Inventory"). Reads are POST, too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sidecar.brokers._answers import number
from sidecar.brokers._openalgo_body import fields_of
from sidecar.brokers.profile import Endpoint, Intent
from sidecar.wire import Request
from sidecar.words import Effect, Priority

OTHER_READ: Final = Endpoint("other_read", "accounts", Effect.READ, Priority.ACCOUNT)
OTHER: Final = Endpoint("other", "accounts", Effect.OTHER, Priority.ORDER, "account_changed")

BATCHES: Final = frozenset({"place_basket_order", "place_split_order", "place_options_multiorder"})
"""Several orders in one request, each with a result of its own."""
PLAIN_TEXT: Final = frozenset({"get_ticker", "get_instruments", OTHER_READ.name})
"""Reads whose answers need not be JSON."""

Narrow = Callable[[Intent, Request], Intent]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a method and path mean; `narrow` looks at the body."""

    intent: Intent
    narrow: Narrow | None = None


def _flattening(intent: Intent, request: Request) -> Intent:
    """[doc] placesmartorder: with the target 0 and no position it opens `quantity`; only 0 in both cannot open."""
    fields = fields_of(request)
    if all(number(str(fields.get(name))) == 0 for name in ("position_size", "quantity")):
        return Intent(intent.endpoint, Effect.REDUCES_RISK, Priority.REDUCE)
    return intent


def _rule(endpoint: Endpoint, narrow: Narrow | None = None) -> Rule:
    return Rule(Intent(endpoint, endpoint.effect, endpoint.priority), narrow)


def _account(name: str, audit: str = "") -> Rule:
    return _rule(Endpoint(name, "accounts", Effect.READ, Priority.ACCOUNT, audit))


def _market(name: str) -> Rule:
    return _rule(Endpoint(name, "pricing", Effect.READ, Priority.MARKET_DATA))


def _opening(name: str, audit: str = "order_placed") -> Rule:
    return _rule(Endpoint(name, "orders", Effect.OPENS_RISK, Priority.ORDER, audit))


def _reducing(name: str, priority: Priority, audit: str) -> Rule:
    return _rule(Endpoint(name, "orders", Effect.REDUCES_RISK, priority, audit))


def _change(name: str) -> Rule:
    return _rule(Endpoint(name, "accounts", Effect.OTHER, Priority.ORDER, "account_changed"))


# The limit of smart orders is one of its own.
_SMART: Final = Endpoint("place_smart_order", "smart_orders", Effect.OPENS_RISK, Priority.ORDER, "order_placed")

_POSTED: Final[dict[str, Rule]] = {
    # Orders
    "placeorder": _opening("place_order"),
    "placesmartorder": _rule(_SMART, _flattening),
    "optionsorder": _opening("place_options_order"),
    "optionsmultiorder": _opening("place_options_multiorder"),
    "basketorder": _opening("place_basket_order"),
    "splitorder": _opening("place_split_order"),
    "modifyorder": _opening("modify_order", "order_modified"),
    "cancelorder": _reducing("cancel_order", Priority.CANCEL, "order_cancelled"),
    "cancelallorder": _reducing("cancel_all_orders", Priority.CANCEL, "order_cancelled"),
    "closeposition": _reducing("close_positions", Priority.REDUCE, "order_placed"),
    "placegttorder": _opening("place_gtt_order"),
    "modifygttorder": _opening("modify_gtt_order", "order_modified"),
    "cancelgttorder": _reducing("cancel_gtt_order", Priority.CANCEL, "order_cancelled"),
    # Account
    "gttorderbook": _account("get_gtt_orders", "order_query"),
    "orderstatus": _account("get_order", "order_query"),
    "orderbook": _account("get_orders", "order_query"),
    "tradebook": _account("get_trades"),
    "openposition": _account("get_open_position", "position_query"),
    "positionbook": _account("get_positions", "position_query"),
    "holdings": _account("get_holdings", "position_query"),
    "funds": _account("get_funds", "balance_query"),
    "margin": _account("get_margin"),
    "pnl/symbols": _account("get_pnl"),
    "ping": _account("ping"),
    "analyzer": _account("get_analyzer"),
    # It decides whether orders are real.
    "analyzer/toggle": _change("toggle_analyzer"),
    "chart": _change("set_chart"),
    # Market data
    "quotes": _market("get_quotes"),
    "multiquotes": _market("get_multiquotes"),
    "depth": _market("get_depth"),
    "history": _market("get_history"),
    "intervals": _market("get_intervals"),
    "symbol": _market("get_symbol"),
    "search": _market("search_symbols"),
    "expiry": _market("get_expiries"),
    "optionsymbol": _market("get_option_symbol"),
    "optionchain": _market("get_option_chain"),
    "syntheticfuture": _market("get_synthetic_future"),
    "optiongreeks": _market("get_option_greeks"),
    "multioptiongreeks": _market("get_multi_option_greeks"),
    "market/holidays": _market("get_holidays"),
    "market/timings": _market("get_timings"),
}
_GOT: Final[dict[str, Rule]] = {
    "ticker/*": _market("get_ticker"),
    "instruments": _market("get_instruments"),
    "chart": _account("get_chart"),
}

ROUTES: Final[tuple[tuple[str, str, Rule], ...]] = (
    *(("POST", f"/api/v1/{path}", rule) for path, rule in _POSTED.items()),
    *(("GET", f"/api/v1/{path}", rule) for path, rule in _GOT.items()),
)

UNKNOWN_READ: Final = _rule(OTHER_READ)
UNKNOWN_CHANGE: Final = _rule(OTHER)
