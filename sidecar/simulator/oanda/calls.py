"""What every endpoint shares: who asks, for which account, in which format, and how the answer is sent."""

import gzip
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from sidecar.simulator.oanda.errors import RefusedError, bad_request, invalid_value
from sidecar.simulator.oanda.exchange import Exchange
from sidecar.simulator.oanda.ledger import Ledger
from sidecar.simulator.oanda.stamps import DatetimeFormat, Json, dumps

_ACCOUNT_ID = re.compile(r"\d{3}-\d{3}-\d{1,10}-\d{3}")
_BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is bytes."""

    body: Json
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised request."""

    exchange: Exchange
    request: web.Request
    request_id: str
    accounts: tuple[str, ...]
    """The accounts that the request's token opens."""
    body: Any = None

    @property
    def ledger(self) -> Ledger:
        """The ledger of the account in the path; `RefusedError` when the token does not open it."""
        account_id = self.request.match_info["account"]
        if not _ACCOUNT_ID.fullmatch(account_id):
            raise invalid_value("accountID")
        if account_id not in self.accounts:
            raise bad_request("The provided request was forbidden.", status=403)
        return self.exchange.ledgers[account_id]

    def path(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]

    def query(self, name: str) -> str | None:
        """A query parameter; `None` when it was not given."""
        return self.request.query.get(name)

    def integer(self, name: str, default: int, *, most: int) -> int:
        """A query parameter that is a whole number from 1 to `most`; `RefusedError` when it is not."""
        text = self.request.query.get(name, str(default))
        if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:19]) <= most:
            raise invalid_value(name)
        return int(text)

    def number(self, name: str) -> int:
        """A query parameter that is an id; `RefusedError` when it is missing or no number."""
        text = self.request.query.get(name, "")
        if not (text.isascii() and text.isdecimal()):
            raise invalid_value(name)
        return int(text[:19])

    def names(self, name: str) -> list[str] | None:
        """A query parameter that is a list separated by commas; `None` when it was not given."""
        text = self.request.query.get(name)
        return None if text is None else [part for part in text.split(",") if part]


Endpoint = Callable[[Call], Reply]
StreamEndpoint = Callable[[Call], Awaitable[web.StreamResponse]]


def endpoint(exchange: Exchange, answer: Endpoint) -> Handler:
    """An aiohttp handler around an endpoint that answers at once."""

    async def handle(request: web.Request) -> web.StreamResponse:
        call = await _open(exchange, request)
        return send(call.request, call.request_id, answer(call))

    return _courteous(exchange, handle)


def stream(exchange: Exchange, answer: StreamEndpoint) -> Handler:
    """An aiohttp handler around an endpoint that goes on answering."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(await _open(exchange, request))

    return _courteous(exchange, handle)


def style(request: web.Request) -> DatetimeFormat:
    """The format of times that the client asked for; RFC 3339 where it asked for none."""
    wanted = request.headers.get("Accept-Datetime-Format", "").upper()
    return DatetimeFormat.UNIX if wanted == DatetimeFormat.UNIX else DatetimeFormat.RFC3339


def send(request: web.Request, request_id: str, reply: Reply) -> web.Response:
    """The answer as bytes, compressed when the client takes gzip."""
    body = dumps(reply.body, style(request))
    headers = {"RequestID": request_id, "Content-Type": "application/json", **reply.headers}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return web.Response(status=reply.status, headers=headers, body=body)


def refuse(request: web.Request, exchange: Exchange, error: RefusedError) -> web.Response:
    """The answer that tells a refusal."""
    return send(request, exchange.next_request_id(), Reply(dict(error.body), error.status))


async def _open(exchange: Exchange, request: web.Request) -> Call:
    accounts = _authorise(exchange, request)
    raw = await request.read()
    exchange.settle()
    return Call(exchange, request, exchange.next_request_id(), accounts, _parse(raw))


def _authorise(exchange: Exchange, request: web.Request) -> tuple[str, ...]:
    authorization = request.headers.get("Authorization", "")
    token = authorization.removeprefix(_BEARER)
    if not authorization.startswith(_BEARER) or token not in exchange.tokens:
        raise bad_request("Insufficient authorization to perform request.", status=401)
    return exchange.tokens[token]


def _parse(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise bad_request("Invalid JSON in the request body") from None


def _courteous(exchange: Exchange, handle: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handle(request)
        except RefusedError as error:
            return refuse(request, exchange, error)

    return answer
