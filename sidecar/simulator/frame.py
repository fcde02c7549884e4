"""What the simulated brokers have in common that keep their books, their prices and their clock in one exchange."""

from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from sidecar.simulator.control import Executed


class Exchange(Protocol):
    """The broker without its wire."""

    def executed(self) -> Executed:
        """What truly stands, or stood, in the books."""

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market of one symbol; `KeyError` for one that is not traded."""

    def set_clock_offset(self, seconds: float) -> None:
        """Let the broker's clock run ahead of the true time."""

    def reset(self) -> None:
        """Empty the books."""


class Limits(Protocol):
    """How much is used of what may be asked for."""

    def reset(self) -> None:
        """Forget the requests."""


ExchangeT = TypeVar("ExchangeT", bound=Exchange)
LimitsT = TypeVar("LimitsT", bound=Limits)


class Frame(Generic[ExchangeT, LimitsT]):
    """One exchange and its limits, as a simulator is controlled."""

    def __init__(self, exchange: ExchangeT, limits: LimitsT) -> None:
        self.exchange = exchange
        self._limits = limits

    def executed(self) -> Executed:
        """What truly stands, or stood, in the books; see the exchange's own `executed`."""
        return self.exchange.executed()

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Put the price of a symbol, by its broker's name, at `price`; `KeyError` for one that is not traded."""
        self.exchange.set_price(symbol, price)

    def set_clock_offset(self, seconds: float) -> None:
        """Let the broker's clock run ahead of the true time (behind it where negative)."""
        self.exchange.set_clock_offset(seconds)

    def reset(self) -> None:
        """Begin anew: empty books, no requests counted, and whatever else the exchange forgets."""
        self.exchange.reset()
        self._limits.reset()
