"""The contracts that can be traded, with the tick sizes and values that the gateway's documentation shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Contract:
    """One future; `margin` in USD is what one contract binds."""

    id: str
    name: str
    description: str
    tick_size: Decimal
    tick_value: Decimal
    start: Decimal
    margin: Decimal

    @property
    def symbol_id(self) -> str:
        """The contract without its month."""
        return self.id.removeprefix("CON.").rpartition(".")[0]

    def aligned(self, price: Decimal) -> bool:
        """Whether a price is a whole number of ticks."""
        return price % self.tick_size == 0

    def worth(self, move: Decimal) -> Decimal:
        """What a move of the price is worth to one contract, in USD."""
        return move / self.tick_size * self.tick_value

    def as_json(self) -> dict[str, Any]:
        """The contract as answers tell it."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "tickSize": float(self.tick_size),
            "tickValue": float(self.tick_value),
            "activeContract": True,
            "symbolId": self.symbol_id,
        }


def _contract(root: str, name: str, description: str, *figures: str) -> Contract:
    return Contract(f"CON.F.US.{root}.Z26", f"{name}Z6", f"{description}: December 2026", *map(Decimal, figures))


CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {
        contract.id: contract
        for contract in (
            _contract("EP", "ES", "E-Mini S&P 500", "0.25", "12.5", "6900", "500"),
            _contract("MES", "MES", "Micro E-mini S&P 500", "0.25", "1.25", "6900", "50"),
            _contract("ENQ", "NQ", "E-mini NASDAQ-100", "0.25", "5", "25000", "1000"),
            _contract("MNQ", "MNQ", "Micro E-mini Nasdaq-100", "0.25", "0.5", "25000", "100"),
            _contract("EU6", "6E", "Euro FX (Globex)", "0.00005", "6.25", "1.17", "250"),
        )
    }
)
"""By id."""
