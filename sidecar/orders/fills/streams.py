"""Fills of one broker's orders, learnt as they happen: its streams say when to look, and the look is the truth.

Whatever a stream does (breaks, falls silent, repeats itself, names what is not there), orders end as without it: who
polls goes on polling, only less often while a stream is open.
"""

import asyncio
from random import Random
from typing import Final

from sidecar.calls.gateway import Gateway
from sidecar.clock import Clock
from sidecar.orders.fills.account import AccountStream
from sidecar.orders.fills.looks import Looks
from sidecar.orders.ledger import Ledger, Wanted
from sidecar.orders.order import Kind
from sidecar.orders.queue import OrderQueue
from sidecar.store import StoreClosedError, StoreError
from sidecar.telemetry.events import BrokerChecked, Bus, OrderStateChanged, Reloaded
from sidecar.words import OrderState, Readiness

MOST_ORDERS: Final = 1000
"""Working orders that are taken over from the last run; older ones are polled."""
_AGAIN_SECONDS: Final = 2.0
"""Pause before the disk is tried again."""


class FillStreams:
    """Follows the orders of one broker for as long as `run` runs."""

    def __init__(
        self, gateway: Gateway, queue: OrderQueue, ledger: Ledger, *, bus: Bus, clock: Clock, rng: Random
    ) -> None:
        self._gateway = gateway
        self._queue = queue
        self._ledger = ledger
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._looks = Looks(queue.look_again, clock)
        self._accounts: dict[str, AccountStream] = {}
        self._owners: dict[str, AccountStream] = {}
        """Accounts by the ids of their orders."""
        self._running = False
        bus.subscribe(OrderStateChanged, self._changed)
        bus.subscribe(BrokerChecked, self._checked)
        bus.subscribe(Reloaded, self._reloaded)

    def live(self, account: str) -> bool:
        """Whether an account's stream is open: what happens to its orders is known at once."""
        found = self._accounts.get(account)
        return found is not None and found.live

    async def run(self) -> None:
        """Keep the streams that are needed, until this is cancelled."""
        try:
            await self._take_over()
            self._running = True
            for account in self._accounts.values():
                account.follow()
            await asyncio.Event().wait()
        finally:
            self._running = False
            await asyncio.gather(*(account.stop() for account in self._accounts.values()))
            await self._looks.stop()

    async def _take_over(self) -> None:
        """Learn which orders the last run has left with the broker."""
        wanted = Wanted(brokers=(self._queue.broker,), states=(OrderState.WORKING,), most=MOST_ORDERS)
        while True:
            try:
                found = await self._ledger.select(wanted)
                break
            except StoreClosedError:
                raise
            except StoreError:
                await self._clock.sleep(_AGAIN_SECONDS)
        for order in found:
            if order.kind is Kind.ORDER:
                self._works(order.lane.account, order.id, order.client_id)

    # What happens meanwhile

    def _changed(self, event: OrderStateChanged) -> None:
        if event.broker != self._queue.broker or event.kind != Kind.ORDER:
            return
        self._looks.changed(event.order)
        if event.to_state is OrderState.WORKING:
            order = self._queue.find(event.order)
            if order is not None:
                self._works(order.lane.account, order.id, order.client_id)
        elif event.to_state.final:
            self._looks.forget(event.order)
            owner = self._owners.pop(event.order, None)
            if owner is not None:
                owner.ended(event.order, event.client_id)

    def _works(self, name: str, order_id: str, client_id: str) -> None:
        account = self._accounts.get(name)
        if account is None:
            stream = self._gateway.questions.order_stream(name)
            if stream is None:
                return
            account = self._accounts[name] = AccountStream(
                stream,
                gateway=self._gateway,
                queue=self._queue,
                looks=self._looks,
                bus=self._bus,
                clock=self._clock,
                rng=self._rng,
            )
        self._owners[order_id] = account
        account.works(order_id, client_id)
        if self._running:
            account.follow()

    def _checked(self, event: BrokerChecked) -> None:
        if event.broker == self._queue.broker and event.to_state is Readiness.READY:
            self._mended()

    def _reloaded(self, event: Reloaded) -> None:
        if f"brokers.{self._queue.broker}.credentials" in event.changed:
            self._mended()

    def _mended(self) -> None:
        for account in self._accounts.values():
            account.mended()
