"""Positions in Binance's words ([doc] Position Information V3, New Order)."""

from typing import Final
from urllib.parse import quote

from sidecar.brokers._answers import told_by
from sidecar.brokers._terms import amount, plain
from sidecar.brokers.positions import Position, Positions
from sidecar.wire import Request
from sidecar.words import Side

_FORM: Final = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
_RISK: Final = Request("GET", "/fapi/v3/positionRisk", ())
"""[doc] V3 tells the symbols with a position or an open order alone; weight 5."""
_ONE_WAY: Final = "BOTH"
_LEGS: Final = {_ONE_WAY: "", "LONG": "LONG", "SHORT": "SHORT"}
"""[doc] `positionSide`: `BOTH` unless the account is in hedge mode."""


def positions() -> Positions:
    """Asks for every position of the account."""
    answer = yield _RISK
    told = told_by(answer)
    if not isinstance(told, list):
        return None
    found: list[Position] = []
    for item in told:
        position = _position(item)
        if position is None:
            return None
        if position.quantity:
            found.append(position)
    return tuple(found)


def _position(item: object) -> Position | None:
    """One line of the answer; None for what cannot be read."""
    fields = item if isinstance(item, dict) else {}
    symbol, held, leg = fields.get("symbol"), fields.get("positionAmt"), _LEGS.get(str(fields.get("positionSide")))
    quantity = amount(held)
    if not isinstance(symbol, str) or not isinstance(held, str) or quantity is None or leg is None:
        return None
    # [doc] A short position's amount is negative, in hedge mode too.
    return Position(symbol, Side.SELL if held.lstrip().startswith("-") else Side.BUY, quantity, leg=leg)


def closing(position: Position, client_id: str) -> Request:
    """A market order against the position. [doc] `reduceOnly` cannot be sent in hedge mode, where the leg says it."""
    asked = {
        "symbol": position.instrument,
        "side": position.side.opposite.name,
        "type": "MARKET",
        "quantity": plain(position.quantity),
        **({"positionSide": position.leg} if position.leg else {"reduceOnly": "true"}),
        "newClientOrderId": client_id,
        "newOrderRespType": "RESULT",
    }
    body = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items())
    return Request("POST", "/fapi/v1/order", _FORM, body.encode())
