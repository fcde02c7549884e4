"""Orders in OANDA's words: how the sidecar's own are expressed, kept without their token, and taken back.

[doc] REST-V20, "Order definitions" (MarketOrderRequest, LimitOrderRequest, StopOrderRequest,
MarketIfTouchedOrderRequest), "Order endpoints" and "Pricing endpoints".
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import quote, unquote

from sidecar.brokers._answers import told_by
from sidecar.brokers._oanda_endpoints import order_of
from sidecar.brokers._oanda_lookup import specifier_of
from sidecar.brokers._terms import IdRule, check, lasting, plain, price
from sidecar.brokers.groups import Group, Link
from sidecar.brokers.profile import Inexpressible, Intent, Lane, OrderTerms
from sidecar.wire import Answer, Request
from sidecar.words import OrderType, Side, TimeInForce

_JSON: Final = ((b"Content-Type", b"application/json"),)
_KEPT: Final = frozenset({b"content-type", b"accept-datetime-format"})
_ACCOUNT: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
"""[doc] AccountID: numbers with "-" between them; nothing here can lead a path elsewhere."""
# [doc] ClientID names no characters, and 128 are the most; in the path of a look, these come to no harm.
_IDS: Final = IdRule(re.compile(r"[A-Za-z0-9._:-]{1,128}"), '1 to 128 of letters, digits and "._:-"')
_TYPES: Final[Mapping[OrderType, str]] = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP",
    # [doc] TAKE_PROFIT belongs to one trade and closes it; an order of its own that waits for a price from the other
    # side is MARKET_IF_TOUCHED.
    OrderType.TAKE_PROFIT: "MARKET_IF_TOUCHED",
}
_ON_FILL: Final = {OrderType.STOP: "stopLossOnFill", OrderType.TAKE_PROFIT: "takeProfitOnFill"}
_ATTACHED: Final = {OrderType.STOP: "STOP_LOSS", OrderType.TAKE_PROFIT: "TAKE_PROFIT"}
"""What belongs to one trade, and closes it."""
_WAITING: Final = {TimeInForce.GTC: "GTC", TimeInForce.DAY: "GFD"}
_AT_ONCE: Final = {TimeInForce.FOK: "FOK", TimeInForce.IOC: "IOC"}
_TAKEN: Final[Mapping[OrderType, Mapping[TimeInForce, str]]] = {
    OrderType.MARKET: _AT_ONCE,
    OrderType.LIMIT: {**_WAITING, **_AT_ONCE},
    OrderType.STOP: _WAITING,
    OrderType.TAKE_PROFIT: _WAITING,
}
"""By type: what it may be, the usual one first."""


def express(terms: OrderTerms) -> Request:
    """The order as JSON, without a token. Raises Inexpressible."""
    return _request(terms, _order(terms))


def express_group(group: Group) -> Request:
    """The entry with what is to protect the trade that it opens: one order, one answer. Raises Inexpressible.

    [doc] TakeProfitDetails, StopLossDetails: the broker creates them in the very transaction that fills the entry;
    where it cannot (STOP_LOSS_ON_FILL_LOSS and its like), it cancels the entry instead of filling it.
    """
    if group.link is not Link.ON_FILL:
        raise Inexpressible("OANDA links orders to the trade that they close, and no others to each other")
    order = _order(group.first)
    for terms in group.companions:
        check(terms, _IDS)
        name = _ON_FILL.get(terms.type)
        if name is None or terms.side is group.first.side or terms.quantity != group.first.quantity:
            raise Inexpressible("OANDA takes a stop and a take-profit along with an entry, for all that it opens")
        at = plain(terms.stop_price or Decimal(0))
        order[name] = {"price": at, "timeInForce": "GTC", "clientExtensions": {"id": terms.client_id}}
    order["tradeClientExtensions"] = {"id": group.first.client_id}
    return _request(group.first, order)


def companion(terms: OrderTerms) -> Request:
    """What stands for an order that was made on fill: without its trade it could not be placed, and is never sent."""
    order = {
        "type": _ATTACHED[terms.type],
        "instrument": terms.instrument,
        "clientExtensions": {"id": terms.client_id},
    }
    return _request(terms, order)


def _order(terms: OrderTerms) -> dict[str, object]:
    check(terms, _IDS)
    if not _ACCOUNT.fullmatch(terms.account):
        raise Inexpressible("OANDA has to be told the account: set `account` to its id, such as 101-001-1234567-001")
    at = terms.price or terms.stop_price
    units = plain(terms.quantity)
    return {
        "type": _TYPES[terms.type],
        "instrument": terms.instrument,
        "units": units if terms.side is Side.BUY else f"-{units}",
        **({} if at is None else {"price": plain(at)}),
        "timeInForce": lasting(terms, "OANDA", _TAKEN[terms.type]),
        "positionFill": "REDUCE_ONLY" if terms.reduce_only else "DEFAULT",
        "clientExtensions": {"id": terms.client_id},
    }


def _request(terms: OrderTerms, order: Mapping[str, object]) -> Request:
    body = json.dumps({"order": order}, separators=(",", ":")).encode()
    return Request("POST", f"/v3/accounts/{terms.account}/orders", _JSON, body)


def unsigned(request: Request) -> Request:
    """The request without its token; of its headers only those that say how the body is written and read."""
    headers = tuple(pair for pair in request.headers if pair[0].lower() in _KEPT)
    return Request(request.method, request.target, headers, request.body)


def cancellation(request: Request, intent: Intent) -> Request | None:
    """The cancel of the order that the request places; None when it places none, or none that has an id."""
    specifier = specifier_of(intent.client_id)
    if intent.endpoint.name != "place_order" or not specifier:
        return None
    account = "/".join(request.path.split("/")[:4])
    return Request("PUT", f"{account}/orders/{specifier}/cancel", ())


def lane(request: Request) -> Lane:
    """The account in the path, and the instrument of the order, or of the position that is closed."""
    segments = request.path.split("/")
    if segments[:3] != ["", "v3", "accounts"]:
        return Lane("", "")
    instrument = order_of(request).get("instrument") if request.body else None
    if segments[4:5] == ["positions"]:
        instrument = unquote("".join(segments[5:6]))
    return Lane(unquote("".join(segments[3:4])), instrument if isinstance(instrument, str) else "")


def price_request(terms: OrderTerms) -> Request | None:
    """The prices of the order's instrument in its account; None when it names no account."""
    if not _ACCOUNT.fullmatch(terms.account):
        return None
    return Request("GET", f"/v3/accounts/{terms.account}/pricing?instruments={quote(terms.instrument, safe='')}", ())


def told_price(terms: OrderTerms, answer: Answer) -> Decimal | None:
    """[doc] ClientPrice: the best ask for a buy, the best bid for a sell; None while the instrument is not traded."""
    said = told_by(answer)
    prices = said.get("prices") if isinstance(said, dict) else None
    listed = [item for item in prices if isinstance(item, dict)] if isinstance(prices, list) else []
    found = next((item for item in listed if item.get("instrument") == terms.instrument), {})
    side = found.get("asks" if terms.side is Side.BUY else "bids")
    best = side[0] if isinstance(side, list) and side else None
    return price(best.get("price")) if isinstance(best, dict) and found.get("tradeable") is not False else None


def mentioned(request: Request) -> list[str]:
    """[doc] OrderSpecifier: the client id that a path names after an `@`."""
    return [unquote(part.removeprefix("@")) for part in request.path.split("/") if part.startswith("@")]
