"""Closing a position at ProjectX: its own way to reduce one, which can never open another.

[doc] `Position/partialCloseContract` names a size, `Position/closeContract` means the whole position; neither takes a
side or a tag, and their answers tell no order's number.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qs

from sidecar.brokers._answers import json_of
from sidecar.brokers._projectx_endpoints import JSON, SIDES, fields_of, rule_of
from sidecar.brokers.profile import Fit, OrderTerms
from sidecar.wire import Answer, Request
from sidecar.words import Side

_PART: Final = "/api/Position/partialCloseContract"
_WHOLE: Final = "/api/Position/closeContract"
_LONG, _SHORT = 1, 2
"""[doc] PositionType."""
_HELD: Final[Mapping[int, tuple[int, str]]] = {SIDES[Side.SELL]: (_LONG, "long"), SIDES[Side.BUY]: (_SHORT, "short")}
"""By the side of the order that closes it: which position it is, and what people call it."""


def express(terms: OrderTerms) -> Request:
    """The close of so much. The side is kept in the query, for the looks before and after; it is never sent."""
    body = {"accountId": int(terms.account), "contractId": terms.instrument, "size": int(terms.quantity)}
    return Request("POST", f"{_PART}?side={SIDES[terms.side]}", JSON, json.dumps(body).encode())


def side_of(request: Request) -> int | None:
    """The side of the order that closes; None for a close that did not come from `express`."""
    if rule_of(request).endpoint.name != "reduce_position":
        return None
    told = parse_qs(request.query).get("side", [""])[0]
    return next((side for side in SIDES.values() if told == str(side)), None)


def fit(request: Request) -> Fit | None:
    """Asks for the position before it is closed; None for what closes none."""
    side = side_of(request)
    return None if side is None else _fitted(request, side)


def _fitted(request: Request, side: int) -> Fit:
    """Never more than is held, and nothing that is held the other way round.

    [think] Whether a partial close takes the whole size is not documented, so that the whole is closed as such.
    """
    asked = fields_of(request.body)
    account, contract, size = asked.get("accountid"), asked.get("contractid"), asked.get("size")
    question = Request("POST", "/api/Position/searchOpen", JSON, json.dumps({"accountId": account}).encode())
    listed = _positions((yield question))
    kind, word = _HELD[side]
    held = sum(_size(item) for item in listed if item.get("contractId") == contract and item.get("type") == kind)
    if not isinstance(size, int) or held < size:
        return f"the account holds {held} {word} in {contract}, and {size} are to be closed"
    if held > size:
        return Request("POST", _PART, request.headers, request.body)
    return Request("POST", _WHOLE, JSON, json.dumps({"accountId": account, "contractId": contract}).encode())


def _positions(answer: Answer) -> Iterable[Mapping[str, object]]:
    said = json_of(answer)
    listed = said.get("positions") if isinstance(said, dict) else None
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else ()


def _size(position: Mapping[str, object]) -> int:
    size = position.get("size")
    return size if isinstance(size, int) else 0
