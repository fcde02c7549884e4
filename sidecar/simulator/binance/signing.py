"""Who sent this, and is it fresh: Binance's rules for keys, signatures and time windows.

The signature is an HMAC-SHA256 over query and body exactly as sent, without the signature itself. A request is fresh
when `timestamp < server time + 1000` and `server time - timestamp <= recvWindow` (milliseconds).
"""

import hashlib
import hmac
import re

from sidecar.simulator.binance.errors import BinanceError, bad_signature, missing
from sidecar.simulator.binance.parameters import Parameters

DEFAULT_WINDOW_MS = 5_000
MAXIMUM_WINDOW_MS = 60_000
_AHEAD_MS = 1_000
_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")


def sign(secret: str, payload: str) -> str:
    """The signature that `payload` must bear."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def check_signature(secret: str, query: str, body: str) -> None:
    """Raise -1102 without a signature, -1022 with one of other bytes. Both strings raw, as they were sent."""
    found = _SIGNATURE.search(query) or _SIGNATURE.search(body)
    if found is None:
        raise missing("signature")
    payload = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
    if not hmac.compare_digest(sign(secret, payload.removeprefix("&")).encode(), found[2].lower().encode()):
        raise bad_signature()


def check_time(parameters: Parameters, now_ms: int) -> None:
    """Raise -1021 when the request is stale or comes from the future, -1131 for too wide a window."""
    timestamp = parameters.integer("timestamp")
    window = parameters.integer("recvWindow", DEFAULT_WINDOW_MS)
    if window > MAXIMUM_WINDOW_MS:
        raise BinanceError(-1131, "recvWindow must be less than 60000.")
    if timestamp >= now_ms + _AHEAD_MS:
        raise BinanceError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp > window:
        raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")
