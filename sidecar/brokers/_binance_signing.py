"""Signing for Binance, late: a fresh timestamp and signature for every transmission.

[doc] "Endpoint security": the signature covers query and body as they are sent, one after the other, without the
signature itself; HMAC-SHA256 in hex, or Ed25519 in base64 and then percent-encoded. The API key travels in a header.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from sidecar.brokers.profile import Keys
from sidecar.wire import Headers, Request, header

if TYPE_CHECKING:  # some 10 MB that only who signs with Ed25519 pays for
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_HEADER: Final = b"X-MBX-APIKEY"
DEFAULT_WINDOW_MS: Final = 5000
"""[doc] `recvWindow` when a request names none."""

_ENCODED: Final = frozenset({b"", b"application/x-www-form-urlencoded"})
_REPLACED: Final = re.compile(r"(?:^|&)(?:timestamp|signature)=[^&]*")
_WINDOW: Final = re.compile(r"(?:^|&)recvWindow=\d")

Seal = Callable[[bytes], str]
"""Turns what is to be signed into the value of `signature`."""


def seal_of(keys: Keys) -> Seal:
    """How these keys sign. Raises ValueError when the private key is not one of Ed25519 in PEM."""
    if not keys.private_key:
        secret = keys.secret.encode()
        return lambda payload: hmac.new(secret, payload, hashlib.sha256).hexdigest()
    private = ed25519(keys.private_key)
    return lambda payload: quote(base64.b64encode(private.sign(payload)).decode(), safe="")


def ed25519(pem: str) -> "Ed25519PrivateKey":
    """The key that a PEM text holds. Raises ValueError, without a word of the text, when it holds none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - likewise

    try:
        found = load_pem_private_key(pem.encode(), password=None)
    except Exception:  # noqa: BLE001 - the library raises several kinds, and their words could quote the text
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise ValueError("holds no unencrypted Ed25519 private key in PEM") from None  # noqa: TRY004 - a wrong value
    return found


def signed(request: Request, key: str, seal: Seal, now: float) -> Request:
    """The request signed at `now`, the broker's time in Unix seconds.

    The bot's timestamp, signature and API key are replaced, its `recvWindow` and every other byte are kept. What is
    added goes where the parameters are: into the form body when there is one, else into the query.
    """
    query, body = without_signature(request.query), without_signature(request.body.decode("latin-1"))
    own = f"timestamp={int(now * 1000)}"
    if not (_WINDOW.search(query) or _WINDOW.search(body)):
        own = f"recvWindow={DEFAULT_WINDOW_MS}&{own}"
    in_body = request.method != "GET" and bool(body) and _is_form(request)
    if in_body:
        body = _joined(body, own)
    else:
        query = _joined(query, own)
    signature = f"signature={seal(query.encode('utf-8', 'surrogateescape') + body.encode('latin-1'))}"
    if in_body:
        body = _joined(body, signature)
    else:
        query = _joined(query, signature)
    target = f"{request.path}?{query}" if query else request.path
    return Request(request.method, target, with_key(request.headers, key), body.encode("latin-1"))


def with_key(headers: Headers, key: str) -> Headers:
    """The headers with this API key and no other."""
    return (*(pair for pair in headers if pair[0].lower() != KEY_HEADER.lower()), (KEY_HEADER, key.encode()))


def bears_signature(params: str) -> bool:
    """Whether the bot signed these parameters, with whatever keys."""
    return f"&{params}".find("&signature=") >= 0


def without_signature(params: str) -> str:
    """Parameters without timestamp and signature, every other byte as it was."""
    return _REPLACED.sub("", params).removeprefix("&") if "timestamp=" in params or "signature=" in params else params


def extended(request: Request, pair: str) -> Request:
    """The request with one more parameter, where its others are: in the form body, or else in the query."""
    if request.body and request.method != "GET" and _is_form(request):
        body = _joined(request.body.decode("latin-1"), pair).encode("latin-1")
        return Request(request.method, request.target, request.headers, body)
    query = _joined(request.query, pair)
    return Request(request.method, f"{request.path}?{query}", request.headers, request.body)


def _joined(params: str, pair: str) -> str:
    return f"{params}&{pair}" if params else pair


def _is_form(request: Request) -> bool:
    kind = header(request.headers, b"content-type") or b""
    return kind.partition(b";")[0].strip().lower() in _ENCODED
