"""Binance USD-M futures (`https://fapi.binance.com`)."""

from typing import Final

from sidecar.brokers import _binance_errors as errors
from sidecar.brokers import _binance_positions, _binance_stream
from sidecar.brokers._binance import BinanceProfile, Tables
from sidecar.brokers._binance_orders import USDM
from sidecar.brokers._binance_usdm_endpoints import ORDERS_1M, ORDERS_10S, ROUTES, WEIGHT
from sidecar.brokers.limits import Scope, WindowSpec
from sidecar.brokers.positions import Position, Positions
from sidecar.brokers.streams import OrderStream
from sidecar.wire import Request

LIMITS: Final = (
    # [doc] "Limits": weight counts for the address, orders for the account; `exchangeInfo` tells the real values.
    WindowSpec(WEIGHT, 2400, 60, Scope.ADDRESS, b"x-mbx-used-weight-1m"),
    WindowSpec(ORDERS_10S, 300, 10, Scope.ACCOUNT, b"x-mbx-order-count-10s"),
    WindowSpec(ORDERS_1M, 1200, 60, Scope.ACCOUNT, b"x-mbx-order-count-1m"),
)


class BinanceUsdm(BinanceProfile):
    """The futures interface. [doc] A 503 comes in variants of which some are definite failures; their text tells."""

    def __init__(self) -> None:
        super().__init__(
            Tables(
                name="binance-usdm",
                ping="/fapi/v1/ping",
                key_check="/fapi/v3/balance",
                routes=ROUTES,
                codes=errors.FUTURES,
                limits=LIMITS,
                weight_limit=WEIGHT,
                foreign={},
                definite_5xx=True,
                refused_status=503,
                clock_path="/fapi/v1/time",
                dialect=USDM,
            )
        )

    def positions(self) -> Positions:
        """Asks for every position of the account."""
        return _binance_positions.positions()

    def closing(self, position: Position, client_id: str) -> Request:
        """A market order that can only reduce the position."""
        return _binance_positions.closing(position, client_id)

    def order_stream(self, account: str) -> OrderStream:  # noqa: ARG002 - a key has one account
        """The key's user-data stream."""
        return _binance_stream.order_stream()
