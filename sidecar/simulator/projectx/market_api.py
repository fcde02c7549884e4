"""`/api/Contract` and `/api/History`."""

import random
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sidecar.simulator.projectx.book import stamp
from sidecar.simulator.projectx.calls import Call, endpoint
from sidecar.simulator.projectx.contracts import CONTRACTS
from sidecar.simulator.projectx.errors import DeclinedError, InvalidError
from sidecar.simulator.projectx.exchange import Exchange

_UNITS = {1: 1, 2: 60, 3: 3600, 4: 86_400, 5: 604_800, 6: 2_592_000}
"""Seconds of AggregateBarUnit."""
_MOST_BARS = 20_000
_MOST_FOUND = 20


def routes(exchange: Exchange) -> list[web.RouteDef]:
    """The endpoints of contracts and prices."""
    return [
        *endpoint(exchange, "/api/Contract/search", _search),
        *endpoint(exchange, "/api/Contract/searchById", _by_id),
        *endpoint(exchange, "/api/Contract/available", _available),
        *endpoint(exchange, "/api/History/retrieveBars", _bars),
    ]


def _search(call: Call) -> Mapping[str, Any]:
    wanted = call.fields.text("searchText").lower()
    found = [each for each in CONTRACTS.values() if wanted in f"{each.id} {each.name} {each.description}".lower()]
    return {"contracts": [contract.as_json() for contract in found[:_MOST_FOUND]]}


def _by_id(call: Call) -> Mapping[str, Any]:
    contract = CONTRACTS.get(call.fields.text("contractId"))
    if contract is None:
        raise DeclinedError("ContractNotFound", contract=None)
    return {"contract": contract.as_json()}


def _available(_call: Call) -> Mapping[str, Any]:
    return {"contracts": [contract.as_json() for contract in CONTRACTS.values()]}


def _bars(call: Call) -> Mapping[str, Any]:
    fields = call.fields
    contract = CONTRACTS.get(fields.text("contractId"))
    unit, many, limit = fields.integer("unit"), fields.integer("unitNumber"), fields.integer("limit")
    start, end = fields.time("startTime"), fields.time("endTime")
    if start is None or end is None:
        raise InvalidError("startTime" if start is None else "endTime", "is required")
    if contract is None:
        raise DeclinedError("ContractNotFound")
    if unit not in _UNITS:
        raise DeclinedError("UnitInvalid")
    if many < 1:
        raise DeclinedError("UnitNumberInvalid")
    if not 1 <= limit <= _MOST_BARS:
        raise DeclinedError("LimitInvalid")
    seconds = _UNITS[unit] * many
    newest = int(min(end, call.exchange.now()) // seconds)
    oldest = max(int(-(-start // seconds)), newest - limit + 1)
    last = float(call.exchange.market.last[contract.id])
    tick = float(contract.tick_size)
    # Newest first, as the gateway sends them.
    return {"bars": [_bar(call.exchange.seed, last, tick, at * seconds) for at in range(newest, oldest - 1, -1)]}


def _bar(seed: int, last: float, tick: float, at: int) -> dict[str, Any]:
    chance = random.Random(f"{seed}/{at}")
    first, final = (last + chance.randint(-20, 20) * tick for _ in range(2))
    high, low = max(first, final) + chance.randint(0, 8) * tick, min(first, final) - chance.randint(0, 8) * tick
    return {"t": stamp(at), "o": first, "h": high, "l": low, "c": final, "v": chance.randint(1, 5000)}
