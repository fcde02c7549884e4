"""Binance's HTTP face: who is let in, in which order that is checked, and what each answer carries."""

import json
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sidecar.simulator.binance import accounts, public, spot_endpoints, streams, trading
from sidecar.simulator.binance.call import Call, Endpoint, Security
from sidecar.simulator.binance.errors import BinanceError
from sidecar.simulator.binance.exchange import Account, Exchange
from sidecar.simulator.binance.limits import Meter
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.signing import check_signature, check_time
from sidecar.simulator.binance.weights import weight_of
from sidecar.simulator.faults import clock_skew

ENDPOINTS = (*public.ENDPOINTS, *trading.ENDPOINTS, *accounts.ENDPOINTS, *spot_endpoints.ENDPOINTS)
"""Everything that the simulated exchange answers."""

_PARAMETERS = web.RequestKey("parameters", Parameters)
_BODY = web.RequestKey("body", str)
_WEIGHT_HEADERS = {"sapi": "X-SAPI-USED-IP-WEIGHT-1M"}


class Gateway:
    """The handlers and middlewares around one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def application(self, faults: Middleware) -> web.Application:
        """The routes. Limits are counted before faults happen; headers are part of what faults spoil."""
        application = web.Application(middlewares=[self._admit(), faults, self._answer()])
        for endpoint in ENDPOINTS:
            application.router.add_route(endpoint.method, endpoint.path, self._handler(endpoint))
        application.add_routes(streams.routes(self._exchange))
        return application

    def _admit(self) -> Middleware:
        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            request[_BODY] = body = (await request.read()).decode("utf-8", "replace")
            request[_PARAMETERS] = parameters = Parameters.parse(_raw_query(request), body)
            weight = weight_of(request.method, request.path, parameters)
            try:
                self._meter(request).admit(_address(request), weight, self._exchange.now())
            except BinanceError as error:
                return self._with_weight(request, _error(error))
            return self._with_weight(request, await handler(request))

        return admit

    def _answer(self) -> Middleware:
        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                response = await handler(request)
            except BinanceError as error:
                response = _error(error)
            except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
                told = f"Path {request.path}, Method {request.method} is invalid"
                response = _error(BinanceError(-5000, told, 404))
            return self._with_weight(request, response)

        return answer

    def _handler(self, endpoint: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            exchange, parameters = self._exchange, request[_PARAMETERS]
            exchange.time_passed()
            caller = None
            if endpoint.security is not Security.NONE:
                caller = self._authenticate(request, signed=endpoint.security is Security.SIGNED)
            headers = {}
            if caller is not None and endpoint.orders is not None:
                meter, key, now = self._meter(request), caller.credentials.key, exchange.now()
                meter.count_orders(key, endpoint.orders.ten_seconds, endpoint.orders.minute, now)
                ten_seconds, minute = meter.used_orders(key, now)
                headers = {"X-MBX-ORDER-COUNT-10S": str(ten_seconds), "X-MBX-ORDER-COUNT-1M": str(minute)}
            return _json(endpoint.run(Call(exchange, parameters, caller)), headers=headers)

        return handle

    def _authenticate(self, request: web.Request, *, signed: bool) -> Account:
        key = request.headers.get("X-MBX-APIKEY", "")
        if not key:
            raise BinanceError(-2014, "API-key format invalid.", 401)
        account = self._exchange.account(key)
        if signed:
            now_ms = self._exchange.now_ms() + int(clock_skew(request) * 1000)
            check_time(request[_PARAMETERS], now_ms)
            check_signature(account.credentials.secret, _raw_query(request), request[_BODY])
        return account

    def _meter(self, request: web.Request) -> Meter:
        return self._exchange.meters.get(_family(request), self._exchange.meter)

    def _with_weight(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        if not response.prepared:
            used = self._meter(request).used_weight(_address(request), self._exchange.now())
            name = _WEIGHT_HEADERS.get(_family(request), "X-MBX-USED-WEIGHT-1M")
            response.headers[name] = str(used)
        return response


def _address(request: web.Request) -> str:
    return request.remote or ""


def _family(request: web.Request) -> str:
    return request.path.split("/", 2)[1]


def _raw_query(request: web.Request) -> str:
    # As it was sent: a URL library would unquote and quote it anew, and the signature would be of other bytes.
    return request.raw_path.partition("?")[2]


def _error(error: BinanceError) -> web.Response:
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _json(error.as_json(), status=error.status, headers=headers)


def _json(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    encoded = json.dumps(body, separators=(",", ":")).encode()
    return web.Response(status=status, headers=headers, body=encoded, content_type="application/json")
