"""What the sidecar does with a token of its own at OANDA: it shows it, and gives orders an id by which to find them."""

import json
import re
from typing import Final

from sidecar.brokers._answers import parsed
from sidecar.brokers._oanda_endpoints import client_id_of
from sidecar.wire import Request

_ORDER: Final = re.compile(rb'"order"\s*:\s*\{')
_EXTENSIONS: Final = re.compile(rb'"clientExtensions"\s*:\s*\{')


class OandaSigner:
    """Replaces the bot's bearer token; nothing in it perishes."""

    def __init__(self, token: str) -> None:
        self._pair = (b"Authorization", b"Bearer " + token.encode())

    def sign(self, request: Request, now: float) -> Request:  # noqa: ARG002 - the protocol's signature
        """The request with this signer's token and no other."""
        headers = tuple(pair for pair in request.headers if pair[0].lower() != b"authorization")
        return Request(request.method, request.target, (*headers, self._pair), request.body)


def identified(request: Request, client_id: str) -> Request:
    """The order request with `clientExtensions.id`, every other byte as it was; the very request when it has one.

    The id is put in by hand: numbers that went through a JSON library could come out as others.
    """
    said = parsed(request.body)
    if not isinstance(said, dict):
        return request
    order = said.get("order")
    if not isinstance(order, dict) or client_id_of(order):
        return request
    extensions = order.get("clientExtensions")
    if isinstance(extensions, dict):
        place, text = _EXTENSIONS, f'"id":{json.dumps(client_id)}'
        wanted = {**order, "clientExtensions": {**extensions, "id": client_id}}
    else:
        place, text = _ORDER, f'"clientExtensions":{{"id":{json.dumps(client_id)}}}'
        wanted = {**order, "clientExtensions": {"id": client_id}}
    comma = b"" if extensions == {} or not order else b","
    body = place.sub(lambda found: found.group() + text.encode() + comma, request.body, count=1)
    if parsed(body) != {**said, "order": wanted}:
        # Something else of that name comes first: such an order goes without an id rather than changed.
        return request
    return Request(request.method, request.target, request.headers, body)
