"""Signing with the sidecar's own keys, at the last moment before each transmission."""

import base64
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Final

from sidecar.brokers.profile import Profile, Signer
from sidecar.calls.brokerclock import BrokerClock
from sidecar.calls.session import Session
from sidecar.wire import Request

_ID_BITS: Final = 96
_ID_LENGTH: Final = 20


@dataclass(frozen=True, slots=True)
class LateSigning:
    """Signs a broker's requests; `adds_ids` gives orders that bear no client id one."""

    profile: Profile
    signer: Signer
    broker_clock: BrokerClock
    adds_ids: bool
    rng: Random
    session: Session | None = None
    """The signer, where it is one that has to log in first."""

    def prepare(self, request: Request) -> Request:
        """The request as all its transmissions will have it: with an id by which its order can be found."""
        return self.profile.identified(request, new_client_id(self.rng)) if self.adds_ids else request

    def sign(self, request: Request) -> Request:
        """The request as it can leave now."""
        return self.signer.sign(request, self.broker_clock.now())


def new_client_id(rng: Random) -> str:
    """A client order id that nobody else has: `bs-` and 20 letters and digits, within every broker's rules."""
    return _client_id(rng.getrandbits(_ID_BITS).to_bytes(_ID_BITS // 8, "big"))


def client_id_of_key(key: bytes) -> str:
    """The client order id of an order that is known by an `Idempotency-Key`: always the same for the same key."""
    return _client_id(sha256(key).digest()[: _ID_BITS // 8])


def _client_id(value: bytes) -> str:
    letters = base64.b32encode(value).decode()
    return f"bs-{letters.rstrip('=').lower():0<{_ID_LENGTH}}"
