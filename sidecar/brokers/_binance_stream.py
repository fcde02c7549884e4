"""The user-data stream of the futures.

[doc] "User Data Streams": "Connect", "Event: Order Update", "Event: Algo Order Update", "Event: User Data Stream
Expired"; "Important WebSocket Change Notice": the streams of accounts are below `/private` since 2026.

A `listenKey` opens a WebSocket at `/ws/<listenKey>`, below `wss://fstream.binance.com/private`. It is as good as a
password: whoever has it hears everything.
"""

import re
from typing import Final

from sidecar.brokers._answers import json_of, parsed
from sidecar.brokers.streams import NOBODY, Heard, OrderStream, Renewal, Socket
from sidecar.wire import Answer, Request

_PATH: Final = "/fapi/v1/listenKey"
RENEWAL_SECONDS: Final = 1800.0
"""[doc] A key lives for 60 minutes, and a PUT makes it another 60."""
_KEY: Final = re.compile(r"[0-9A-Za-z_-]{1,256}")
_IDS: Final = {"ORDER_TRADE_UPDATE": "c", "ALGO_UPDATE": "caid"}
"""By event: where its order shows its client id."""
_NOTHING: Final = Heard()


def order_stream() -> OrderStream:
    """Everything that happens to the orders of the key's account, conditional ones among them.

    A quiet account hears nothing for hours: whether the connection is alive, its pings tell.
    """
    return OrderStream(Request("POST", _PATH, ()), heard, None, socket)


def socket(answer: Answer) -> Socket | None:
    """The WebSocket that the key opens."""
    said = json_of(answer)
    key = said.get("listenKey") if isinstance(said, dict) else None
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return None
    return Socket(f"/ws/{key}", Renewal(Request("PUT", _PATH, ()), RENEWAL_SECONDS))


def heard(message: bytes) -> Heard:
    """The order that an event is about."""
    said = parsed(message)
    if isinstance(said, dict) and isinstance(said.get("data"), dict):
        said = said["data"]  # [doc] the envelope of combined streams
    if not isinstance(said, dict):
        return _NOTHING
    event, order = said.get("e"), said.get("o")
    if event == "listenKeyExpired":
        return Heard(over=True)
    name = order.get(_IDS.get(str(event), "")) if isinstance(order, dict) else None
    return Heard(frozenset({name}) if isinstance(name, str) and name else NOBODY)
