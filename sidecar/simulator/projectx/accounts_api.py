"""`/api/Auth`, `/api/Account`, `/api/Position`, `/api/Trade`, `/api/Status`."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sidecar.simulator.projectx.calls import Call, endpoint
from sidecar.simulator.projectx.exchange import Exchange


def routes(exchange: Exchange) -> list[web.RouteDef]:
    """The endpoints of sessions and of what an account holds."""
    return [
        *endpoint(exchange, "/api/Auth/loginKey", _log_in, needs_token=False),
        *endpoint(exchange, "/api/Auth/validate", _validate),
        *endpoint(exchange, "/api/Auth/logout", _log_out),
        *endpoint(exchange, "/api/Account/search", _accounts),
        *endpoint(exchange, "/api/Position/searchOpen", _positions),
        *endpoint(exchange, "/api/Position/closeContract", _close),
        *endpoint(exchange, "/api/Position/partialCloseContract", _close_partly),
        *endpoint(exchange, "/api/Trade/search", _trades),
        web.get("/api/Status/ping", _ping),
    ]


def _log_in(call: Call) -> Mapping[str, Any]:
    return {"token": call.exchange.log_in(call.fields.text("userName"), call.fields.text("apiKey"))}


def _validate(call: Call) -> Mapping[str, Any]:
    return {"newToken": call.exchange.renew(call.token)}


def _log_out(call: Call) -> Mapping[str, Any]:
    call.exchange.log_out(call.token)
    return {}


def _accounts(call: Call) -> Mapping[str, Any]:
    accounts = [call.exchange.ledgers[number].account for number in call.accounts]
    only_active = call.fields.flag("onlyActiveAccounts")
    return {"accounts": [account.as_json() for account in accounts if account.can_trade or not only_active]}


def _positions(call: Call) -> Mapping[str, Any]:
    account = call.ledger().account
    return {"positions": [account.position_as_json(position) for position in account.positions.values()]}


def _close(call: Call) -> Mapping[str, Any]:
    call.ledger().close(call.fields.text("contractId"))
    return {}


def _close_partly(call: Call) -> Mapping[str, Any]:
    call.ledger().close(call.fields.text("contractId"), call.fields.integer("size"))
    return {}


def _trades(call: Call) -> Mapping[str, Any]:
    start, end = call.fields.time("startTimestamp") or 0.0, call.fields.time("endTimestamp")
    trades = call.ledger().account.trades
    return {"trades": [trade.as_json() for trade in trades if start <= trade.created <= (end or float("inf"))]}


async def _ping(_request: web.Request) -> web.Response:
    return web.Response(text="pong")
