"""The ProjectX gateway as a simulator serves it: routes, limits, and its own words for the faults."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sidecar.clock import Clock, SystemClock
from sidecar.simulator.faults import CannedAnswer, Fault, FaultKind
from sidecar.simulator.frame import Frame
from sidecar.simulator.projectx import accounts_api, market_api, orders_api
from sidecar.simulator.projectx.errors import code
from sidecar.simulator.projectx.exchange import Exchange, Rules, UserSpec
from sidecar.simulator.projectx.limits import Limits

_JSON: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})
# The gateway documents 401 and 429, and the two codes that leave it open; nothing of an outage, a ban or maintenance.
# Bare statuses stand in for those, and 429 for a failure that is definite.
_TOO_MANY = CannedAnswer(429, {}, b"")
_CANNED: Mapping[FaultKind, CannedAnswer] = MappingProxyType(
    {
        FaultKind.RATE_LIMITED: _TOO_MANY,
        FaultKind.THROTTLED: _TOO_MANY,
        FaultKind.UNAVAILABLE_DEFINITE: _TOO_MANY,
        FaultKind.BANNED: CannedAnswer(403, {}, b""),
    }
)


class ProjectXBroker(Frame[Exchange, Limits]):
    """The gateway's REST API over simulated accounts; deterministic under a seed and a clock.

    Args:
        seed: Decides how prices move and what bars show.
        users: The users to begin with; an account's number may appear once.
        rules: How the gateway behaves where it can behave differently.
        clock: The true time; the broker's own may be set apart from it.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        users: Sequence[UserSpec] = (UserSpec(),),
        rules: Rules | None = None,
        clock: Clock | None = None,
    ) -> None:
        rules, clock = rules or Rules(), clock or SystemClock()
        super().__init__(Exchange(users, rules, clock, seed), Limits(rules, clock))

    @property
    def name(self) -> str:
        """The broker's name, in lower case."""
        return "projectx"

    def application(self, faults: Middleware) -> web.Application:
        """The REST API. Limits also count what a fault then spoils."""
        application = web.Application(middlewares=[self._limit(), faults])
        application.add_routes(accounts_api.routes(self.exchange))
        application.add_routes(orders_api.routes(self.exchange))
        application.add_routes(market_api.routes(self.exchange))
        return application

    def canned(self, fault: Fault) -> CannedAnswer | None:
        """The gateway's own words for a fault that is an answer; `None` where it has none.

        A fault of one endpoint that leaves it open is told by that endpoint's own code, under HTTP 200.
        """
        if fault.kind in {FaultKind.UNAVAILABLE_UNKNOWN, FaultKind.TIMEOUT_UNKNOWN}:
            return _ambiguous(fault)
        return _CANNED.get(fault.kind)

    def set_open(self, symbol: str, *, is_open: bool) -> None:
        """Open or close trading in a contract; `KeyError` for one that does not exist."""
        self.exchange.set_open(symbol, is_open=is_open)

    def _limit(self) -> Middleware:
        @web.middleware
        async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._limits.admit(request.remote or "", request.path):
                return await handler(request)
            return _TOO_MANY.response()

        return limit


def _ambiguous(fault: Fault) -> CannedAnswer | None:
    names = ("OrderPending", "Pending") if fault.kind is FaultKind.TIMEOUT_UNKNOWN else ("UnknownError",)
    for name in names:
        try:
            number = code(fault.path, name)
        except KeyError:
            continue
        body = {"success": False, "errorCode": number, "errorMessage": None}
        return CannedAnswer(200, _JSON, json.dumps(body).encode())
    return None
