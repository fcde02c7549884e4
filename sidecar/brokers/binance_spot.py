"""Binance spot (`https://api.binance.com`), with the limits of the `/sapi` paths that live on the same host."""

from decimal import Decimal
from typing import Final

from sidecar.brokers import _binance_errors as errors
from sidecar.brokers import _binance_groups
from sidecar.brokers._binance import BinanceProfile, Tables
from sidecar.brokers._binance_orders import SPOT
from sidecar.brokers._binance_spot_endpoints import ORDERS_1D, ORDERS_10S, ROUTES, WEIGHT
from sidecar.brokers.groups import Group
from sidecar.brokers.limits import Scope, WindowSpec
from sidecar.brokers.profile import OrderTerms, Progress
from sidecar.wire import Answer, Request

SAPI_IP: Final = "sapi_ip_weight_1m"
SAPI_UID: Final = "sapi_uid_weight_1m"

LIMITS: Final = (
    WindowSpec(WEIGHT, 6000, 60, Scope.ADDRESS, b"x-mbx-used-weight-1m"),
    # [doc] "Frequently Asked Questions on API"; `exchangeInfo` announces 100 and 200,000 to many accounts.
    WindowSpec(ORDERS_10S, 50, 10, Scope.ACCOUNT, b"x-mbx-order-count-10s"),
    WindowSpec(ORDERS_1D, 160_000, 86_400, Scope.ACCOUNT, b"x-mbx-order-count-1d"),
    # [doc] "General Info" of the /sapi endpoints: each counts by address or by account, and never leads to a ban.
    WindowSpec(SAPI_IP, 12_000, 60, Scope.ADDRESS, b"x-sapi-used-ip-weight-1m"),
    WindowSpec(SAPI_UID, 180_000, 60, Scope.ACCOUNT, b"x-sapi-used-uid-weight-1m"),
)


class BinanceSpot(BinanceProfile):
    """The spot interface.

    [doc] "HTTP Return Codes": every 5XX leaves open whether the request was executed. The sidecar's own "not sent"
    therefore never comes as a 5XX here but as 424, in the range that is documented as the sender's own failure.
    """

    def __init__(self) -> None:
        super().__init__(
            Tables(
                name="binance-spot",
                ping="/api/v3/ping",
                key_check="/api/v3/account?omitZeroBalances=true",
                routes=ROUTES,
                codes=errors.SPOT,
                limits=LIMITS,
                weight_limit=WEIGHT,
                foreign={"/sapi/": ((SAPI_IP, 1.0),)},
                definite_5xx=False,
                refused_status=424,
                clock_path="/api/v3/time",
                dialect=SPOT,
            )
        )

    covers_parts: bool = False
    """[doc] "New Order list - OTO": the pending order is placed when the working one has filled wholly."""
    locks_exits: bool = True

    def express_group(self, group: Group) -> Request:
        """The list that places them all. Raises Inexpressible."""
        return _binance_groups.express(SPOT, group)

    def companion(self, request: Request, terms: OrderTerms, broker_order_id: str) -> Request:  # noqa: ARG002 - the protocol's
        """What stands for another order of the list: each has a client id of its own."""
        return _binance_groups.companion(terms)

    def booked(self, answer: Answer) -> Decimal | None:
        """How much the order is for."""
        return _binance_groups.booked(answer)

    def progress(self, request: Request, answer: Answer) -> Progress | None:
        """How far the order is that the request places or cancels; of a list, its first."""
        told = _binance_groups.of_first(request, answer)
        return None if told is None else super().progress(request, told)
