"""Where orders are handed in and asked for: the queues of all brokers behind one door."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Final, Protocol

from sidecar.brokers.groups import Group, Link, TakesGroups
from sidecar.brokers.profile import Inexpressible
from sidecar.calls.latesigning import client_id_of_key, new_client_id
from sidecar.clock import Clock
from sidecar.orders.direct import KINDS, heed
from sidecar.orders.draft import OrderDraft
from sidecar.orders.errors import (
    ConflictError,
    DoubtfullyRecordedError,
    EndedError,
    UnnumberedError,
    UnsupportedError,
)
from sidecar.orders.fills.streams import FillStreams
from sidecar.orders.inquiries import Inquiries
from sidecar.orders.intake import Taken
from sidecar.orders.keys import HEADER, derived
from sidecar.orders.ledger import Ledger
from sidecar.orders.order import Kind, Order, PriceGuard, new_order
from sidecar.orders.outcome import Next
from sidecar.orders.queue import OrderQueue
from sidecar.orders.recorder import Recorder
from sidecar.store import StoreError
from sidecar.telemetry.events import Bus, OrderRefused
from sidecar.wire import Request, header
from sidecar.words import Effect, OrderState, OrderType

_SOME_ID: Final = "1"
"""Stands for the id that a broker will give to an order."""
_NUMBER_SECONDS: Final = 5.0
"""Longest wait for the answer that tells a broker's own id, where an order is cancelled by that."""


class Knows(Protocol):
    """Whether any of these calls has come before, as `IdempotentGateway.knows`."""

    async def __call__(self, *requests: Request) -> bool:
        """Raises StoreError."""


