"""What can go wrong at the sidecar's own sockets."""

from types import TracebackType


class ApiError(Exception):
    """Raised when the sidecar's own sockets cannot do their work; never raised itself."""


class ListenError(ApiError):
    """Raised when an address or a socket path cannot be listened on."""


class SocketInUseError(ListenError):
    """Raised when a living process already listens on the Unix socket."""


class NotLoopbackError(ListenError):
    """Raised when the bots' address can be reached from other machines and nothing allows that."""


class TokenError(ApiError):
    """Raised when the token file cannot be read or holds no usable token."""


class BodyError(ApiError):
    """Raised when a request's body cannot be taken; never raised itself."""


class BodyTooLargeError(BodyError):
    """Raised when a request's body is larger than `listen.max_request_bytes`."""


class BodyMalformedError(BodyError):
    """Raised when a request's body breaks the rules of its own framing."""


def place_of(failure: BaseException) -> tuple[type[Exception], Exception, TracebackType | None]:
    """Where something failed, for a log line's `exc_info`, without the exception's own words."""
    silent = RuntimeError("its own words are left out, because they could quote a request")
    return RuntimeError, silent, failure.__traceback__
