"""Twenty minutes of 503s, with orders that wait: nobody hammers the broker, and each order is sent once or expires."""

from itertools import groupby
from pathlib import Path

from sidecar.telemetry.events import BrokerStateChanged
from sidecar.words import OrderState
from tests.orders.carrying import Shop

MINUTES = 60.0


def test_twenty_minutes_of_503s_end_by_themselves_with_every_order_accounted_for(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> dict[str, OrderState]:
        shop.broker.away = True
        orders = {}
        for minute in range(20):
            for name, terms in {"m": {}, "l": {"type": "limit", "price": "90"}}.items():
                taken = await shop.place(f"{name}{minute}", instrument=f"{name.upper()}USDT", **terms)
                orders[taken.order.client_id] = taken.order.id
            await shop.clock.sleep(1 * MINUTES)
        shop.broker.away = False
        await shop.clock.sleep(20 * MINUTES)
        return {name: (await shop.desk.account(order_id)).order.state for name, order_id in orders.items()}

    states = shop.run(life)
    learning = [sent for sent in shop.broker.sent if sent[0] < 2 * MINUTES]
    during = [sent for sent in shop.broker.sent if 2 * MINUTES <= sent[0] < 20 * MINUTES]
    assert len(learning) <= 20
    assert len(during) <= 8
    assert {state for name, state in states.items() if name.startswith("l")} == {OrderState.FILLED}
    # The broker was seen to be back at the latest fifteen minutes later: younger market orders are still worth sending.
    assert {states["m0"], states["m10"]} == {OrderState.EXPIRED}
    filled = [name for name, state in states.items() if state is OrderState.FILLED]
    assert sorted(shop.broker.executions) == sorted(filled)
    limits = [int(name[1:]) for name in shop.broker.executions if name.startswith("l")]
    assert limits == sorted(limits)
    told = [event.to_state for event in shop.told if isinstance(event, BrokerStateChanged)]
    assert len([state for state, _ in groupby(told)]) <= 4
