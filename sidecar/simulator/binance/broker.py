"""Binance as a broker that can be simulated."""

from collections.abc import Iterable
from decimal import Decimal

from aiohttp import web
from aiohttp.typedefs import Middleware

from sidecar.clock import Clock, SystemClock
from sidecar.simulator.binance.canned import canned_answer, error_answer
from sidecar.simulator.binance.exchange import Credentials, Exchange
from sidecar.simulator.binance.gateway import Gateway
from sidecar.simulator.binance.limits import SPOT_LIMITS, Limits
from sidecar.simulator.control import Executed
from sidecar.simulator.faults import CannedAnswer, Fault, FaultKind


class BinanceBroker:
    """USD-M futures with their algo orders, and as much of spot as its clients touch.

    Args:
        seed: Decides all that is random in the market data.
        clock: The time by which limits, windows and signatures go.
        accounts: Who may trade; by default `demo-key` with `demo-secret` and 10,000 USDT.
        limits: The futures' limits; the exchange's own by default.
        spot_limits: The spot market's limits.
        fill_cap: The most that one fill takes, in base asset, so that orders fill in parts; `None` for no end.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Clock | None = None,
        accounts: Iterable[Credentials] = (),
        limits: Limits | None = None,
        spot_limits: Limits = SPOT_LIMITS,
        fill_cap: Decimal | None = None,
    ) -> None:
        self.exchange = Exchange(
            clock=clock or SystemClock(),
            seed=seed,
            accounts=accounts,
            limits=limits,
            spot_limits=spot_limits,
            fill_cap=fill_cap,
        )

    @property
    def name(self) -> str:
        """`binance`."""
        return "binance"

    def application(self, faults: Middleware) -> web.Application:
        """The exchange's routes around `faults`."""
        return Gateway(self.exchange).application(faults)

    def canned(self, fault: Fault) -> CannedAnswer | None:
        """The exchange's words for a fault. A ban is a true one: every address seen so far is shut out."""
        if fault.kind is FaultKind.BANNED:
            return error_answer(self.exchange.meter.ban_everybody(fault.duration, self.exchange.now()))
        return canned_answer(fault, self.exchange.now_ms())

    def executed(self) -> Executed:
        """What truly happened, over all accounts."""
        return self.exchange.executed()

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market; `KeyError` for a symbol that is not traded."""
        self.exchange.set_price(symbol, price)

    def set_clock_offset(self, seconds: float) -> None:
        """Let the exchange's clock run ahead of the true time (behind it where negative)."""
        self.exchange.offset_seconds = seconds

    def reset(self) -> None:
        """Begin anew: first prices, full accounts, no orders, nothing counted."""
        self.exchange.reset()


def broker(*, seed: int = 0, clock: Clock | None = None) -> BinanceBroker:
    """The exchange with its own limits and the demo account."""
    return BinanceBroker(seed=seed, clock=clock)
