"""One sidecar's life: owns the order in which its rooms start and stop.

Up: what remembers (audit) before what happens, and the sockets last, so that no call comes before everything is there.
Down: the sockets first, then what remembers, so that the last call is still on the record.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from sidecar import __version__
from sidecar.alerting.service import LAST_WORD_SECONDS
from sidecar.background import Background
from sidecar.clock import Clock
from sidecar.config.model import Config
from sidecar.health.prober import Prober
from sidecar.orders.leaving import Leaving
from sidecar.rooms import Rooms
from sidecar.stopping import HURRIED_SECONDS, Budget
from sidecar.telemetry.audit.log import RETRY_SECONDS as AUDIT_RETRY_SECONDS
from sidecar.telemetry.events import Started, Stopped

KEPT_SECONDS: Final = 4.0
"""Of the usual nine seconds of a stop, what is kept for writing down what happened; calls in flight have the rest."""
LEAVING_SECONDS: Final = 3.0
"""Of that rest, what is kept for taking orders and positions off the market, where that is configured."""
AUDIT_SECONDS: Final = 2.0
"""What the audit log may take to close when a start comes to nothing."""


class App:
    """One sidecar: everything between its sockets and its brokers."""

    def __init__(self, config: Config, clock: Clock, read: Callable[[], Config]) -> None:
        """`read` reads the configuration anew, from where `config` came; it raises `ConfigError`."""
        self._config = config
        self._clock = clock
        self.rooms = Rooms(config, clock, read)
        self._background = Background()
        self._serving = False
        self._in_haste = asyncio.Event()
        self._budget: Budget | None = None
        self._kept = KEPT_SECONDS

    async def start(self) -> None:
        """Open everything, the sockets last.

        Raises:
            AuditError: when the audit log cannot be written, or is in use by another sidecar.
            StoreError: when the state file cannot be used, or is in use by another sidecar.
            ApiError: when a socket cannot be opened.
        """
        rooms = self.rooms
        began = time.monotonic()
        rooms.audit.open()
        rooms.bus.on_failure = rooms.metrics.count_failure
        for listener in (rooms.audit, rooms.metrics, rooms.traces, rooms.news):
            listener.subscribe(rooms.bus)
        try:
            if rooms.state is not None:
                await rooms.state.open()
            await rooms.alerting.start()
            for gateway in rooms.gateways.values():
                await gateway.open()
            await rooms.orders.restore()
            await rooms.api.start()
            await self._recover(self._config.state.recovery_seconds)
        except BaseException:
            await self._let_go()
            raise
        self._background.begin(self._watches())
        rooms.bus.emit(Started(__version__, self._config.bot, time.monotonic() - began))
        rooms.orders.start()
        rooms.operational.open()

    async def stop(self, reason: str) -> None:
        """Take no more calls, let those in flight end, and write down what happened; all within `stop.budget_seconds`.

        A phase that does not end in its time is left, so that the later ones, which keep the record, have theirs.
        """
        rooms = self.rooms
        rooms.reloading.end()
        stop = rooms.reloading.config.stop
        budget = self._budget = Budget(stop.budget_seconds, self._clock)
        rooms.operational.shut_down(reason)
        self._wind_down(budget)
        await self._background.ended()
        leavings = rooms.orders.leavings(stop)
        self._kept = KEPT_SECONDS + (LEAVING_SECONDS if leavings else 0.0)
        taking_back = rooms.orders.take_back(stop)
        await budget.phase("orders that wait were not all taken back", taking_back, kept=self._kept)
        unfinished = await rooms.api.stop(budget.seconds(self._kept))
        if unfinished:
            budget.left.append(f"calls that were cut short: {unfinished}")
        self._kept = KEPT_SECONDS
        if leavings:
            await self._leave(leavings, budget)
        await budget.phase("calls were not all written down", self._finish(), kept=2.2)
        budget.left += rooms.orders.waiting()
        closing = asyncio.gather(*(gateway.close() for gateway in rooms.gateways.values()))
        await budget.phase("connections were not all closed", closing, kept=2.1)
        await budget.phase("notifications were not all sent", rooms.alerting.close(), kept=2.0)
        rooms.bus.emit(Stopped(reason, unfinished, tuple(budget.left)))
        if rooms.state is not None:
            await budget.phase("the state file was not closed", rooms.state.close(budget.left), kept=1.6)
        rooms.news.close()
        await asyncio.to_thread(rooms.traces.shutdown, budget.seconds(1.2))
        await asyncio.to_thread(rooms.audit.close, budget.seconds(AUDIT_RETRY_SECONDS))

    # On the way up

    def make_haste(self) -> bool:
        """A stop was asked for during the start: tells whether that ends at once of itself, since bots call already.

        Where they do not yet, the start may simply be cancelled.
        """
        if self._serving:
            self._in_haste.set()
        return self._serving

    async def _recover(self, seconds: float) -> None:
        """Recover until it is done, or until a stop is asked for: then calls in flight are owed an ordinary stop."""
        self._serving = True
        recovering = asyncio.create_task(self.rooms.orders.recover(seconds))
        haste = asyncio.create_task(self._in_haste.wait())
        try:
            await asyncio.wait({recovering, haste}, return_when=asyncio.FIRST_COMPLETED)
            if not self._in_haste.is_set():
                await recovering
        finally:
            for task in (recovering, haste):
                task.cancel()
            await asyncio.gather(recovering, haste, return_exceptions=True)

    async def _let_go(self) -> None:
        """Close what was opened before it turned out that something cannot be."""
        rooms = self.rooms
        await rooms.api.stop(0)
        for gateway in rooms.gateways.values():
            await gateway.close()
        await rooms.alerting.close()
        if rooms.state is not None:
            await rooms.state.come_to_nothing()
        await asyncio.to_thread(rooms.audit.close, AUDIT_SECONDS)

    def _watches(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What goes on beside the calls until the stop."""
        rooms = self.rooms
        watches = {f"degradation of {name}": one.level.run() for name, one in rooms.degradations.items()}
        watches |= {
            f"probe {name}": Prober(rooms.conditions[name], gateway.look).run()
            for name, gateway in rooms.gateways.items()
            if gateway.can_look
        }
        watches |= {f"start-up checks {name}": checks.run() for name, checks in rooms.checks.items()}
        watches |= rooms.orders.watches()
        watches["pulse"] = rooms.metrics.pulse.run(self._clock)
        return watches

    # On the way down

    def hurry(self) -> None:
        """End the stop that is under way sooner: somebody has asked for it once more."""
        if self._budget is not None:
            self._budget.hurry(self._kept)
            self.rooms.api.hurry(HURRIED_SECONDS)

    def _wind_down(self, budget: Budget) -> None:
        """Take on nothing new."""
        rooms = self.rooms
        rooms.alerting.wind_down(min(LAST_WORD_SECONDS, budget.seconds(2.2)))
        for name, gateway in rooms.gateways.items():
            gateway.wind_down()
            rooms.fronts[name].wind_down()
        rooms.orders.wind_down()
        self._background.cancel()

    async def _leave(self, leavings: Sequence[Leaving], budget: Budget) -> None:
        """Take orders and positions off the market; nobody else acts any more."""
        orders = self.rooms.orders
        await orders.finish_operations()
        seconds = budget.seconds(KEPT_SECONDS)
        work = asyncio.gather(*(leaving.run(seconds) for leaving in leavings))
        await budget.phase("not everything could be taken off the market in time", work, kept=KEPT_SECONDS)
        for leaving in leavings:
            budget.left += leaving.left
            await orders.left(leaving)
        # Who has to know of what could not be closed gets as long as before.
        self.rooms.alerting.wind_down(min(LAST_WORD_SECONDS, budget.seconds(2.2)))

    async def _finish(self) -> None:
        for front in self.rooms.fronts.values():
            await front.finish()
        await self.rooms.orders.finish()
