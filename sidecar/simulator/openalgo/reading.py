"""Reading what a client sent, with the complaints of OpenAlgo's schemas."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sidecar.simulator.openalgo.book import Kind, Order, OrderSpec, Terms
from sidecar.simulator.openalgo.errors import RefusedError, malformed
from sidecar.simulator.openalgo.market import FRACTIONAL, Market

Fields = Mapping[str, Any]

_EXCHANGES = ("NSE", "NFO", "CDS", "BSE", "BFO", "BCD", "MCX", "CRYPTO")
_PRODUCTS = ("MIS", "NRML", "CNC")
_MISSING = "Missing data for required field."


def body_of(raw: bytes) -> Fields:
    """The fields of a request; `RefusedError` (500, as OpenAlgo does) when it is no JSON object."""
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise RefusedError(500, "An unexpected error occurred in the API endpoint")
    return said


def text(fields: Fields, name: str, default: str | None = None) -> str:
    """A field that is a text; without a default it must be there."""
    told = fields.get(name, default)
    if told is None:
        raise malformed(name, _MISSING)
    if not isinstance(told, str):
        raise malformed(name, "Not a valid string.")
    return told


def choice(fields: Fields, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
    """A field that is one of a few words."""
    told = text(fields, name, default)
    if told not in choices:
        raise malformed(name, f"Must be one of: {', '.join(choices)}.")
    return told


def amount(fields: Fields, name: str, default: int | None = None) -> Decimal:
    """A field that is a number, or a text that holds one; not below 0 unless it is a position's size."""
    told = fields.get(name, default)
    if told is None:
        raise malformed(name, _MISSING)
    try:
        found = Decimal(str(told))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or isinstance(told, bool):
        raise malformed(name, "Not a valid number.")
    if found < 0 and name != "position_size":
        raise malformed(name, f"{name} must be a non-negative number.")
    return found


def quantity(fields: Fields, exchange: str, *, least: int = 1) -> Decimal:
    """A quantity above 0 (with `least` 0: or 0), whole but at the one exchange that takes fractions."""
    found = amount(fields, "quantity")
    if least and not found:
        raise malformed("quantity", "Quantity must be a positive number.")
    if exchange != FRACTIONAL and found != found.to_integral_value():
        raise malformed("quantity", f"Fractional quantity ({found}) is not allowed for non-crypto exchanges.")
    return found


def order(fields: Fields, market: Market, *, least: int = 1) -> OrderSpec:
    """The order that the fields describe."""
    exchange = choice(fields, "exchange", _EXCHANGES)
    symbol = text(fields, "symbol")
    action = choice(fields, "action", ("BUY", "SELL", "buy", "sell")).upper()
    size = quantity(fields, exchange, least=least)
    product = choice(fields, "product", _PRODUCTS, "MIS")
    terms = _terms(fields)
    market.quote(exchange, symbol)
    return OrderSpec(exchange, symbol, product, size if action == "BUY" else -size, action, terms)


def changed(fields: Fields, existing: Order) -> tuple[Decimal, Terms]:
    """The signed quantity and the terms of a modification, all of which must be told."""
    for name in ("strategy", "exchange", "symbol", "action", "product", "pricetype"):
        text(fields, name)
    for name in ("price", "trigger_price", "disclosed_quantity"):
        amount(fields, name)
    size = quantity(fields, existing.spec.exchange)
    return (size if existing.spec.quantity > 0 else -size), _terms(fields)


def _terms(fields: Fields) -> Terms:
    kind = Kind(choice(fields, "pricetype", tuple(Kind), Kind.MARKET))
    price, trigger = amount(fields, "price", 0), amount(fields, "trigger_price", 0)
    if kind.limits and not price:
        # Kite's words: OpenAlgo's schema takes it, the broker behind it does not.
        raise RefusedError(400, "Price is required for limit orders.")
    if kind.waits and not trigger:
        raise RefusedError(400, "Trigger price is required for stop orders.")
    return Terms(kind, price, trigger)
