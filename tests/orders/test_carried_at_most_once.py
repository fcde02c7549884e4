"""Whatever a broker does and whenever the sidecar dies: orders are executed at most once, and nothing told is a lie."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.words import OrderState
from tests.orders.carrying import FATES, Shop, cancelling

SETTINGS: dict[str, Any] = {
    "breaker": {"failures": 10_000, "minimum_calls": 10_000},
    "retry": {"budget_floor": 1000},
    "queue": {"doubt_seconds": 60, "drain_per_second": 1000},
}
EXECUTED = {OrderState.FILLED, OrderState.WORKING}
NOT_EXECUTED = {OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED}

ACTS = ("order", "order", "cancel", "own cancel", "away", "back", "disk full", "disk free")
moments = st.floats(0, 30)
lives = st.lists(
    st.tuples(
        st.lists(
            st.tuples(moments, st.sampled_from(ACTS)),
            max_size=6,
        ),
        moments,
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60)
@given(
    fates=st.lists(st.sampled_from(FATES), max_size=12),
    lives=lives,
    takes=st.sampled_from([0.01, 0.5, 7.0]),
    visible_after=st.sampled_from([0.0, 0.3, 20.0]),
)
def test_orders_are_executed_at_most_once_and_told_truly(
    fates: list[str], lives: list[tuple[list[tuple[float, str]], float, bool]], takes: float, visible_after: float
) -> None:
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder), fates, takes=takes, **SETTINGS)
        shop.broker.visible_after = visible_after
        trial = _Trial(shop)
        for steps, rest, crash in lives:
            shop.run(lambda steps=steps, rest=rest: trial.live(steps, rest), crash=crash)  # type: ignore[misc] # bound now
        shop.broker.away = False
        states = shop.run(trial.end)
    executed = shop.broker.executions
    assert len(executed) == len(set(executed))
    for client_id, (state, doubtful) in states.items():
        assert not state.open, f"{client_id} was forgotten in {state}"
        if state in EXECUTED:
            assert client_id in executed
        if state in NOT_EXECUTED and client_id in executed:
            assert shop.broker.book[client_id]["status"] == "CANCELED"
        if state is OrderState.DEAD and not doubtful:
            assert client_id not in executed
    assert set(executed) <= set(trial.accepted)
    for client_id, placements in trial.recalled.items():
        assert shop.broker.placements(client_id) == placements, f"{client_id} was sent after its bot had cancelled it"


class _Trial:
    """What the bots of one trial did, over all its lives."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.accepted: dict[str, str] = {}
        self.recalled: dict[str, int] = {}
        """How often orders had been transmitted when their bot cancelled them at the broker itself."""
        self.placed = 0

    async def live(self, steps: list[tuple[float, str]], rest: float) -> None:
        for seconds, what in steps:
            await self.shop.clock.sleep(seconds)
            try:
                await self.act(what)
            except Exception as refusal:
                if type(refusal).__module__ != "sidecar.orders.errors":
                    raise
        await self.shop.clock.sleep(rest)

    async def act(self, what: str) -> None:
        shop = self.shop
        match what:
            case "order":
                self.placed += 1
                taken = await shop.place(f"o{self.placed}", ttl_seconds=200)
                self.accepted[taken.order.client_id] = taken.order.id
            case "cancel" if self.accepted:
                await shop.desk.cancel(list(self.accepted.values())[-1])
            case "own cancel" if self.accepted:
                client_id = list(self.accepted)[-1]
                await shop.desk.heed("binance", cancelling(client_id))
                self.recalled[client_id] = shop.broker.placements(client_id)
            case "away" | "back":
                shop.broker.away = what == "away"
            case "disk full" | "disk free":
                shop.store.full = what == "disk full"

    async def end(self) -> dict[str, tuple[OrderState, bool]]:
        told = {}
        for client_id, order_id in self.accepted.items():
            order = (await self.shop.desk.wait(order_id, 5000, final=False)).order
            told[client_id] = (order.state, order.may_have_been_executed)
        return told
