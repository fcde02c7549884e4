"""OpenAlgo as a simulator serves it: routes, limits, the broker behind it, and its own words for the faults."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sidecar.clock import Clock, SystemClock
from sidecar.simulator.faults import CannedAnswer, Fault, FaultKind
from sidecar.simulator.frame import Frame
from sidecar.simulator.openalgo import errors, reading
from sidecar.simulator.openalgo.api import ORDERS, OWN, READS, Call, Endpoint
from sidecar.simulator.openalgo.book import Account
from sidecar.simulator.openalgo.errors import RefusedError
from sidecar.simulator.openalgo.exchange import Exchange, Rules
from sidecar.simulator.openalgo.limits import Limits

_JSON: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})


def _canned(status: int, message: str, **more: object) -> CannedAnswer:
    return CannedAnswer(status, _JSON, json.dumps({"status": "error", "message": message, **more}).encode())


# Much of what goes wrong at OpenAlgo went wrong at the broker behind it, whose status and words it hands on: a login
# that has expired (the one outage that is definite), a limit of that broker's own, an order system that is away.
_CANNED: Mapping[FaultKind, CannedAnswer] = MappingProxyType(
    {
        FaultKind.RATE_LIMITED: _canned(429, errors.TOO_MANY, retry_after=60),
        FaultKind.THROTTLED: _canned(429, errors.BROKER_TOO_MANY),
        FaultKind.BANNED: CannedAnswer(403, {"Content-Type": "text/plain"}, errors.BANNED.encode()),
        FaultKind.UNAVAILABLE_DEFINITE: _canned(403, errors.LOGGED_OUT),
        FaultKind.UNAVAILABLE_UNKNOWN: _canned(500, "Failed to place order due to internal error"),
        FaultKind.TIMEOUT_UNKNOWN: _canned(504, "Gateway timed out"),
        FaultKind.INTERNAL: _canned(500, "An unexpected error occurred in the API endpoint"),
        FaultKind.MAINTENANCE: _canned(503, "The order management system is unavailable"),
    }
)


class OpenAlgoBroker(Frame[Exchange, Limits]):
    """OpenAlgo's REST API over simulated accounts; deterministic under a clock.

    Args:
        seed: Taken as every simulator takes one; nothing here is left to chance.
        accounts: The accounts to begin with, each with the key that opens it.
        rules: How the broker behaves where it can behave differently.
        clock: The true time; the broker's own may be set apart from it.
    """

    def __init__(
        self,
        *,
        seed: int = 0,  # noqa: ARG002 - what every simulator is made with
        accounts: Sequence[Account] = (),
        rules: Rules | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._rules, self._clock = rules or Rules(), clock or SystemClock()
        limits = Limits(
            self._clock,
            orders=self._rules.orders_per_second,
            smart_orders=self._rules.smart_orders_per_second,
            others=self._rules.others_per_second,
        )
        super().__init__(Exchange(accounts or (Account(),), self._clock), limits)

    @property
    def name(self) -> str:
        """The broker's name, in lower case."""
        return "openalgo"

    def application(self, faults: Middleware) -> web.Application:
        """The REST API. Limits also count what a fault then spoils."""
        application = web.Application(middlewares=[self._limit(), faults, _courteous])
        for endpoints, handler in ((ORDERS, self._order), (READS, self._read), (OWN, self._own)):
            for name, answer in endpoints.items():
                served = handler(answer)
                for path in (f"/api/v1/{name}", f"/api/v1/{name}/"):
                    application.router.add_post(path, served)
        return application

    def canned(self, fault: Fault) -> CannedAnswer | None:
        """OpenAlgo's words for a fault that is an answer; `None` where it has none."""
        return _CANNED.get(fault.kind)

    def log_out(self) -> None:
        """Let the login at the backing broker expire, until `log_in`."""
        self.exchange.logged_out = True

    def log_in(self) -> None:
        """Log in at the backing broker, as a person does each morning."""
        self.exchange.logged_out = False

    def _order(self, answer: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            call = await self._open(request)
            self.exchange.must_be_logged_in(reading=False)
            told = answer(call)
            if self._rules.broker_seconds:
                await self._clock.sleep(self._rules.broker_seconds)
            return web.json_response(told)

        return handle

    def _read(self, answer: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            call = await self._open(request)
            self.exchange.must_be_logged_in(reading=True)
            return web.json_response(answer(call))

        return handle

    def _own(self, answer: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return web.json_response(answer(await self._open(request)))

        return handle

    async def _open(self, request: web.Request) -> Call:
        fields = reading.body_of(await request.read())
        return Call(self.exchange, self.exchange.account(reading.text(fields, "apikey")), fields)

    def _limit(self) -> Middleware:
        @web.middleware
        async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._limits.admit(request.remote or "", request.path):
                return await handler(request)
            await request.read()
            return _CANNED[FaultKind.RATE_LIMITED].response()

        return limit


@web.middleware
async def _courteous(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refusals, and paths that do not exist, in OpenAlgo's envelope."""
    try:
        return await handler(request)
    except RefusedError as error:
        return web.json_response(error.body, status=error.status)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
        told = {"status": "error", "message": "Not found", "path": request.path}
        return web.json_response(told, status=error.status)
