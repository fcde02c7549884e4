"""What every endpoint shares: who asks, what the body holds, and the envelope of the answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from sidecar.simulator.projectx.errors import DeclinedError, InvalidError, UnauthorisedError, code
from sidecar.simulator.projectx.exchange import Exchange
from sidecar.simulator.projectx.ledger import Ledger

_BEARER = "Bearer "
_LARGEST = 2**63


class Fields:
    """A JSON object's fields, found whatever the case of their names, as the gateway finds them."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._values = {name.lower(): value for name, value in body.items()}

    def integer(self, name: str) -> int:
        """A whole number that must be there; `InvalidError` when it is not."""
        found = self.optional_integer(name)
        if found is None:
            raise InvalidError(name, "is required")
        return found

    def optional_integer(self, name: str) -> int | None:
        """A whole number; None when there is none."""
        value = self._values.get(name.lower())
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _LARGEST):
            raise InvalidError(name, "is no whole number")
        return value

    def price(self, name: str) -> Decimal | None:
        """A price; None when there is none."""
        value = self._values.get(name.lower())
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not Decimal(value).is_finite():
            raise InvalidError(name, "is no number")
        return Decimal(value)

    def text(self, name: str) -> str:
        """A text that must be there; `InvalidError` when it is not."""
        found = self.optional_text(name)
        if found is None:
            raise InvalidError(name, "is required")
        return found

    def optional_text(self, name: str) -> str | None:
        """A text; None when there is none."""
        value = self._values.get(name.lower())
        if value is not None and not isinstance(value, str):
            raise InvalidError(name, "is no text")
        return value

    def flag(self, name: str) -> bool:
        """Yes or no; no when nothing is said."""
        return self._values.get(name.lower()) is True

    def time(self, name: str) -> float | None:
        """A time in Unix seconds; None when there is none."""
        text = self.optional_text(name)
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise InvalidError(name, "is no time") from None

    def integers(self, name: str) -> list[int] | None:
        """A list of whole numbers; None when there is none."""
        value = self._values.get(name.lower())
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
            raise InvalidError(name, "is no list of whole numbers")
        return value

    def part(self, name: str) -> "Fields | None":
        """An object within; None when there is none."""
        value = self._values.get(name.lower())
        if value is not None and not isinstance(value, dict):
            raise InvalidError(name, "is no object")
        return None if value is None else Fields(value)


@dataclass(frozen=True, slots=True)
class Call:
    """One request that may be answered."""

    exchange: Exchange
    fields: Fields
    token: str
    accounts: tuple[int, ...]
    """The accounts that its token opens."""

    def ledger(self, name: str = "AccountNotFound") -> Ledger:
        """The ledger of the account in the body; `DeclinedError` of this name when the token does not open it."""
        number = self.fields.integer("accountId")
        if number not in self.accounts:
            raise DeclinedError(name)
        return self.exchange.ledgers[number]


Answer = Callable[[Call], Mapping[str, Any]]
"""The fields of a successful answer besides the envelope."""


def endpoint(exchange: Exchange, path: str, answer: Answer, *, needs_token: bool = True) -> list[web.RouteDef]:
    """The routes of one endpoint: as it is documented, and in lower case, which the gateway takes as well."""

    async def handle(request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix(_BEARER)
        raw = await request.read()
        exchange.settle()
        accounts = exchange.accounts_of(token) if needs_token else ()
        more = answer(Call(exchange, Fields(_object(raw)), token, accounts))
        return web.json_response({**more, "success": True, "errorCode": 0, "errorMessage": None})

    guarded = _courteous(path, handle)
    return [web.post(path, guarded), web.post(path.lower(), guarded)]


def _object(raw: bytes) -> Mapping[str, Any]:
    if not raw:
        return {}
    try:
        body = json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise InvalidError("$", "is no JSON") from None
    if not isinstance(body, dict):
        raise InvalidError("$", "is no object")
    return body


def _courteous(path: str, handle: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handle(request)
        except UnauthorisedError:
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        except InvalidError as error:
            problem = {
                "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
                "title": "One or more validation errors occurred.",
                "status": 400,
                "errors": {error.field: [error.problem]},
            }
            return web.json_response(problem, status=400, content_type="application/problem+json")
        except DeclinedError as error:
            number = code(path, error.name)
            return web.json_response(
                {**error.more, "success": False, "errorCode": number, "errorMessage": error.message}
            )

    return answer
