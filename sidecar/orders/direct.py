"""What a bot sends its broker directly, beside the orders that wait here for the same account."""

from collections.abc import Mapping
from typing import Final

from sidecar.brokers.profile import Intent
from sidecar.orders.errors import ConflictError
from sidecar.orders.keys import HEADER, derived, may_be_known
from sidecar.orders.ledger import Ledger, Wanted
from sidecar.orders.order import Kind, Order
from sidecar.orders.queue import OrderQueue
from sidecar.wire import Request, header

KINDS: Final[Mapping[str, Kind]] = {
    "place_order": Kind.ORDER,
    "place_algo_order": Kind.ORDER,
    "cancel_order": Kind.CANCEL,
    "cancel_algo_order": Kind.CANCEL,
}
"""The endpoints whose calls may wait."""
_CANCELS_ALL: Final = frozenset({"cancel_all_orders", "cancel_all_algo_orders"})
_MOVES: Final = ("cancel_", "modify_", "replace_")
"""How the endpoints begin whose calls are about orders that the broker should have already."""


async def heed(queue: OrderQueue, ledger: Ledger, request: Request, *, since: float | None = None) -> None:
    """Let what waits agree with what the broker is about to be told, or refuse it. Raises OrderError, StoreError.

    What a bot cancels or changes is not sent afterwards: the broker will say that there is no such order, and that has
    to be true. An order that is carried already is not sent a second time.

    `since`: where client ids count as keys, an order that was taken then or later (Unix seconds) is known by its own,
    though it may have ended; None where an id may be used again as soon as the broker lets it.
    """
    intent = queue.profile.understand(request)
    name = intent.endpoint.name
    if name in _CANCELS_ALL:
        await queue.caught_up()
        await _withdraw(queue, _swept(queue, name, request))
    elif name.startswith(_MOVES):
        await queue.caught_up()
        lane = queue.profile.lane(request)
        own = [intent.client_id] if intent.client_id and name.startswith("cancel_") else []
        named = (queue.of_client_id(client_id) for client_id in own or queue.profile.named(request))
        await _withdraw(queue, [order for order in named if order is not None and lane.covers(order.lane)])
    elif KINDS.get(name) is Kind.ORDER:
        carried = await _carried(queue, ledger, request, intent, since)
        if carried is not None and queue.profile.lane(request).account == carried.lane.account:
            raise ConflictError(
                f"not sent: the sidecar has taken an order under this id already; GET /v1/orders/{carried.id} tells "
                "how far it is, and a new order needs a new id"
            )


async def _carried(
    queue: OrderQueue, ledger: Ledger, request: Request, intent: Intent, since: float | None
) -> Order | None:
    """The carried order that a placement repeats: an open or young enough one by its client id, or any by its key."""
    await queue.caught_up()
    if intent.client_id and (same := queue.of_client_id(intent.client_id)) is not None:
        return same
    key = derived(header(request.headers, HEADER))
    if key and (found := await ledger.select(Wanted(brokers=(queue.broker,), keys=(key,)))):
        return found[0]
    if since is None or not may_be_known(intent):
        return None
    same_id = await ledger.select(Wanted(brokers=(queue.broker,), client_ids=(intent.client_id,)))
    return next((order for order in same_id if order.created_at >= since), None)


async def _withdraw(queue: OrderQueue, orders: list[Order]) -> None:
    for order in orders:
        if not await queue.take_back(order, "cancelled by its bot before it was sent"):
            queue.stop_sending(order, "cancelled by its bot before it was executed")


def _swept(queue: OrderQueue, name: str, request: Request) -> list[Order]:
    """The orders that the broker would cancel, were they there: conditional ones or the others, never both."""
    understand = queue.profile.understand
    return [
        order
        for order in queue.waiting(queue.profile.lane(request))
        if ("algo" in name) == ("algo" in understand(order.request).endpoint.name)
    ]
