"""Order lists of Binance spot: an entry that places its stop and target when it has filled, and pairs.

[doc] Trading endpoints, "New Order List - OCO", "New Order list - OTO", "New Order list - OTOCO": the pending orders go
into the book when the working one has filled wholly; of a pair the first that trades expires the other; one that is
cancelled takes its whole list along. [doc] "One Pays the Other (OPO)": the pending orders of a purchase sell what it
has brought, after a fee that is taken from it.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from sidecar.brokers._answers import told_by
from sidecar.brokers._binance_lookup import LIST_SUFFIX, named_client_id
from sidecar.brokers._binance_orders import FORM, Dialect
from sidecar.brokers._terms import amount, check, lasting, plain
from sidecar.brokers.groups import Group, Link
from sidecar.brokers.profile import Inexpressible, OrderTerms
from sidecar.wire import Answer, Request
from sidecar.words import OrderType, Side, TimeInForce

_OCO: Final = "/api/v3/orderList/oco"
_OTO: Final = "/api/v3/orderList/oto"
_OTOCO: Final = "/api/v3/orderList/otoco"
_OPO: Final = "/api/v3/orderList/opo"
_OPOCO: Final = "/api/v3/orderList/opoco"
_WORKING: Final = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}
_TYPES: Final[Mapping[OrderType, str]] = {
    OrderType.STOP: "STOP_LOSS",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT",
    # [doc] A limit order of a pair has to wait in the book.
    OrderType.LIMIT: "LIMIT_MAKER",
}
_LONGEST_ID: Final = 36

Fields = dict[str, str]


def express(dialect: Dialect, group: Group) -> Request:
    """The unsigned list, in a form body. Raises Inexpressible."""
    for terms in (group.first, *group.companions):
        check(terms, dialect.ids)
        if terms.account or terms.reduce_only:
            raise Inexpressible("Binance spot has neither accounts under a key nor positions to reduce: leave both out")
    list_id = group.first.client_id + LIST_SUFFIX
    if len(list_id) > _LONGEST_ID:
        raise Inexpressible(f"the client id of a list takes {_LONGEST_ID - len(LIST_SUFFIX)} characters at most")
    path, asked = _pair(group) if group.link is Link.OCO else _bracket(group)
    whole = {"symbol": group.first.instrument, "listClientOrderId": list_id, **asked, "newOrderRespType": "FULL"}
    body = "&".join(f"{name}={quote(value, safe='')}" for name, value in whole.items())
    return Request("POST", path, FORM, body.encode())


def companion(terms: OrderTerms) -> Request:
    """What stands for another order of a list: without type and quantity it could not be placed, and is never sent."""
    asked = {"symbol": terms.instrument, "side": terms.side.name, "newClientOrderId": terms.client_id}
    body = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items())
    return Request("POST", "/api/v3/order", FORM, body.encode())


def of_first(request: Request, answer: Answer) -> Answer | None:
    """The part of a list's answer that is about its first order; the very answer where it is about that alone."""
    said = told_by(answer)
    reports = said.get("orderReports") if isinstance(said, dict) else None
    if not isinstance(reports, list):
        return answer
    first = named_client_id(request)
    found = next((item for item in reports if isinstance(item, dict) and item.get("clientOrderId") == first), None)
    return None if found is None else Answer(200, answer.headers, json.dumps(found).encode(), answer.reason)


def booked(answer: Answer) -> Decimal | None:
    """[doc] Query Order: `origQty`."""
    said = told_by(answer)
    return amount(said.get("origQty")) or None if isinstance(said, dict) else None


def _bracket(group: Group) -> tuple[str, Fields]:
    first = group.first
    if first.type is not OrderType.LIMIT or first.price is None:
        raise Inexpressible(
            "Binance spot places a stop and a target along with limit orders alone: set `price`; one beyond the market "
            "fills at once"
        )
    exits = group.companions
    if any(terms.side is first.side or terms.quantity != first.quantity for terms in exits):
        raise Inexpressible("the stop and the target of a list trade all that its entry has traded, the other way")
    working = {
        "workingType": "LIMIT",
        "workingSide": first.side.name,
        "workingClientOrderId": first.client_id,
        "workingPrice": plain(first.price),
        "workingQuantity": plain(first.quantity),
        "workingTimeInForce": lasting(first, "Binance", _WORKING),
        "pendingSide": first.side.opposite.name,
    }
    buys = first.side is Side.BUY
    if not buys:
        working["pendingQuantity"] = plain(first.quantity)
    if len(exits) == 1:
        return _OPO if buys else _OTO, working | _leg(exits[0], "pending")
    above, below = _above_and_below(exits)
    return _OPOCO if buys else _OTOCO, working | _leg(above, "pendingAbove") | _leg(below, "pendingBelow")


def _pair(group: Group) -> tuple[str, Fields]:
    first, *others = orders = (group.first, *group.companions)
    if any(terms.side is not first.side or terms.quantity != first.quantity for terms in others):
        raise Inexpressible("both orders of a pair at Binance spot have the same side and quantity")
    above, below = _above_and_below(orders)
    asked = {"side": first.side.name, "quantity": plain(first.quantity)}
    return _OCO, asked | _leg(above, "above") | _leg(below, "below")


def _above_and_below(pair: tuple[OrderTerms, ...]) -> tuple[OrderTerms, OrderTerms]:
    """[doc] One is a stop, the other a limit or a take-profit, with the market between them."""
    stops = [terms for terms in pair if terms.type is OrderType.STOP]
    others = [terms for terms in pair if terms.type in {OrderType.LIMIT, OrderType.TAKE_PROFIT}]
    if len(pair) != 2 or len(stops) != 1 or len(others) != 1:  # noqa: PLR2004 - a pair
        raise Inexpressible("a pair at Binance spot is a stop and a limit or take-profit order")
    return (others[0], stops[0]) if stops[0].side is Side.SELL else (stops[0], others[0])


def _leg(terms: OrderTerms, prefix: str) -> Fields:
    kind = _TYPES.get(terms.type)
    if kind is None or terms.time_in_force not in {None, TimeInForce.GTC}:
        raise Inexpressible("the orders of a pair at Binance spot wait until they are cancelled")
    told = {f"{prefix}Type": kind, f"{prefix}ClientOrderId": terms.client_id}
    if terms.stop_price is not None:
        told[f"{prefix}StopPrice"] = plain(terms.stop_price)
    if terms.price is not None:
        told[f"{prefix}Price"] = plain(terms.price)
    return told
