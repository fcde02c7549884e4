"""Positions in ProjectX's words ([doc] "Search for Account", "Search for Positions", "Close Positions")."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sidecar.brokers._answers import told_by
from sidecar.brokers.positions import Position, Positions
from sidecar.brokers.profile import Inexpressible
from sidecar.wire import Answer, Request
from sidecar.words import Side

_JSON: Final = ((b"Content-Type", b"application/json"),)
_SIDES: Final = {1: Side.BUY, 2: Side.SELL}
"""[doc] PositionType."""

Fields = Mapping[str, object]


def positions() -> Positions:
    """Asks for the active accounts, then for what each of them holds."""
    accounts = _listed((yield _question("/api/Account/search", {"onlyActiveAccounts": True})), "accounts")
    if accounts is None:
        return None
    found: list[Position] = []
    for account in accounts:
        number = account.get("id")
        if not _whole(number):
            return None
        told = _listed((yield _question("/api/Position/searchOpen", {"accountId": number})), "positions")
        if told is None:
            return None
        for item in told:
            position = _position(item, str(number))
            if position is None:
                return None
            if position.quantity:
                found.append(position)
    return tuple(found)


def _question(path: str, body: Fields) -> Request:
    return Request("POST", path, _JSON, json.dumps(body).encode())


def _listed(answer: Answer, name: str) -> list[Fields] | None:
    told = told_by(answer)
    items = told.get(name) if isinstance(told, dict) and told.get("success") is True else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return None
    return items


def _position(item: Fields, account: str) -> Position | None:
    """One line of the answer; None for what cannot be read."""
    contract, size, kind = item.get("contractId"), item.get("size"), item.get("type")
    side = _SIDES.get(kind) if isinstance(kind, int) else None
    if not isinstance(contract, str) or not isinstance(size, int) or isinstance(size, bool) or side is None:
        return None
    return Position(contract, side, Decimal(abs(size)), account)


def closing(position: Position) -> Request:
    """Closes all of the contract's position. [doc] It takes no tag, and where nothing is held it does nothing.

    Raises Inexpressible.
    """
    if not (position.account.isascii() and position.account.isdecimal()):
        raise Inexpressible("ProjectX needs the number of the account, as Account/search tells it")
    body = f'{{"accountId":{position.account},"contractId":{json.dumps(position.instrument)}}}'
    return Request("POST", "/api/Position/closeContract", _JSON, body.encode())


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
