"""One request as an endpoint sees it, and how an endpoint is described."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sidecar.simulator.binance.exchange import Account, Exchange
from sidecar.simulator.binance.parameters import Parameters


class Security(Enum):
    """What an endpoint asks of its caller."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class OrderCost:
    """What a placement counts against an account's order limits."""

    ten_seconds: int = 1
    minute: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """One request, parsed and let in."""

    exchange: Exchange
    parameters: Parameters
    caller: Account | None

    @property
    def account(self) -> Account:
        """The caller's account; only endpoints that ask for a key may look."""
        if self.caller is None:
            raise LookupError("an endpoint without a key has no account")
        return self.caller


Json = dict[str, Any] | list[Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and path, who may call it, what it costs in orders, and what it does."""

    method: str
    path: str
    run: Callable[[Call], Json]
    security: Security = Security.SIGNED
    orders: OrderCost | None = None
