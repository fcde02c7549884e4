"""What the sidecar does with keys of its own at Binance: it signs, and gives orders an id by which to find them."""

from collections.abc import Mapping
from typing import Final

from sidecar.brokers._binance_kinds import Lines
from sidecar.brokers._binance_rules import parameters, value
from sidecar.brokers._binance_signing import bears_signature, extended, seal_of, signed, with_key
from sidecar.brokers.profile import Keys
from sidecar.wire import Request

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ID_PARAMETERS: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/fapi/v1/order"): "newClientOrderId=",
    ("POST", "/fapi/v1/algoOrder"): "clientAlgoId=",
    ("POST", "/api/v3/order"): "newClientOrderId=",
    ("POST", "/api/v3/sor/order"): "newClientOrderId=",
}


class BinanceSigner:
    """Signs what the endpoint table says is signed; what is unknown, when the bot signed it or it may change things."""

    def __init__(self, routes: Lines, keys: Keys) -> None:
        self._routes = routes
        self._key = keys.key
        self._seal = seal_of(keys)

    def sign(self, request: Request, now: float) -> Request:
        """The request with this signer's key and, where the endpoint wants one, a signature made at `now`."""
        if self._is_signed(request):
            return signed(request, self._key, self._seal, now)
        # The key alone opens listen keys and historical data, and does no harm elsewhere.
        return Request(request.method, request.target, with_key(request.headers, self._key), request.body)

    def _is_signed(self, request: Request) -> bool:
        route = self._routes.get((request.method, request.path))
        if route is not None:
            return route.signed
        return request.method not in _READS or bears_signature(parameters(request))


def identified(request: Request, client_id: str) -> Request:
    """The request with this client order id, when it places a single order that has none; else the very request."""
    name = _ID_PARAMETERS.get((request.method, request.path))
    if name is None or value(parameters(request), name):
        return request
    return extended(request, f"{name}{client_id}")
