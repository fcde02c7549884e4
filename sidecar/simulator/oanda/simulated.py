"""OANDA as a simulator serves it: routes, limits, and its own words for the faults."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sidecar.clock import Clock, SystemClock
from sidecar.simulator.faults import CannedAnswer, Fault, FaultKind
from sidecar.simulator.frame import Frame
from sidecar.simulator.oanda import accounts_api, market_api, orders_api, transactions_api
from sidecar.simulator.oanda.calls import refuse
from sidecar.simulator.oanda.errors import bad_request
from sidecar.simulator.oanda.exchange import AccountSpec, Exchange, Rules
from sidecar.simulator.oanda.limits import Limits, too_many

_JSON: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})


def _canned(status: int, message: str) -> CannedAnswer:
    return CannedAnswer(status, _JSON, f'{{"errorMessage":"{message}"}}'.encode())


_MAINTENANCE = _canned(503, "System under maintenance, please try again later.")
_TIMEOUT = _canned(504, "Timeout waiting for response.")
_TOO_MANY = _canned(429, str(too_many("requests").body["errorMessage"]))

# The maintenance and the timeout bodies were seen in users' logs. OANDA knows no ban and no throttling of its own:
# 403 and 429 are the nearest that it does know, and its only documented-by-use definite failure is maintenance.
_CANNED: Mapping[FaultKind, CannedAnswer] = MappingProxyType(
    {
        FaultKind.MAINTENANCE: _MAINTENANCE,
        FaultKind.UNAVAILABLE_DEFINITE: _MAINTENANCE,
        FaultKind.UNAVAILABLE_UNKNOWN: _TIMEOUT,
        FaultKind.TIMEOUT_UNKNOWN: _TIMEOUT,
        FaultKind.RATE_LIMITED: _TOO_MANY,
        FaultKind.THROTTLED: _TOO_MANY,
        FaultKind.BANNED: _canned(403, "The provided request was forbidden."),
        FaultKind.INTERNAL: _canned(500, "Internal Server Error"),
    }
)


class OandaBroker(Frame[Exchange, Limits]):
    """The OANDA v20 REST API over simulated accounts; deterministic under a seed and a clock.

    Args:
        seed: Decides how prices move and what candles show.
        accounts: The accounts to begin with; an account id may appear once, a token several times.
        rules: How the broker behaves where it can behave differently.
        clock: The true time; the broker's own may be set apart from it.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        accounts: Sequence[AccountSpec] = (AccountSpec(),),
        rules: Rules | None = None,
        clock: Clock | None = None,
    ) -> None:
        rules, clock = rules or Rules(), clock or SystemClock()
        super().__init__(Exchange(accounts, rules, clock, seed), Limits(rules, clock))

    @property
    def name(self) -> str:
        """The broker's name, in lower case."""
        return "oanda"

    def application(self, faults: Middleware) -> web.Application:
        """The REST and the streaming API on one address. Limits also count what a fault then spoils."""
        application = web.Application(middlewares=[self._limit(), faults, self._strangers()])
        application.add_routes(accounts_api.routes(self.exchange))
        application.add_routes(orders_api.routes(self.exchange))
        application.add_routes(market_api.routes(self.exchange, self._limits))
        application.add_routes(transactions_api.routes(self.exchange, self._limits))
        return application

    def canned(self, fault: Fault) -> CannedAnswer | None:
        """OANDA's own words for a fault that is an answer; `None` where it has none."""
        return _CANNED.get(fault.kind)

    def set_halted(self, symbol: str, *, halted: bool) -> None:
        """Halt or reopen trading in an instrument; `KeyError` for one that is not traded."""
        self.exchange.set_halted(symbol, halted=halted)

    def _limit(self) -> Middleware:
        @web.middleware
        async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._limits.admit(request.remote or ""):
                return await handler(request)
            return refuse(request, self.exchange, too_many("requests"))

        return limit

    def _strangers(self) -> Middleware:
        @web.middleware
        async def strangers(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
                return refuse(request, self.exchange, bad_request(error.reason, error.status))

        return strangers
