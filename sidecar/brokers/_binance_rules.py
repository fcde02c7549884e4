"""How a Binance request is read: which endpoint it is, what it costs, and until when its signature holds.

Parameters travel in the query or, for everything but GET, in a form body; where both name one, the query counts
([doc] General Info, "Endpoint security").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote_plus

from sidecar.brokers._answers import number, parsed
from sidecar.brokers.profile import Endpoint, Intent
from sidecar.wire import Request
from sidecar.words import Effect, Priority

DEFAULT_WINDOW_MS: Final = 5000.0
"""[doc] `recvWindow` when a request names none."""
_MICROSECONDS_FROM: Final = 1e14
"""[doc] Spot takes timestamps in microseconds too; no millisecond timestamp reaches this before the year 5138."""
_LATEST: Final = 1e17

Costs = tuple[tuple[str, float], ...]


class Weigh(Protocol):
    """What a request weighs by its parameters."""

    @property
    def weights(self) -> tuple[float, ...]:
        """Every weight that it can return, so that intents are made once, at start-up."""

    def __call__(self, params: str) -> float:
        """The weight."""


@dataclass(frozen=True, slots=True)
class BySymbol:
    """Cheap for one symbol, dear for all."""

    one: float
    every: float

    @property
    def weights(self) -> tuple[float, ...]:
        return self.one, self.every

    def __call__(self, params: str) -> float:
        return self.one if value(params, "symbol=") else self.every


@dataclass(frozen=True, slots=True)
class ByLimit:
    """Dearer, the more rows are asked for."""

    steps: tuple[tuple[int, float], ...]
    """Pairs of a highest `limit` and its weight, ascending."""
    beyond: float
    """Weight above the last step."""
    default: float
    """Weight without a `limit`: that of the broker's own default."""

    @property
    def weights(self) -> tuple[float, ...]:
        return *(weight for _, weight in self.steps), self.beyond, self.default

    def __call__(self, params: str) -> float:
        text = value(params, "limit=")
        if not text:
            return self.default
        if not text.isdecimal() or len(text) > len("100000"):
            return self.beyond
        limit = int(text)
        return next((weight for highest, weight in self.steps if limit <= highest), self.beyond)


@dataclass(frozen=True, slots=True)
class BySymbols:
    """Spot: one weight for `symbol`, steps for the length of the `symbols` list, the dearest for neither."""

    one: float
    steps: tuple[tuple[int, float], ...]
    beyond: float

    @property
    def weights(self) -> tuple[float, ...]:
        return self.one, *(weight for _, weight in self.steps), self.beyond

    def __call__(self, params: str) -> float:
        if value(params, "symbol="):
            return self.one
        names = value(params, "symbols=")
        if not names:
            return self.beyond
        count = 1 + names.count(",") + names.upper().count("%2C")
        return next((weight for highest, weight in self.steps if count <= highest), self.beyond)


@dataclass(frozen=True, slots=True)
class Route:
    """One line of a profile's endpoint table."""

    endpoint: Endpoint
    weigh: Weigh | float = 1.0
    orders: Costs = ()
    """What it takes from the order limits."""
    signed: bool = True
    client_id: str = ""
    """The parameter that names the order it is about, with its `=`."""
    reduces: Callable[[str], bool] | None = None
    """Tells by the parameters whether a new order can only reduce a position."""


class Rule:
    """A route with everything worked out that does not depend on the single request."""

    __slots__ = ("_base", "_client_id", "_intents", "_reduces", "_signed", "_weigh", "fixed")

    def __init__(self, route: Route, weight_limit: str) -> None:
        weigh = route.weigh
        self._weigh = None if isinstance(weigh, (int, float)) else weigh
        weights = (weigh,) if isinstance(weigh, (int, float)) else weigh.weights
        self._intents: Mapping[float, Intent] = {
            weight: _intent(route, ((weight_limit, weight),) if weight else ()) for weight in weights
        }
        self._base = self._intents[weights[0]]
        self._signed = route.signed
        self._client_id = route.client_id
        self._reduces = route.reduces
        self.fixed: Intent | None = None if self._weigh or route.signed else self._base
        """What every such request means, when no parameter matters."""

    def read(self, request: Request) -> Intent:
        """What this request means."""
        params = parameters(request)
        base = self._base if self._weigh is None else self._intents[self._weigh(params)]
        if not self._signed:
            return base
        expires_at = expiry(params)
        client_id = value(params, self._client_id) if self._client_id else ""
        if "%" in client_id:
            client_id = unquote_plus(client_id)
        if self._reduces is not None and self._reduces(params):
            return Intent(base.endpoint, Effect.REDUCES_RISK, Priority.REDUCE, base.costs, client_id, expires_at)
        if expires_at is None and not client_id:
            return base
        return Intent(base.endpoint, base.effect, base.priority, base.costs, client_id, expires_at)


def _intent(route: Route, weight: Costs) -> Intent:
    endpoint = route.endpoint
    return Intent(endpoint, endpoint.effect, endpoint.priority, weight + route.orders)


def parameters(request: Request) -> str:
    """Query and form body as one string, the query first."""
    if not request.body or request.method == "GET":
        return request.query
    body = request.body.decode("latin-1")
    return f"{request.query}&{body}" if request.query else body


def value(params: str, key: str) -> str:
    """The first value of a parameter, still percent-encoded; `key` ends in `=`. Empty when there is none."""
    start = params.find(key)
    while start > 0 and params[start - 1] != "&":
        start = params.find(key, start + 1)
    if start < 0:
        return ""
    start += len(key)
    end = params.find("&", start)
    return params[start:] if end < 0 else params[start:end]


def expiry(params: str) -> float | None:
    """Unix seconds until which Binance accepts the signature: `timestamp` plus `recvWindow`; None when unsigned."""
    text = value(params, "timestamp=")
    stamp = number(text) if text else None
    if stamp is None or not 0 < stamp < _LATEST:
        return None
    if stamp >= _MICROSECONDS_FROM:
        stamp /= 1000
    text = value(params, "recvWindow=")
    window = (number(text) if text else None) or DEFAULT_WINDOW_MS
    return (stamp + max(0.0, window)) / 1000


# Which futures orders can only reduce a position. [doc] New Order: `reduceOnly` and `closePosition` say so themselves;
# in hedge mode, where `reduceOnly` cannot be sent, an order against its own `positionSide` closes that side.

_CLOSING = frozenset({("SELL", "LONG"), ("BUY", "SHORT")})


def order_reduces(params: str) -> bool:
    """Whether this futures order can only make a position smaller."""
    return (
        value(params, "reduceOnly=").lower() == "true"
        or value(params, "closePosition=").lower() == "true"
        or (value(params, "side=").upper(), value(params, "positionSide=").upper()) in _CLOSING
    )


def batch_reduces(params: str) -> bool:
    """Whether every order of this futures batch can only make a position smaller."""
    orders = batch_orders(params)
    return bool(orders) and all(isinstance(order, dict) and _member_reduces(order) for order in orders)


def batch_orders(params: str) -> list[object]:
    """The orders of a batch; empty when the parameter is missing or is not a JSON list."""
    found = parsed(unquote_plus(value(params, "batchOrders=")))
    return found if isinstance(found, list) else []


def _member_reduces(order: Mapping[str, object]) -> bool:
    said = (str(order.get(name)).lower() == "true" for name in ("reduceOnly", "closePosition"))
    return any(said) or (str(order.get("side")).upper(), str(order.get("positionSide")).upper()) in _CLOSING
