"""Takes one order to the broker: the last look at the price, the state on the disk, then the call."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sidecar.brokers.profile import OrderTerms, Profile
from sidecar.calls.asking import Unanswered
from sidecar.calls.gateway import Gateway
from sidecar.clock import Clock
from sidecar.orders.order import Order, PriceGuard
from sidecar.orders.outcome import Next, after_call
from sidecar.orders.recorder import Recorder
from sidecar.store import StoreError
from sidecar.wire import Request
from sidecar.words import OrderState, OrderType

_AGAIN_SECONDS: Final = 2.0
"""Pause before the disk is tried again."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries the orders of one broker, one at a time each."""

    gateway: Gateway
    profile: Profile
    recorder: Recorder
    deadline_seconds: float
    """Longest time that one call may take."""
    clock: Clock

    async def carry(self, order: Order) -> Next:
        """What became of it; the caller records that. Nothing leaves before `sending` is on the disk."""
        if order.guard is not None:
            objection = await self._objection(order, order.guard)
            if objection is not None:
                return objection
        request = await self._fitted(order)
        if isinstance(request, Next):
            return request
        if self.clock.now() >= order.expires_at:
            return Next(OrderState.EXPIRED, "not sent: its time ran out on the way")
        try:
            await self.recorder.before(order, Next(OrderState.SENDING, "on its way", doubtful=True))
        except StoreError:
            return Next(OrderState.QUEUED, "not sent: the state file does not take it", hold=_AGAIN_SECONDS)
        if self.clock.now() >= order.expires_at:
            return Next(OrderState.EXPIRED, "not sent: its time ran out while the state file was written")
        result = await self.gateway.run(
            request,
            deadline_seconds=self.deadline_seconds,
            traceparent=order.traceparent,
            link=order.link,
            gone=lambda: bool(order.recalled),
            expires_at=order.expires_at,
            protects=order.urgent,
        )
        return after_call(request, result, self.profile)

    async def _fitted(self, order: Order) -> Request | Next:
        """The request as it is to be sent, after the last questions; or why it is not sent."""
        fit = self.profile.fit(order.request)
        if fit is None:
            return order.request
        try:
            question = next(fit)
            while True:
                question = fit.send(await self.gateway.questions.ask(question))
        except Unanswered:
            return Next(OrderState.QUEUED, "not sent: the broker does not tell what it depends on")
        except StopIteration as end:
            found: Request | str = end.value
        return Next(OrderState.REJECTED, f"not sent: {found}") if isinstance(found, str) else found

    async def _objection(self, order: Order, guard: PriceGuard) -> Next | None:
        price = await self._price(order, guard)
        if price is None:
            return Next(OrderState.QUEUED, "not sent: the price it depends on is not known")
        if guard.admits(price):
            return None
        bound = f"{guard.reference} by more than {guard.tolerance * 100:f} %"
        return Next(OrderState.EXPIRED, f"not sent: the price, {price}, is worse than {bound}")

    async def _price(self, order: Order, guard: PriceGuard) -> Decimal | None:
        lane = order.lane
        terms = OrderTerms(
            lane.instrument, guard.side, OrderType.MARKET, Decimal(1), order.client_id, account=lane.account
        )
        question = self.profile.price_request(terms)
        if question is None:
            return None
        try:
            return self.profile.told_price(terms, await self.gateway.questions.ask(question))
        except Unanswered:
            return None
