"""What the sidecar does with keys of its own at ProjectX: it logs in, shows the token, and gives orders a tag."""

import base64
import binascii
import json
import re
from typing import Final

from sidecar.brokers._answers import Body, json_of, parsed
from sidecar.brokers._projectx_closing import side_of
from sidecar.brokers._projectx_endpoints import client_id_of, fields_of, rule_of
from sidecar.brokers.login import Token
from sidecar.brokers.profile import Keys
from sidecar.wire import Answer, Request

TOKEN_SECONDS: Final = 86_400.0
"""[doc] "Authenticate": a token is valid for 24 hours from the time it is issued."""
_JSON: Final = ((b"Content-Type", b"application/json"), (b"Accept", b"application/json"))
_LOGINS: Final = frozenset({"log_in", "log_in_app"})
_TAG: Final = re.compile(rb'"customTag"\s*:\s*(null|"")', re.IGNORECASE)


class ProjectXSigner:
    """Replaces the bot's bearer token by the session's; a login shows none."""

    def __init__(self, token: str) -> None:
        self._pair = (b"Authorization", b"Bearer " + token.encode())

    def sign(self, request: Request, now: float) -> Request:  # noqa: ARG002 - the protocol's signature
        """The request with this signer's token and no other."""
        headers = tuple(pair for pair in request.headers if pair[0].lower() != b"authorization")
        if rule_of(request).endpoint.name not in _LOGINS:
            headers = (*headers, self._pair)
        return Request(request.method, request.target, headers, request.body)


class ProjectXLogin:
    """[doc] "Authenticate (with API key)": the only supported way to a token, for the first and for every later one."""

    def __init__(self, keys: Keys) -> None:
        self.request = Request(
            "POST",
            "/api/Auth/loginKey",
            _JSON,
            json.dumps({"userName": keys.user_name, "apiKey": keys.key}).encode(),
        )

    def told(self, answer: Answer, now: float) -> Token | None:
        """The token in the answer, and for how long it is good by what it says of itself."""
        said = json_of(answer)
        value = said.get("token") if isinstance(said, dict) else None
        if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
            return None
        return Token(value, _left(value, now))

    def stand_in(self, request: Request, now: float) -> Answer | None:
        """A bot's login or renewal succeeds with a token for show; its logout leaves the sidecar's session alone."""
        match rule_of(request).endpoint.name:
            case "log_in" | "log_in_app":
                more = {"token": _for_show(now)}
            case "validate_session":
                more = {"newToken": _for_show(now)}
            case "log_out":
                more = {}
            case _:
                return None
        body = {**more, "success": True, "errorCode": 0, "errorMessage": None}
        return Answer(200, _JSON[:1], json.dumps(body).encode(), "OK")


def _for_show(now: float) -> str:
    """A JSON Web Token that says when it ends, which clients read, and that nobody has signed."""
    parts = ({"alg": "none", "typ": "JWT"}, {"exp": int(now + TOKEN_SECONDS)})
    written = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return f"{'.'.join(written)}.broker-sidecar"


def _left(token: str, now: float) -> float:
    """Seconds until the `exp` of a JSON Web Token (RFC 7519); the documented life where it says nothing sensible."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""  # noqa: PLR2004 - header, payload, signature
    try:
        claims = parsed(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error):
        claims = Body.BROKEN
    expires = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(expires, (int, float)) and now < expires < now + TOKEN_SECONDS:
        return expires - now
    return TOKEN_SECONDS


def identified(request: Request, client_id: str) -> Request:
    """The order with this `customTag`, every other byte as it was; the very request when it has one.

    The tag is put in by hand: numbers that went through a JSON library could come out as others.
    """
    said = parsed(request.body)
    if not isinstance(said, dict) or client_id_of(fields_of(request.body)):
        return request
    text = json.dumps(client_id).encode()
    written = next((name for name in said if name.lower() == "customtag"), "")
    if written:
        tag = b'"%s":%s' % (written.encode(), text)
        body = _TAG.sub(lambda _: tag, request.body, count=1)
    else:
        comma = b"," if said else b""
        body = request.body.replace(b"{", b'{"customTag":%s%s' % (text, comma), 1)
    if parsed(body) != {**said, (written or "customTag"): client_id}:
        # Something else of that name comes first: such an order goes without an id rather than changed.
        return request
    return Request(request.method, request.target, request.headers, body)


def unsigned(request: Request) -> Request:
    """The request without its token; of a login nothing but its name remains."""
    kept = tuple(pair for pair in request.headers if pair[0].lower() == b"content-type")
    secret = rule_of(request).endpoint.group == "auth"
    target = request.path if side_of(request) is None else request.target
    return Request(request.method, target, kept, b"" if secret else request.body)
