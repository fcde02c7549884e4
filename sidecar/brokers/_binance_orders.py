"""Orders in Binance's words: how the sidecar's own are expressed, kept without their signature, and taken back.

[doc] New Order, New Algo Order, Cancel Order, Cancel Algo Order, Symbol Order Book Ticker.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import quote, unquote_plus

from sidecar.brokers._answers import told_by
from sidecar.brokers._binance_lookup import named
from sidecar.brokers._binance_rules import parameters, value
from sidecar.brokers._terms import IdRule, check, lasting, plain, price
from sidecar.brokers.profile import Inexpressible, Lane, OrderTerms
from sidecar.wire import Answer, Request
from sidecar.words import OrderType, Side, TimeInForce

FORM: Final = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
_PERISHABLE: Final = frozenset({"timestamp", "signature", "apikey"})
"""Parameters that belong to one transmission, in lower case; the key only ever appears where a bot put it wrongly."""
_CLIENT_IDS: Final = re.compile(
    r"(?<!new)client(?:order|algo)id(?:list)?\"?[=:]\s*(\[[^]]*\]|[^&,}\]]*)", re.IGNORECASE
)
"""A client id, or a list of them, under any of Binance's names for one; not that of an order to come."""
_NOT_IN_AN_ID: Final = re.compile(r"[^A-Za-z0-9.:/_-]+")
_TAKEN: Final[Mapping[OrderType, Mapping[TimeInForce, str]]] = {
    # [doc] A market order takes no `timeInForce` and never rests, so that "immediate or cancel" is what it is anyway.
    OrderType.MARKET: {TimeInForce.IOC: ""},
    OrderType.LIMIT: {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"},
    # They wait until they are triggered or cancelled, and are market orders from then on.
    OrderType.STOP: {TimeInForce.GTC: ""},
    OrderType.TAKE_PROFIT: {TimeInForce.GTC: ""},
}
"""By type: what `time_in_force` may say, the usual first, and the parameter's value where there is such a parameter."""


@dataclass(frozen=True, slots=True)
class Form:
    """One endpoint that takes orders, and the words that it wants."""

    path: str
    types: Mapping[OrderType, str]
    """The `type` for each of ours that is placed here."""
    client_id: str
    """The parameter that carries the client id."""
    trigger: str = ""
    """The parameter that carries the stop price."""
    fixed: tuple[tuple[str, str], ...] = ()
    """What every order here carries."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one of Binance's interfaces takes orders."""

    forms: tuple[Form, ...]
    """Between them they take every type."""
    ids: IdRule
    positions: bool
    """Whether there are positions, and with them orders that can only reduce one."""
    ticker: str
    """Where the best bid and ask of one symbol are told."""


USDM: Final = Dialect(
    forms=(
        Form(
            "/fapi/v1/order",
            {OrderType.MARKET: "MARKET", OrderType.LIMIT: "LIMIT"},
            "newClientOrderId",
            fixed=(("newOrderRespType", "RESULT"),),
        ),
        # [doc] From 2025-12-09 on the order endpoint answers -4120 to conditional orders.
        Form(
            "/fapi/v1/algoOrder",
            {OrderType.STOP: "STOP_MARKET", OrderType.TAKE_PROFIT: "TAKE_PROFIT_MARKET"},
            "clientAlgoId",
            "triggerPrice",
            (("algoType", "CONDITIONAL"), ("newOrderRespType", "RESULT")),
        ),
    ),
    ids=IdRule(re.compile(r"[.A-Z:/a-z0-9_-]{1,36}"), '1 to 36 of letters, digits and ".:/_-"'),
    positions=True,
    ticker="/fapi/v1/ticker/bookTicker",
)
SPOT: Final = Dialect(
    forms=(
        Form(
            "/api/v3/order",
            {
                OrderType.MARKET: "MARKET",
                OrderType.LIMIT: "LIMIT",
                OrderType.STOP: "STOP_LOSS",
                OrderType.TAKE_PROFIT: "TAKE_PROFIT",
            },
            "newClientOrderId",
            "stopPrice",
            (("newOrderRespType", "FULL"),),
        ),
    ),
    # [seen] The range that spot's own -1100 names is narrower than that of the futures.
    ids=IdRule(re.compile(r"[A-Za-z0-9_-]{1,36}"), '1 to 36 of letters, digits, "-" and "_"'),
    positions=False,
    ticker="/api/v3/ticker/bookTicker",
)


def express(dialect: Dialect, terms: OrderTerms) -> Request:
    """The unsigned order, its parameters in a form body, where signing adds its own. Raises Inexpressible."""
    check(terms, dialect.ids)
    if terms.account:
        raise Inexpressible("at Binance the key names the account: leave `account` out, or configure another broker")
    form = next(form for form in dialect.forms if terms.type in form.types)
    asked = {
        "symbol": terms.instrument,
        "side": terms.side.name,
        "type": form.types[terms.type],
        "quantity": plain(terms.quantity),
        **_times(terms),
        **({"price": plain(terms.price)} if terms.price is not None else {}),
        **({form.trigger: plain(terms.stop_price)} if terms.stop_price is not None else {}),
        **_reducing(dialect, terms),
        form.client_id: terms.client_id,
        **dict(form.fixed),
    }
    body = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items())
    return Request("POST", form.path, FORM, body.encode())


