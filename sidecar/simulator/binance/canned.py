"""Binance's own words for the faults that are answers.

Sources: the exchange's general information on its REST interface (the 503 variants and -1008), its error list (-1001,
-1003, -1007); the shape of the ambiguous 503 and of the maintenance answer are those that users' logs show.
"""

import json
import math
from dataclasses import replace
from typing import Any

from sidecar.simulator.binance.errors import BinanceError
from sidecar.simulator.faults import CannedAnswer, Fault, FaultKind

_ANSWERS: dict[FaultKind, tuple[int, dict[str, Any]]] = {
    FaultKind.RATE_LIMITED: (
        429,
        {
            "code": -1003,
            "msg": "Too many requests; please use the websocket for live updates to avoid polling the API.",
        },
    ),
    FaultKind.UNAVAILABLE_UNKNOWN: (503, {"msg": "Unknown error, please check your request or try again later."}),
    FaultKind.UNAVAILABLE_DEFINITE: (503, {"msg": "Service Unavailable."}),
    FaultKind.THROTTLED: (
        503,
        {
            "code": -1008,
            "msg": "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. "
            "Please try again.",
        },
    ),
    FaultKind.INTERNAL: (
        500,
        {"code": -1001, "msg": "Internal error; unable to process your request. Please try again."},
    ),
    FaultKind.MAINTENANCE: (503, {"code": 1, "msg": "System is under maintenance."}),
    FaultKind.TIMEOUT_UNKNOWN: (
        408,
        {
            "code": -1007,
            "msg": "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        },
    ),
}
_DATED = frozenset({FaultKind.UNAVAILABLE_UNKNOWN, FaultKind.UNAVAILABLE_DEFINITE})


def canned_answer(fault: Fault, now_ms: int) -> CannedAnswer | None:
    """The answer for a fault; `None` where the exchange has no words of its own.

    A rate limit tells how long to wait (`Retry-After`, as on spot) only when the fault says for how many seconds.
    """
    if fault.kind not in _ANSWERS:
        return None
    status, body = _ANSWERS[fault.kind]
    answer = _answer(status, {"timestamp": now_ms, **body} if fault.kind in _DATED else body)
    if fault.kind is FaultKind.RATE_LIMITED and fault.seconds is not None:
        return replace(answer, headers={**answer.headers, "Retry-After": f"{math.ceil(fault.seconds)}"})
    return answer


def error_answer(error: BinanceError) -> CannedAnswer:
    """An error as an answer."""
    return _answer(error.status, error.as_json())


def _answer(status: int, body: dict[str, Any]) -> CannedAnswer:
    encoded = json.dumps(body, separators=(",", ":")).encode()
    return CannedAnswer(status, {"Content-Type": "application/json;charset=utf-8"}, encoded)
