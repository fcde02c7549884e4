"""Orders that are written down as the sidecar does it, without the wire and whatever else belongs to taking them.

`python -m bench.kept FILE SECONDS AT_ONCE` prints the figures as JSON; times are microseconds.
"""

import asyncio
import json
import sys
import time
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Final

import uvloop

from bench import upstream
from bench.inserts import figures
from sidecar.brokers.profile import OrderTerms
from sidecar.brokers.registry import build
from sidecar.clock import Clock, SystemClock
from sidecar.config.model import Broker
from sidecar.orders.ledger import Ledger
from sidecar.orders.order import Kind, Order
from sidecar.store import Store
from sidecar.words import OrderState, OrderType, Side

YEAR_SECONDS: Final = 365 * 86400.0
_PROFILE: Final = build(Broker.model_validate({"profile": "binance-usdm", "base_url": "http://127.0.0.1:1"}))
_INSTRUMENTS: Final = 50
_READY: Final = 2000


def keep(path: Path, seconds: float, at_once: int = 1) -> dict[str, float]:
    """Write orders down for so long."""
    return uvloop.run(_keep(path, seconds, at_once))


async def _keep(path: Path, seconds: float, at_once: int) -> dict[str, float]:
    clock = SystemClock()
    store = Store(path)
    await store.open()
    ledger = Ledger(store, YEAR_SECONDS, clock)
    # What an order is made of takes longer than to write it down, and is no part of this.
    made = [an_order(number, OrderState.QUEUED, clock) for number in range(_READY)]
    numbers = count()
    times: list[float] = []
    began = time.perf_counter()

    async def write() -> None:
        last = time.perf_counter()
        while last - began < seconds:
            number = next(numbers)
            order = made[number % _READY]
            order.id, order.client_id = f"{number:020x}", f"kept-{number}"
            await ledger.accept(order)
            now = time.perf_counter()
            times.append(now - last)
            last = now

    await asyncio.gather(*(write() for _ in range(at_once)))
    took = time.perf_counter() - began
    await store.close()
    return figures(times, took)


def an_order(number: int, state: OrderState, clock: Clock) -> Order:
    """A market order, of one of fifty instruments while it waits."""
    name = f"C{number % _INSTRUMENTS}USDT" if state is OrderState.QUEUED else "BTCUSDT"
    terms = OrderTerms(name, Side.BUY, OrderType.MARKET, Decimal("0.010"), f"waiting-{number}")
    request = _PROFILE.unsigned(_PROFILE.express(terms))
    return Order(
        id=f"{number:020x}",
        broker="binance",
        kind=Kind.ORDER,
        client_id=terms.client_id,
        lane=_PROFILE.lane(request),
        request=request,
        created_at=upstream.LONG_AGO,
        expires_at=clock.now() + YEAR_SECONDS,
        state=state,
        updated_at=clock.now(),
    )


if __name__ == "__main__":
    told = keep(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(told))
