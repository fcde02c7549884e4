"""One request and its answer between the listener and those who answer, free of any HTTP library's types."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from sidecar.wire import Answer, Headers

Listener = Literal["unix", "tcp", "scrape"]


@dataclass(slots=True)
class Incoming:
    """A request whose head has been read."""

    method: str
    target: str
    """The request target exactly as it was sent."""
    headers: Headers
    listener: Listener
    uid: int | None
    """User id of the process at the other end; known only where it is asked for."""
    read: Callable[[], Awaitable[bytes]]
    """Reads the whole body; raises `BodyError`."""
    gone: Callable[[], bool]
    """Whether who asked has hung up."""


@dataclass(slots=True)
class Outgoing:
    """What is answered."""

    answer: Answer
    extra: Headers = ()
    """The sidecar's own headers, after those of `answer`; hop-by-hop ones are allowed here."""


Handler = Callable[[Incoming], Awaitable[Outgoing]]
