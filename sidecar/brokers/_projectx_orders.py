"""Orders that the sidecar itself carries, in ProjectX's words ([doc] "Place an Order")."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sidecar.brokers import _projectx_closing
from sidecar.brokers._answers import short
from sidecar.brokers._projectx_endpoints import JSON, PLACES, SIDES, fields_of, rule_of
from sidecar.brokers._terms import IdRule, check, plain
from sidecar.brokers.profile import Inexpressible, Lane, OrderTerms
from sidecar.wire import Request
from sidecar.words import OrderType

_TYPES: Final[Mapping[OrderType, int]] = {OrderType.LIMIT: 1, OrderType.MARKET: 2, OrderType.STOP: 4}
# [think] The documentation names neither characters nor a length; these pass everywhere.
_IDS: Final = IdRule(re.compile(r"[A-Za-z0-9._:-]{1,64}"), '1 to 64 of letters, digits and "._:-"')


def lane(request: Request) -> Lane:
    """The account and the contract; a cancel or a modification names no contract."""
    fields = fields_of(request.body)
    return Lane(short(fields.get("accountid")), short(fields.get("contractid")))


def express(terms: OrderTerms) -> Request:
    """The order as `Order/place` takes it, or the close of a position. Raises Inexpressible.

    Of an operation that watches them, orders are taken without what ProjectX has no word for: a stop that only reduces
    as a plain one, a take-profit as a limit order at its price.
    """
    check(terms, _IDS)
    if terms.time_in_force is not None:
        raise Inexpressible("ProjectX takes no time in force; leave it out")
    if terms.quantity != terms.quantity.to_integral_value():
        raise Inexpressible(f"ProjectX trades whole contracts, not {plain(terms.quantity)}")
    if not (terms.account.isascii() and terms.account.isdecimal()):
        raise Inexpressible("ProjectX needs the number of the account, as Account/search tells it")
    if terms.reduce_only and terms.type is OrderType.MARKET:
        return _projectx_closing.express(terms)
    if not terms.watched:
        _check_alone(terms)
    taken = OrderType.LIMIT if terms.type is OrderType.TAKE_PROFIT else terms.type
    parts = {
        "accountId": terms.account,
        "contractId": json.dumps(terms.instrument),
        "type": str(_TYPES[taken]),
        "side": str(SIDES[terms.side]),
        "size": f"{terms.quantity:.0f}",
        "limitPrice": _price(terms.stop_price if taken is not terms.type else terms.price),
        "stopPrice": _price(None if taken is not terms.type else terms.stop_price),
        "customTag": json.dumps(terms.client_id),
    }
    body = ",".join(f'"{name}":{text}' for name, text in parts.items())
    return Request("POST", "/api/Order/place", JSON, f"{{{body}}}".encode())


def _check_alone(terms: OrderTerms) -> None:
    if terms.type is OrderType.TAKE_PROFIT:
        raise Inexpressible("ProjectX has no take-profit order; use a limit order at the target's price")
    if terms.reduce_only:
        raise Inexpressible(
            "ProjectX has no reduce-only orders but those that close a position at the market; ask for a bracket or an "
            "OCO pair under /v1/operations, where the sidecar cancels what must not trade any more"
        )


def cancellation(request: Request, order_id: str) -> Request | None:
    """The cancel of the order that the request placed; None while its number is not known."""
    account = fields_of(request.body).get("accountid")
    places = rule_of(request).endpoint.name in PLACES
    if not places or not isinstance(account, int) or not (order_id.isascii() and order_id.isdecimal()):
        return None
    return Request("POST", "/api/Order/cancel", JSON, b'{"accountId":%d,"orderId":%d}' % (account, int(order_id)))


def at_market(request: Request) -> bool:
    """Whether it trades at whatever price there is."""
    name = rule_of(request).endpoint.name
    if name == "place_order":
        return fields_of(request.body).get("type") == _TYPES[OrderType.MARKET]
    return name in PLACES


def _price(price: Decimal | None) -> str:
    """A price digit for digit: a binary float could be another price."""
    return "null" if price is None else plain(price)
