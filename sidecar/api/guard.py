"""Who may call. Pure: it looks at a request's marks and says why not.

A web page that a person merely visits can make the browser on the same machine send requests to loopback, and a
hostile DNS name can point there. Both would trade with the bot's keys. A browser gives itself away by `Origin` and
`Sec-Fetch-…`, a re-pointed name by `Host`: no bot sends the former, and every bot names the host that it was given.
"""

import hmac
import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.api.exchange import Listener
from sidecar.api.headers import SEC_FETCH
from sidecar.wire import Headers

LOOPBACK_HOSTS: Final = frozenset({b"127.0.0.1", b"localhost", b"[::1]"})
_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised here, not bound


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is turned away at the door."""

    reason: str
    """The label of `CallRefused`."""
    status: int
    message: str
    extra: Headers = ()
    """Headers that the answer must carry."""


class Hosts:
    """The `Host` values under which the TCP listener is known."""

    def __init__(self, bound: str) -> None:
        """`bound` is the host that the listener is bound to, without brackets."""
        own = f"[{bound}]" if ":" in bound else bound
        self._names = LOOPBACK_HOSTS | {own.lower().encode()}
        self._any_local_name = bound in _WILDCARDS

    def known(self, value: bytes) -> bool:
        """Whether a `Host` header's value means this listener, whatever its port."""
        host = _without_port(value.lower())
        return host in self._names or (self._any_local_name and _cannot_be_repointed(host))


class Guard:
    """Decides who may call; immutable.

    `token`, where set, must be shown by every call; `uids`, where not empty, are the only users that may call through
    the Unix socket.
    """

    def __init__(self, hosts: Hosts, *, token: bytes | None, uids: Collection[int]) -> None:
        self._hosts = hosts
        self._token = token
        self._uids = frozenset(uids)

    def check(
        self, listener: Listener, uid: int | None, marks: Mapping[bytes, bytes], authorization: bytes | None = None
    ) -> Denial | None:
        """Why the caller may not call, or None.

        `authorization` is given for the control API only: on a broker's path that header is the broker's.
        """
        if listener == "tcp":
            if not self._hosts.known(marks.get(b"host", b"")):
                return _FOREIGN_HOST
            if b"origin" in marks or SEC_FETCH in marks:
                return _BROWSER
        elif self._uids and uid not in self._uids:
            return _PEER
        if self._token is not None and not (
            self._matches(marks.get(b"proxy-authorization")) or self._matches(authorization)
        ):
            return _TOKEN
        return None

    def _matches(self, credentials: bytes | None) -> bool:
        if credentials is None or self._token is None:
            return False
        scheme, _, shown = credentials.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(shown.strip(), self._token)


def _without_port(host: bytes) -> bytes:
    name, colon, port = host.rpartition(b":")
    if not colon or host.endswith(b"]"):
        return host
    return name if port.isdigit() else host


def _cannot_be_repointed(host: bytes) -> bool:
    # An address needs no DNS, and a name without a dot is not one that a stranger can register.
    try:
        ipaddress.ip_address(host.decode("ascii").strip("[]"))
    except ValueError:
        return host != b"" and b"." not in host and b":" not in host
    return True


_FOREIGN_HOST: Final = Denial(
    "foreign_host",
    403,
    "not sent: the Host header does not name this sidecar; call it by 127.0.0.1, localhost, [::1] or the address that "
    "listen.tcp binds",
)
_BROWSER: Final = Denial(
    "browser",
    403,
    "not sent: the request carries Origin or Sec-Fetch headers, so that it comes from a web page; web pages may not "
    "trade",
)
_PEER: Final = Denial("peer", 403, "not sent: this user is not among listen.allowed_uids")
_TOKEN: Final = Denial(
    "token",
    407,
    "not sent: the bearer token of listen.token_file is missing or wrong; send it as Proxy-Authorization: Bearer …",
    ((b"Proxy-Authenticate", b'Bearer realm="sidecar"'),),
)
