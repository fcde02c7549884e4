"""Positions in OANDA's words ([doc] "Account endpoints", "Position endpoints", OrderPositionFill)."""

from collections.abc import Mapping
from typing import Final

from sidecar.brokers import _oanda_orders
from sidecar.brokers._answers import told_by
from sidecar.brokers._terms import amount
from sidecar.brokers.positions import Position, Positions
from sidecar.brokers.profile import OrderTerms
from sidecar.wire import Answer, Request
from sidecar.words import OrderType, Side

_SIDES: Final = {"long": Side.BUY, "short": Side.SELL}


def positions() -> Positions:
    """Asks for the accounts that the token opens, then for what each of them holds."""
    accounts = _listed((yield Request("GET", "/v3/accounts", ())), "accounts")
    if accounts is None:
        return None
    found: list[Position] = []
    for account in accounts:
        number = account.get("id")
        if not isinstance(number, str):
            return None
        told = _listed((yield Request("GET", f"/v3/accounts/{number}/openPositions", ())), "positions")
        if told is None:
            return None
        for item in told:
            held = _held(item, number)
            if held is None:
                return None
            found += held
    return tuple(found)


def _listed(answer: Answer, name: str) -> list[Mapping[str, object]] | None:
    told = told_by(answer)
    items = told.get(name) if isinstance(told, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return None
    return items


def _held(item: Mapping[str, object], account: str) -> list[Position] | None:
    """[doc] Position: both sides are told, the one that is not held with 0 units; None for what cannot be read."""
    instrument, held = item.get("instrument"), []
    for name, side in _SIDES.items():
        half = item.get(name)
        quantity = amount(half.get("units")) if isinstance(half, dict) else None
        if not isinstance(instrument, str) or quantity is None:
            return None
        if quantity:
            held.append(Position(instrument, side, quantity, account))
    return held


def closing(position: Position, client_id: str) -> Request:
    """A market order that can only reduce, and bears an id. Raises Inexpressible.

    [doc] `positions/{instrument}/close` does the same, under an id of OANDA's own.
    """
    return _oanda_orders.express(
        OrderTerms(
            instrument=position.instrument,
            side=position.side.opposite,
            type=OrderType.MARKET,
            quantity=position.quantity,
            client_id=client_id,
            account=position.account,
            reduce_only=True,
        )
    )
