"""What has to hold of an order's terms at every broker, and how their numbers are written and read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from sidecar.brokers.profile import Inexpressible, OrderTerms
from sidecar.words import OrderType, TimeInForce

_PRICED: Final = frozenset({OrderType.LIMIT})
_TRIGGERED: Final = frozenset({OrderType.STOP, OrderType.TAKE_PROFIT})
_DIGITS: Final = 20
"""Most digits before and after the point; Binance documents as many, and no market needs more."""


@dataclass(frozen=True, slots=True)
class IdRule:
    """Which client order ids a broker takes."""

    pattern: re.Pattern[str]
    told: str
    """The rule for people: `1 to 36 letters, digits, "-" or "_"`."""


def check(terms: OrderTerms, ids: IdRule) -> None:
    """Raise Inexpressible unless the terms fit together and an order with them could be found again."""
    # Half a surrogate pair, which JSON may hold, is not printable either.
    if not terms.instrument or not terms.instrument.isprintable():
        raise Inexpressible("the order names no instrument: set `instrument` to the broker's own name of it")
    if not ids.pattern.fullmatch(terms.client_id):
        raise Inexpressible(f"the client id does not fit: this broker takes {ids.told}")
    _check_number("quantity", terms.quantity)
    _check_price("price", terms.price, terms, _PRICED)
    _check_price("stop_price", terms.stop_price, terms, _TRIGGERED)


def plain(value: Decimal) -> str:
    """A number without an exponent: `0.00000001`, never `1E-8`."""
    return f"{value:f}"


def price(told: object) -> Decimal | None:
    """A price as brokers write it in JSON, a string; None for what is none, or not above 0."""
    try:
        found = Decimal(told) if isinstance(told, str) else Decimal(0)
    except InvalidOperation:
        return None
    return found if found.is_finite() and found > 0 else None


def amount(told: object) -> Decimal | None:
    """A quantity that was traded, 0 among them, as brokers write it in JSON; None for what is none.

    Brokers that write sales as negative numbers are read without their sign.
    """
    try:
        found = Decimal(told) if isinstance(told, str) else None
    except InvalidOperation:
        return None
    return abs(found) if found is not None and found.is_finite() else None


def lasting(terms: OrderTerms, broker: str, taken: Mapping[TimeInForce, str]) -> str:
    """The broker's word for how long the order stays; `taken` are the words for this type, the usual one first."""
    wanted = next(iter(taken)) if terms.time_in_force is None else terms.time_in_force
    if wanted in taken:
        return taken[wanted]
    told = f"{broker} takes no {_spoken(terms.type)} order that is `{wanted}`"
    raise Inexpressible(f"{told}: leave `time_in_force` out, or use {' or '.join(f'`{word}`' for word in taken)}")


def _check_price(name: str, value: Decimal | None, terms: OrderTerms, types: frozenset[OrderType]) -> None:
    if terms.type not in types:
        if value is not None:
            raise Inexpressible(f"a {_spoken(terms.type)} order takes no `{name}`: leave it out")
    elif value is None:
        raise Inexpressible(f"a {_spoken(terms.type)} order needs a `{name}`")
    else:
        _check_number(name, value)


def _check_number(name: str, value: Decimal) -> None:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or value <= 0:
        raise Inexpressible(f"`{name}` has to be a number above 0")
    if exponent < -_DIGITS or value.adjusted() >= _DIGITS or exponent > _DIGITS:
        raise Inexpressible(f"`{name}` has more than {_DIGITS} digits before or after the point")


def _spoken(kind: OrderType) -> str:
    return kind.value.replace("_", "-")