class OrderDesk(Inquiries):
    """Takes orders for the brokers whose requests the sidecar signs, and tells what became of them."""

    def __init__(
        self,
        queues: Mapping[str, OrderQueue],
        ledger: Ledger,
        *,
        bus: Bus,
        clock: Clock,
        rng: Random,
        fill_streams: Mapping[str, FillStreams] | None = None,
        client_id_seconds: Mapping[str, float] | None = None,
        sent_directly: Mapping[str, Knows] | None = None,
    ) -> None:
        """`fill_streams` as for `Inquiries`.

        `client_id_seconds`: for how long an order's client id is a key where bots call the broker directly; never for
        a broker that is not named. `sent_directly` tells, by broker, whether a bot has called it so, under a key that
        holds still.
        """
        super().__init__(queues, ledger, bus=bus, clock=clock, fill_streams=fill_streams)
        self._bus = bus
        self._rng = rng
        self._client_id_seconds = dict(client_id_seconds or {})
        self._sent_directly = dict(sent_directly or {})

    async def give_up_strays(self) -> None:
        """Tell that nobody will carry the orders of brokers for which there is no queue any more. Raises StoreError.

        They were left by a run with another configuration.
        """
        recorder = Recorder(self._ledger, self._bus, self._clock)
        for order in await self._ledger.strays(list(self._queues)):
            why = f"this configuration carries no orders for {order.broker}"
            step = Next(OrderState.DEAD, f"not executed, and given up: {why}")
            if order.state is not OrderState.QUEUED:
                words = f"sent once, outcome unknown: {why}; look at the account before you send it again"
                step = Next(OrderState.DEAD, words, doubtful=True)
            recorder.enter(order, step)
            with suppress(StoreError):  # a disk that is full: the next start tells it once more
                await self._ledger.change(order)

    # Handing in

    async def place(
        self,
        draft: OrderDraft,
        traceparent: bytes | None = None,
        key: bytes | None = None,
        *,
        urgent: bool = False,
        watched: bool = False,
    ) -> Taken:
        """Take an order in the neutral form; `key` is its `Idempotency-Key`. Raises OrderError.

        `urgent`: an open position depends on it. `watched`: an operation undoes what it trades too much.
        """
        queue = self._queue(draft.broker)
        client_id = draft.client_id or self._new_client_id(key)
        request = self._expressed(queue, lambda: queue.profile.express(draft.terms(client_id, watched=watched)))
        guard = None
        if draft.price_guard is not None:
            guard = PriceGuard(draft.side, draft.price_guard.reference, draft.price_guard.tolerance)
        order = self._order(queue, Kind.ORDER, client_id, request, self._lifetime(queue, draft))
        order.guard, order.traceparent, order.urgent = guard, traceparent, urgent
        order.key = derived(key)
        if not watched:  # an operation's orders have ids that nobody else knows
            await self._refuse_repeated(draft.broker, request, key)
        return await queue.take(order)

    async def _refuse_repeated(self, broker: str, request: Request, key: bytes | None) -> None:
        """Refuse an order that a bot has sent directly, under this `Idempotency-Key` or a client id that counts as one.

        Nothing may come between this and taking the order, or it could be sent directly meanwhile.
        """
        knows = self._sent_directly.get(broker)
        if knows is None:
            return
        asked = [request]
        if key is not None:
            asked.append(Request(request.method, request.target, (*request.headers, (HEADER, key)), request.body))
        try:
            known = await knows(*asked)
        except StoreError as error:
            raise DoubtfullyRecordedError(
                "perhaps taken, if it came before: the state file cannot be read; ask for its client id before it is "
                "sent under another, see the log"
            ) from error
        if known:
            raise ConflictError(
                "not taken: under this id an order has been sent to the broker directly; a new order needs a new id"
            )

    async def place_group(
        self,
        first: OrderDraft,
        companions: Sequence[OrderDraft],
        link: Link,
        traceparent: bytes | None = None,
        *,
        urgent: bool = False,
    ) -> Taken:
        """Take orders, each with its client id, that the broker places in one request; the first one carries it.

        `urgent` as in `place`. Raises OrderError.
        """
        queue = self._queue(first.broker)
        request = self._expressed_group(queue, first, companions, link)
        order = self._order(queue, Kind.ORDER, first.client_id, request, self._lifetime(queue, first))
        order.traceparent, order.urgent = traceparent, urgent
        return await queue.take(order)

    async def take_over(self, first_id: str, companion: OrderDraft) -> Taken:
        """Follow an order that the broker has placed along with the first one, as one of those carried here.

        Raises OrderError, StoreError.
        """
        first = (await self.account(first_id)).order
        queue = self._queue(first.broker)
        profile = self._grouping(queue)
        terms = companion.terms(companion.client_id, watched=True)
        request = queue.profile.unsigned(profile.companion(first.request, terms, first.broker_order_id))
        order = self._order(queue, Kind.ORDER, companion.client_id, request, queue.settings.ttl_seconds)
        # It was placed along with the first: a look must not take it for an older order of the same client id.
        order.created_at, order.lane, order.traceparent = first.created_at, first.lane, first.traceparent
        return await queue.take_over(order)

    def booked(self, companion: Order) -> Decimal | None:
        """How much an order is for that was placed along with another one; None where that is what was asked for."""
        queue = self._queues.get(companion.broker)
        if queue is None or companion.answer is None or not isinstance(queue.profile, TakesGroups):
            return None
        return queue.profile.booked(companion.answer)

    def takes_groups(self, broker: str) -> TakesGroups | None:
        """How a broker takes orders that belong together in one request; None where it takes one at a time."""
        profile = self._queue(broker).profile
        return profile if isinstance(profile, TakesGroups) else None

    def objection_to_group(self, first: OrderDraft, companions: Sequence[OrderDraft], link: Link) -> str:
        """Why these orders cannot be placed in one request; empty when they can. Raises UnsupportedError."""
        queue = self._queue(first.broker)
        if not isinstance(queue.profile, TakesGroups):
            return f"{queue.broker} takes one order at a time"
        terms = [draft.terms(new_client_id(self._rng), watched=True) for draft in (first, *companions)]
        try:
            queue.profile.express_group(Group(terms[0], tuple(terms[1:]), link))
        except Inexpressible as error:
            return str(error)
        return ""

    def _expressed_group(
        self, queue: OrderQueue, first: OrderDraft, companions: Sequence[OrderDraft], link: Link
    ) -> Request:
        profile = self._grouping(queue)
        terms = [draft.terms(draft.client_id, watched=True) for draft in (first, *companions)]
        return self._expressed(queue, lambda: profile.express_group(Group(terms[0], tuple(terms[1:]), link)))

    def _grouping(self, queue: OrderQueue) -> TakesGroups:
        profile = queue.profile
        if not isinstance(profile, TakesGroups):
            raise self._unsupported(queue.broker, f"not taken: {queue.broker} takes one order at a time")
        return profile

    def _expressed(self, queue: OrderQueue, express: Callable[[], Request]) -> Request:
        try:
            return queue.profile.unsigned(express())
        except Inexpressible as error:
            raise self._unsupported(queue.broker, f"not taken: {error}") from error

    @staticmethod
    def _lifetime(queue: OrderQueue, draft: OrderDraft) -> float:
        usual = queue.settings.market_ttl_seconds if draft.type is OrderType.MARKET else queue.settings.ttl_seconds
        return draft.ttl_seconds or usual

    def check(self, draft: OrderDraft) -> None:
        """Whether such an order could be placed, found again and taken back for an operation.

        Raises UnsupportedError.
        """
        queue = self._queue(draft.broker)
        client_id = draft.client_id or new_client_id(self._rng)
        request = self._expressed(queue, lambda: queue.profile.express(draft.terms(client_id, watched=True)))
        intent = queue.profile.understand(request)
        found_by_id = queue.profile.look(request, intent, self._clock.now) is not None
        if not found_by_id or queue.profile.cancellation(request, _SOME_ID) is None:
            raise self._unsupported(
                queue.broker,
                f"not taken: {queue.broker} cannot look up and cancel an order whose answer is lost, without which "
                "nothing may depend on it; place single orders there, and see to their protection yourself",
            )

    def can_cancel(self, order: Order) -> bool:
        """Whether an order that is open, or in its broker's book, is one that can be taken back."""
        queue = self._queues.get(order.broker)
        if queue is None:
            return False
        return order.state.open or queue.profile.cancellation(order.request, order.broker_order_id) is not None

    async def divert(self, broker: str, request: Request, traceparent: bytes | None = None) -> Taken | None:
        """Take a bot's own request, to be signed and sent later; None for one that cannot wait. Raises OrderError."""
        queue = self._queues.get(broker)
        if queue is None:
            return None
        profile = queue.profile
        intent = profile.understand(request)
        kind = KINDS.get(intent.endpoint.name)
        if kind is None or intent.effect is Effect.READ:
            return None
        unsigned = profile.unsigned(request)
        if kind is Kind.ORDER and not intent.client_id:
            unsigned = profile.identified(unsigned, self._new_client_id(header(request.headers, HEADER)))
            intent = profile.understand(unsigned)
        # What could not be looked up afterwards must not be sent without its bot.
        if not intent.client_id or profile.look(unsigned, intent, self._clock.now) is None:
            return None
        order = self._order(queue, kind, intent.client_id, unsigned, self._ttl(queue, kind, unsigned))
        order.traceparent = traceparent
        if kind is Kind.ORDER:
            order.key = derived(header(request.headers, HEADER))
        return await queue.take(order)

    async def heed(self, broker: str, request: Request) -> None:
        """A bot calls the broker directly, which knows nothing of the orders that wait here.

        Raises OrderError, StoreError.
        """
        queue = self._queues.get(broker)
        if queue is None:
            return
        seconds = self._client_id_seconds.get(broker, 0)
        await heed(queue, self._ledger, request, since=self._clock.now() - seconds if seconds else None)

    async def cancel(self, order_id: str, traceparent: bytes | None = None) -> Order:
        """Take an order back, or let a cancel follow it; returns what carries the cancel out. Raises OrderError."""
        order = (await self.account(order_id)).order
        queue = self._queue(order.broker)
        await queue.caught_up()
        order = queue.find(order_id) or order
        lost = order.state is OrderState.DEAD and order.may_have_been_executed
        if (order.state.final and not lost) or order.kind is Kind.CANCEL:
            raise EndedError(f"order {order.id} is {order.state}: there is nothing to cancel")
        if await queue.take_back(order, "cancelled before it was sent"):
            return order
        if not order.broker_order_id and queue.profile.cancellation(order.request) is None:
            order = await self._numbered(queue, order)
            if order.state is OrderState.CANCELLED:
                return order
        request = queue.profile.cancellation(order.request, order.broker_order_id)
        if request is None:
            words = f"not cancelled: {order.broker} has told no id of order {order.id}, and cancels by nothing else"
            raise self._unsupported(order.broker, words)
        cancel = self._order(queue, Kind.CANCEL, order.client_id, request, queue.settings.ttl_seconds)
        cancel.lane, cancel.traceparent = order.lane, traceparent
        cancel.link = order.traceparent if order.traceparent != traceparent else None
        return (await queue.take(cancel)).order

    async def _numbered(self, queue: OrderQueue, order: Order) -> Order:
        """The order with the broker's own id of it, waited for while its call is under way. Raises OrderError."""
        queue.stop_sending(order, "cancelled before it was executed")
        order = (await self.wait(order.id, _NUMBER_SECONDS, final=False)).order
        if order.state is OrderState.WORKING and not order.broker_order_id:
            await queue.look_again(order.id)
            order = (await self.account(order.id)).order
        if order.state.final and order.state is not OrderState.CANCELLED and not order.may_have_been_executed:
            raise EndedError(f"order {order.id} is {order.state}: there is nothing to cancel")
        if order.state.open:
            raise UnnumberedError(
                f"not cancelled: {order.broker} cancels by its own id of an order, and that of {order.id} is not known "
                f"while it is {order.state}; it is being looked up: cancel it again when it is working"
            )
        return order

    # Making orders

    def _new_client_id(self, key: bytes | None) -> str:
        return new_client_id(self._rng) if key is None else client_id_of_key(key.strip())

    def _order(self, queue: OrderQueue, kind: Kind, client_id: str, request: Request, ttl: float) -> Order:
        lane, now = queue.profile.lane(request), self._clock.now()
        return new_order(kind, queue.broker, client_id, lane, request, now=now, ttl=ttl, rng=self._rng)

    @staticmethod
    def _ttl(queue: OrderQueue, kind: Kind, request: Request) -> float:
        market = kind is Kind.ORDER and queue.profile.at_market(request)
        return queue.settings.market_ttl_seconds if market else queue.settings.ttl_seconds

    def _queue(self, broker: str) -> OrderQueue:
        queue = self._queues.get(broker)
        if queue is None:
            known = ", ".join(sorted(self._queues)) or "none"
            raise self._unsupported(
                broker,
                f"the sidecar carries no orders for {broker!r}: that needs state.path, and credentials that it signs "
                f"with, in brokers.<name>.credentials; it carries orders for: {known}",
            )
        return queue

    def _unsupported(self, broker: str, message: str) -> UnsupportedError:
        if broker in self._queues:
            self._bus.emit(OrderRefused(broker, UnsupportedError.reason))
        return UnsupportedError(message)
