"""What the sidecar does with an OpenAlgo key of its own: it writes it where the bot wrote one."""

from typing import Final
from urllib.parse import quote

from sidecar.brokers._openalgo_body import JSON, KEY, fields_of, keyless, target, without_key, written
from sidecar.wire import Request, header

_API: Final = "/api/v1/"


class OpenAlgoSigner:
    """Replaces the bot's key, in the body or, for GET, in the query; nothing in it perishes."""

    def __init__(self, key: str) -> None:
        self._key = key

    def sign(self, request: Request, now: float) -> Request:  # noqa: ARG002 - the protocol's signature
        """The request with this signer's key and no other; what is not of the REST API stays as it is."""
        if not request.path.startswith(_API):
            return request
        headers = tuple(pair for pair in request.headers if pair[0].lower() != b"x-api-key")
        if request.method != "POST":
            pair = f"{KEY}={quote(self._key, safe='')}"
            query = without_key(request.query)
            signed = target(request.path, f"{query}&{pair}" if query else pair)
            return Request(request.method, signed, headers, request.body)
        fields = fields_of(request)
        if request.body and not fields and request.body.strip() != b"{}":
            # No JSON object: OpenAlgo can only refuse it.
            return Request(request.method, request.target, headers, request.body)
        if header(headers, b"content-type") is None:
            headers += JSON
        return Request(request.method, request.target, headers, written({KEY: self._key} | keyless(fields)))
