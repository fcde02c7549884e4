"""The stream of an account's transactions ([doc] REST-V20, "Transaction endpoints"; "Transaction definitions").

One JSON object a line: transactions as they happen, and a heartbeat every 5 seconds with the id of the newest one.
"""

from typing import Final
from urllib.parse import quote

from sidecar.brokers._answers import parsed
from sidecar.brokers.streams import NOBODY, Heard, OrderStream
from sidecar.wire import Request

SILENCE_SECONDS: Final = 20.0
"""[doc] Development guide, "Streaming": connect anew after 20 seconds without a transaction or a heartbeat."""
_MOST_DIGITS: Final = 18
_NOTHING: Final = Heard()


def order_stream(account: str) -> OrderStream:
    """Everything that happens in this account."""
    request = Request("GET", f"/v3/accounts/{quote(account, safe='')}/transactions/stream", ())
    return OrderStream(request, heard, SILENCE_SECONDS)


def heard(line: bytes) -> Heard:
    """The order that a transaction is about.

    [doc] Fills, cancels and their like name it by `clientOrderID`; what creates one shows its `clientExtensions`.
    """
    said = parsed(line)
    if not isinstance(said, dict):
        return _NOTHING
    if said.get("type") == "HEARTBEAT":
        return Heard(newest=_number(said.get("lastTransactionID")))
    extensions = said.get("clientExtensions")
    own = extensions.get("id") if isinstance(extensions, dict) else None
    named = frozenset(name for name in (said.get("clientOrderID"), own) if isinstance(name, str) and name)
    return Heard(named or NOBODY, number=_number(said.get("id")))


def _number(told: object) -> int:
    """[doc] TransactionID: a whole number, written as a string."""
    digits = told if isinstance(told, str) and told.isascii() and told.isdecimal() else "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else 0
