"""What can be traded and at what price."""

from dataclasses import dataclass, replace
from decimal import Decimal

from sidecar.simulator.openalgo.errors import RefusedError

FRACTIONAL = "CRYPTO"
"""The one exchange that takes fractions."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What an instrument costs now. `middle` lies half a `tick` from bid and ask."""

    exchange: str
    symbol: str
    middle: Decimal
    tick: Decimal

    @property
    def name(self) -> str:
        """The name by which prices are set: `NSE:SBIN`."""
        return f"{self.exchange}:{self.symbol}"

    @property
    def bid(self) -> Decimal:
        """What a seller gets."""
        return self.middle - self.tick / 2

    @property
    def ask(self) -> Decimal:
        """What a buyer pays."""
        return self.middle + self.tick / 2

    def side(self, quantity: Decimal) -> Decimal:
        """The price for a signed quantity: the ask for a purchase, the bid for a sale."""
        return self.ask if quantity > 0 else self.bid


_STARTS = (
    Quote("NSE", "SBIN", Decimal(800), Decimal("0.05")),
    Quote("NSE", "INFY", Decimal(1500), Decimal("0.05")),
    Quote("NSE", "RELIANCE", Decimal(1400), Decimal("0.1")),
    Quote("NSE", "YESBANK", Decimal(20), Decimal("0.01")),
    Quote("BSE", "SBIN", Decimal(800), Decimal("0.05")),
    Quote("NFO", "NIFTY30DEC27FUT", Decimal(26000), Decimal("0.1")),
    Quote("CRYPTO", "BTCUSDT", Decimal(100_000), Decimal("0.5")),
)


class Market:
    """The quotes of all instruments. They stand still until somebody moves them."""

    def __init__(self) -> None:
        self._quotes = {quote.name: quote for quote in _STARTS}

    def quote(self, exchange: str, symbol: str) -> Quote:
        """The quote of an instrument; `RefusedError` for one that is not traded."""
        found = self._quotes.get(f"{exchange}:{symbol}")
        if found is None:
            raise RefusedError(400, f"Symbol '{symbol}' not found for exchange '{exchange}'.")
        return found

    def set_price(self, name: str, middle: Decimal) -> Quote:
        """Put the middle somewhere else; `KeyError` for an instrument that is not traded."""
        self._quotes[name] = moved = replace(self._quotes[name], middle=middle)
        return moved
