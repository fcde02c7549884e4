"""How a broker that wants a login is logged in to, and what it hands out for it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sidecar.brokers.profile import Keys
from sidecar.wire import Answer, Request


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """What a login brought. It has no telling `repr`."""

    value: str
    seconds: float
    """How long it is good for, from the answer on; above 0."""


class Login(Protocol):
    """Asks a broker for a token to sign with."""

    request: Request
    """The question. It holds the keys."""

    def told(self, answer: Answer, now: float) -> Token | None:
        """The token in an answer that was `ok`, at the broker's time `now` (Unix seconds); None when it holds none."""

    def stand_in(self, request: Request, now: float) -> Answer | None:
        """What a bot is told that asks for a session of its own, though the sidecar's serves it; None for the rest.

        The token in it opens nothing.
        """


@runtime_checkable
class LogsIn(Protocol):
    """What a profile has besides when its broker wants a login: then `signer` signs with the token that it brought."""

    def login(self, keys: Keys) -> Login:
        """The login with these keys."""
