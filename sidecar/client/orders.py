"""Hands orders to the sidecar to carry, with nothing but the standard library.

from sidecar.client.orders import Orders

orders = Orders("unix:/run/sidecar/sidecar.sock")
order = orders.place(
    broker="binance", instrument="BTCUSDT", side="buy", quantity="0.010", client_id="entry-42", wait=5
)
"""

import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from sidecar.client.unix import UnixConnection

_USUAL_SECONDS: Final = 20.0
_LONGEST_WAIT_SECONDS: Final = 300.0
"""The sidecar cuts a longer wait to this."""


class OrderRefusedError(Exception):
    """Raised when the sidecar says no. Its text says why, and whether anything can have come of it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        """429 when the queue is full, 422 when the client id belongs to another order or a field is wrong, 404 for an
        order that is not known, 409 for what cannot be done, 507 when the disk is full, 503 when the sidecar stops."""


@dataclass(frozen=True)
class CarriedOrder:
    """An order that the sidecar carries, as it was when it was asked for."""

    id: str
    client_id: str
    state: str
    """One of `accepted`, `queued`, `sending`, `in_doubt`, `working`, `filled`, `rejected`, `cancelled`, `expired` and
    `dead`.
    """
    reason: str
    settled: bool
    """Whether the broker has answered, or never will."""
    final: bool
    """Whether it can never change again."""
    may_have_been_executed: bool
    """Whether it is not known if the broker executed it: never send it again on your own."""
    told: dict[str, Any]
    """Everything that the sidecar told."""


class Orders:
    """The orders of one sidecar.

    Every call raises OSError or http.client.HTTPException when no answer comes: then simply call again.
    """

    def __init__(self, sidecar: str, *, token: str = "") -> None:
        """`sidecar` is `unix:/path/to/socket` or `http://127.0.0.1:8787`; `token` is that of `listen.token_file`."""
        self._sidecar = sidecar
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def place(self, *, client_id: str, wait: float = 0, **terms: Any) -> CarriedOrder:
        """Hand in an order, and wait up to `wait` seconds (at most 300) until the broker has answered.

        The same order with the same `client_id` once more is not another order: it is told how the first one is.
        `terms` are broker, instrument, side and quantity; and type, price, stop_price, time_in_force, reduce_only,
        account, ttl_seconds and price_guard where they are needed. Raises OrderRefusedError.
        """
        body = json.dumps({"client_id": client_id, **terms}, default=str)
        return _carried(self._ask("POST", "/v1/orders", wait=wait, body=body))

    def get(self, order_id: str, *, wait: float = 0, final: bool = False) -> CarriedOrder:
        """How an order is, once it is settled (or at its end, if `final`) or `wait` seconds later, at most 300.

        Raises OrderRefusedError.
        """
        query = urlencode({"wait": f"{min(wait, _LONGEST_WAIT_SECONDS):g}", "until": "final" if final else "settled"})
        return _carried(self._ask("GET", f"/v1/orders/{quote(order_id, safe='')}?{query}", wait=wait))

    def find(self, client_id: str) -> CarriedOrder | None:
        """The newest order with a client id, if there is one. Raises OrderRefusedError."""
        found = self._ask("GET", f"/v1/orders?{urlencode({'client_id': client_id})}")["orders"]
        return _carried(found[0]) if found else None

    def cancel(self, order_id: str) -> CarriedOrder:
        """Take an order back. Returns the order, where it had not been sent, or else the cancel that follows it.

        Raises OrderRefusedError, with 409 for an order that has ended.
        """
        return _carried(self._ask("DELETE", f"/v1/orders/{quote(order_id, safe='')}"))

    def _ask(self, method: str, target: str, *, wait: float = 0, body: str | None = None) -> Any:
        prefer = {"Prefer": f"wait={wait:g}"} if body is not None else {}
        connection = self._connection(_USUAL_SECONDS + min(wait, _LONGEST_WAIT_SECONDS))
        try:
            connection.request(method, target, body, self._headers | prefer)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status // 100 != 2:  # noqa: PLR2004 - HTTP's own number
            raise OrderRefusedError(answer.status, _detail(content))
        return json.loads(content)

    def _connection(self, seconds: float) -> HTTPConnection:
        if self._sidecar.startswith("unix:"):
            return UnixConnection(self._sidecar.removeprefix("unix:"), timeout=seconds)
        url = urlsplit(self._sidecar)
        return HTTPConnection(url.hostname or "", url.port, timeout=seconds)


def _carried(told: dict[str, Any]) -> CarriedOrder:
    return CarriedOrder(
        id=told["id"],
        client_id=told["client_id"],
        state=told["state"],
        reason=told["reason"],
        settled=told["settled"],
        final=told["final"],
        may_have_been_executed=told["may_have_been_executed"],
        told=told,
    )


def _detail(content: bytes) -> str:
    try:
        problem = json.loads(content)
        fields = [f"{error['pointer']}: {error['detail']}" for error in problem.get("errors", ())]
        return "; ".join([str(problem["detail"]), *fields])
    except (ValueError, KeyError, TypeError, AttributeError):
        return "the answer is no sidecar's"
