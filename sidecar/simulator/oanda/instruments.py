"""What can be traded, and how its numbers are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from sidecar.simulator.oanda.stamps import Json

HOME = "USD"
"""The currency of every simulated account."""

MAXIMUM_UNITS = Decimal(100_000_000)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A currency pair. `start` is the middle of the first quote, `spread` the distance from bid to ask."""

    name: str
    pip_location: int
    precision: int
    """Decimals of a price."""
    margin_rate: Decimal
    start: Decimal
    spread: Decimal

    @property
    def base(self) -> str:
        """The currency that one unit is."""
        return self.name.partition("_")[0]

    @property
    def quote(self) -> str:
        """The currency that prices are in."""
        return self.name.partition("_")[2]

    @property
    def point(self) -> Decimal:
        """The smallest step of a price."""
        return Decimal(1).scaleb(-self.precision)

    def price(self, value: Decimal) -> str:
        """A price as OANDA writes it, always with all its decimals."""
        return str(value.quantize(self.point))

    def as_json(self) -> Json:
        """The instrument as `/instruments` tells it."""
        return {
            "name": self.name,
            "type": "CURRENCY",
            "displayName": self.name.replace("_", "/"),
            "pipLocation": self.pip_location,
            "displayPrecision": self.precision,
            "tradeUnitsPrecision": 0,
            "minimumTradeSize": "1",
            "maximumTrailingStopDistance": self.price(Decimal(10_000).scaleb(self.pip_location)),
            "minimumTrailingStopDistance": self.price(Decimal(5).scaleb(self.pip_location)),
            "maximumPositionSize": "0",
            "maximumOrderUnits": str(MAXIMUM_UNITS),
            "marginRate": str(self.margin_rate),
        }


def _pair(name: str, pip_location: int, margin_rate: str, start: str, spread: str) -> Instrument:
    precision = 1 - pip_location
    return Instrument(name, pip_location, precision, Decimal(margin_rate), Decimal(start), Decimal(spread))


INSTRUMENTS: Mapping[str, Instrument] = MappingProxyType(
    {
        pair.name: pair
        for pair in (
            _pair("EUR_USD", -4, "0.02", "1.10000", "0.00014"),
            _pair("GBP_USD", -4, "0.05", "1.28000", "0.00018"),
            _pair("USD_JPY", -2, "0.04", "150.000", "0.014"),
        )
    }
)


def money(value: Decimal) -> str:
    """An amount of the home currency as OANDA writes it."""
    return str(value.quantize(Decimal("0.0001")))


def units(value: Decimal) -> str:
    """A number of units as OANDA writes it."""
    return str(value.quantize(Decimal(1)))
