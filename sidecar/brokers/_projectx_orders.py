"""Orders that the sidecar itself carries, in ProjectX's words ([doc] "Place an Order")."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sidecar.brokers._answers import short
from sidecar.brokers._projectx_endpoints import fields_of
from sidecar.brokers._terms import IdRule, check, plain
from sidecar.brokers.profile import Inexpressible, Lane, OrderTerms
from sidecar.wire import Request
from sidecar.words import OrderType, Side

_TYPES: Final[Mapping[OrderType, int]] = {OrderType.LIMIT: 1, OrderType.MARKET: 2, OrderType.STOP: 4}
_SIDES: Final[Mapping[Side, int]] = {Side.BUY: 0, Side.SELL: 1}
_JSON: Final = ((b"Content-Type", b"application/json"),)
# [think] The documentation names neither characters nor a length; these pass everywhere.
_IDS: Final = IdRule(re.compile(r"[A-Za-z0-9._:-]{1,64}"), '1 to 64 of letters, digits and "._:-"')


def lane(request: Request) -> Lane:
    """The account and the contract; a cancel or a modification names no contract."""
    fields = fields_of(request.body)
    return Lane(short(fields.get("accountid")), short(fields.get("contractid")))


def express(terms: OrderTerms) -> Request:
    """The order as `Order/place` takes it. Raises Inexpressible."""
    check(terms, _IDS)
    if terms.type not in _TYPES:
        raise Inexpressible("ProjectX has no take-profit order; use a limit order at the target's price")
    if terms.reduce_only:
        raise Inexpressible("ProjectX has no reduce-only orders; close the position with Position/closeContract")
    if terms.time_in_force is not None:
        raise Inexpressible("ProjectX takes no time in force; leave it out")
    if terms.quantity != terms.quantity.to_integral_value():
        raise Inexpressible(f"ProjectX trades whole contracts, not {plain(terms.quantity)}")
    if not (terms.account.isascii() and terms.account.isdecimal()):
        raise Inexpressible("ProjectX needs the number of the account, as Account/search tells it")
    parts = {
        "accountId": terms.account,
        "contractId": json.dumps(terms.instrument),
        "type": str(_TYPES[terms.type]),
        "side": str(_SIDES[terms.side]),
        "size": f"{terms.quantity:.0f}",
        "limitPrice": _price(terms.price),
        "stopPrice": _price(terms.stop_price),
        "customTag": json.dumps(terms.client_id),
    }
    body = ",".join(f'"{name}":{text}' for name, text in parts.items())
    return Request("POST", "/api/Order/place", _JSON, f"{{{body}}}".encode())


def _price(price: Decimal | None) -> str:
    """A price digit for digit: a binary float could be another price."""
    return "null" if price is None else plain(price)