def _times(terms: OrderTerms) -> dict[str, str]:
    """[doc] `timeInForce` is mandatory for limit orders, and refused where it says nothing."""
    word = lasting(terms, "Binance", _TAKEN[terms.type])
    return {"timeInForce": word} if word else {}


def _reducing(dialect: Dialect, terms: OrderTerms) -> dict[str, str]:
    if not terms.reduce_only:
        return {}
    if not dialect.positions:
        raise Inexpressible(
            "Binance spot has no positions and no `reduce_only`: a sell there trades away what the account holds, "
            "so send it without"
        )
    return {"reduceOnly": "true"}


def unsigned(request: Request) -> Request:
    """The request without key, timestamp and signature; `recvWindow` and every other byte are kept."""
    query, body = _kept(request.query), _kept(request.body.decode("latin-1"))
    headers = tuple(pair for pair in request.headers if pair[0].lower() == b"content-type")
    target = f"{request.path}?{query}" if query else request.path
    return Request(request.method, target, headers, body.encode("latin-1"))


def _kept(params: str) -> str:
    pairs = params.split("&")
    return "&".join(pair for pair in pairs if unquote_plus(pair.partition("=")[0]).lower() not in _PERISHABLE)


def cancellation(request: Request) -> Request | None:
    """The cancel of the one order that the request places; None when it places none, or none that has an id."""
    found = named(request)
    if found is None or found[0].cancels:
        return None
    return Request("DELETE", found[1], ())


def lane(request: Request) -> Lane:
    """The symbol; a key has only one account."""
    return Lane("", unquote_plus(value(parameters(request), "symbol=")).upper())


def price_request(dialect: Dialect, terms: OrderTerms) -> Request:
    """The best bid and ask of the order's symbol."""
    return Request("GET", f"{dialect.ticker}?symbol={quote(terms.instrument, safe='')}", ())


def told_price(terms: OrderTerms, answer: Answer) -> Decimal | None:
    """[doc] Symbol Order Book Ticker: the ask for a buy, the bid for a sell; an empty side of the book is told as 0."""
    said = told_by(answer)
    if not isinstance(said, dict) or said.get("symbol") != terms.instrument:
        return None
    return price(said.get("askPrice" if terms.side is Side.BUY else "bidPrice"))


def mentioned(request: Request) -> list[str]:
    """The client ids that a cancel or a change names, wherever they stand."""
    text = unquote_plus(f"{request.target}&{request.body.decode('latin-1')}")
    return [word for found in _CLIENT_IDS.findall(text) for word in _NOT_IN_AN_ID.split(found) if word]
