"""A sidecar with a fault: what may have been executed is sent again, at once and after a crash."""

import sys
from collections.abc import Callable
from dataclasses import replace
from random import Random

from sidecar.calls import pipeline
from sidecar.calls.policies import RetryPolicy
from sidecar.calls.retry import Situation, decide
from sidecar.cli import main
from sidecar.orders.ledger import Ledger
from sidecar.orders.order import Order
from sidecar.words import Effect, OrderState, Why
from tests.torture.powercut import run_watched

sound = Ledger.open_orders


def blind_decide(policy: RetryPolicy, now: Situation, rng: Random, spend: Callable[[], bool]) -> float | Why | None:
    return decide(policy, replace(now, effect=Effect.READ), rng, spend)


async def blind_open_orders(ledger: Ledger, broker: str) -> list[Order]:
    orders = await sound(ledger, broker)
    for order in orders:
        order.state = OrderState.QUEUED
    return orders


if __name__ == "__main__":
    setattr(pipeline, "decide", blind_decide)  # noqa: B010 - a build with another function in its place
    setattr(Ledger, "open_orders", blind_open_orders)  # noqa: B010
    sys.exit(run_watched(main))
