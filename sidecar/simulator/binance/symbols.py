"""What is traded, and by which rules."""

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sidecar.simulator.binance.errors import invalid_symbol

LIMIT_TYPES = ("LIMIT", "MARKET")
CONDITIONAL_TYPES = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
FUTURES_TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
_ONBOARDED_MS = 1_569_398_400_000
_NEVER_DELIVERED_MS = 4_133_404_800_000


@dataclass(frozen=True, slots=True)
class Symbol:
    """One contract and its filters. Prices in quote asset, quantities in base asset."""

    name: str
    base: str
    quote: str
    price: Decimal
    tick: Decimal
    step: Decimal
    minimum_quantity: Decimal
    maximum_quantity: Decimal
    minimum_notional: Decimal

    def money(self, value: Decimal) -> str:
        """A price as the exchange writes it."""
        return f"{value.quantize(self.tick):f}" if value % self.tick == 0 else f"{value:.8f}"

    def amount(self, value: Decimal) -> str:
        """A quantity as the exchange writes it."""
        return f"{value.quantize(self.step):f}" if value % self.step == 0 else f"{value:.8f}"

    def futures_json(self) -> dict[str, Any]:
        """The entry in the futures' `exchangeInfo`."""
        return {
            "symbol": self.name,
            "pair": self.name,
            "contractType": "PERPETUAL",
            "deliveryDate": _NEVER_DELIVERED_MS,
            "onboardDate": _ONBOARDED_MS,
            "status": "TRADING",
            "maintMarginPercent": "2.5000",
            "requiredMarginPercent": "5.0000",
            "baseAsset": self.base,
            "quoteAsset": self.quote,
            "marginAsset": self.quote,
            "pricePrecision": _digits(self.tick),
            "quantityPrecision": _digits(self.step),
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "underlyingSubType": ["PoW"],
            "triggerProtect": "0.0500",
            "liquidationFee": "0.012500",
            "marketTakeBound": "0.05",
            "maxMoveOrderLimit": 10000,
            "filters": [
                *self._size_filters("MARKET_LOT_SIZE"),
                {"filterType": "MAX_NUM_ORDERS", "limit": 200},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
                {"filterType": "MIN_NOTIONAL", "notional": str(self.minimum_notional)},
                {
                    "filterType": "PERCENT_PRICE",
                    "multiplierUp": "1.0500",
                    "multiplierDown": "0.9500",
                    "multiplierDecimal": "4",
                },
            ],
            "orderTypes": [*LIMIT_TYPES, *CONDITIONAL_TYPES],
            "timeInForce": list(FUTURES_TIMES_IN_FORCE),
        }

    def spot_json(self) -> dict[str, Any]:
        """The entry in the spot market's `exchangeInfo`."""
        return {
            "symbol": self.name,
            "status": "TRADING",
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "icebergAllowed": True,
            "ocoAllowed": False,
            "otoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": False,
            "cancelReplaceAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [
                *self._size_filters("MARKET_LOT_SIZE"),
                {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
            ],
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
        }

    def _size_filters(self, market: str) -> list[dict[str, Any]]:
        sizes = {"minQty": str(self.minimum_quantity), "stepSize": str(self.step)}
        return [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": str(self.tick),
                "maxPrice": "4529764",
                "tickSize": str(self.tick),
            },
            {"filterType": "LOT_SIZE", "maxQty": str(self.maximum_quantity), **sizes},
            {"filterType": market, "maxQty": str(self.maximum_quantity / 10), **sizes},
        ]


def _digits(step: Decimal) -> int:
    return max(0, -int(step.normalize().as_tuple().exponent))


SYMBOLS = MappingProxyType(
    {
        "BTCUSDT": Symbol(
            name="BTCUSDT",
            base="BTC",
            quote="USDT",
            price=Decimal(60_000),
            tick=Decimal("0.10"),
            step=Decimal("0.001"),
            minimum_quantity=Decimal("0.001"),
            maximum_quantity=Decimal(1000),
            minimum_notional=Decimal(100),
        ),
        "ETHUSDT": Symbol(
            name="ETHUSDT",
            base="ETH",
            quote="USDT",
            price=Decimal(3_000),
            tick=Decimal("0.01"),
            step=Decimal("0.001"),
            minimum_quantity=Decimal("0.001"),
            maximum_quantity=Decimal(10_000),
            minimum_notional=Decimal(20),
        ),
    }
)
"""The contracts of the simulated exchange. Minimum notionals: 100 USDT for BTCUSDT, 20 for ETHUSDT."""


def symbol_of(name: str) -> Symbol:
    """The contract of that name; -1121 where there is none."""
    if name not in SYMBOLS:
        raise invalid_symbol()
    return SYMBOLS[name]
