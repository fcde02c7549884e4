"""Whatever a broker does and whenever the sidecar dies: operations end consistently, or a person has been called."""

import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from sidecar.config.model import Operations
from sidecar.orders.operations.errors import OperationError
from sidecar.orders.operations.model import Leg, Operation, Role
from sidecar.words import OperationType, OrderState
from tests.orders.operations.exchange import CANCELLING, PLACING, Booked, shown
from tests.orders.operations.floor import BRACKET, OCO, Floor

ACTIONS = (
    "bracket",
    "limit bracket",
    "oco",
    "close",
    "bulk cancel",
    "move the stop",
    "move the limit",
    "up",
    "down",
    "back to normal",
    "fill a part",
    "roll back",
    "somebody cancels",
    "away",
    "back",
    "disk full",
    "disk free",
)
BEGINNING = ACTIONS[:7]
MARKET = ("up", "down", "back to normal", "fill a part", "somebody cancels")
MOST_EXAMPLES = 25

moments = st.floats(0, 20)
actions = st.sampled_from(ACTIONS + BEGINNING)
lives = st.lists(
    st.tuples(st.lists(st.tuples(moments, actions), max_size=6), moments, st.booleans()), min_size=1, max_size=3
)
seen: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    """How much of what can happen did happen."""
    yield
    figures = ", ".join(f"{what} {count}" for what, count in sorted(seen.items()))
    sys.stdout.write(f"\nmodel of operations: {figures}\n")


@settings(max_examples=MOST_EXAMPLES, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    fates=st.tuples(st.lists(st.sampled_from(PLACING), max_size=12), st.lists(st.sampled_from(CANCELLING), max_size=4)),
    lives=lives,
    takes=st.sampled_from([0.01, 0.5, 7.0]),
    visible_after=st.sampled_from([0.0, 0.3, 20.0]),
    dies_at=st.one_of(st.none(), st.integers(1, 60)),
)
@example((["done", "lost and done"], ["lost"]), [([(0, "bracket"), (3, "up")], 5, True)], 0.01, 20.0, None)
@example((["done", "done", "done"], ["definite"]), [([(0, "oco"), (9, "up")], 0, True)], 0.5, 0.3, 30)
@example((["part", "lost"], []), [([(0, "bracket"), (2, "away"), (9, "back")], 5, False)], 0.01, 0.0, 12)
def test_operations_end_consistently_or_a_person_is_called(
    fates: tuple[list[str], list[str]],
    lives: list[tuple[list[tuple[float, str]], float, bool]],
    takes: float,
    visible_after: float,
    dies_at: int | None,
) -> None:
    with TemporaryDirectory() as folder:
        floor = Floor(Path(folder), *fates)
        floor.exchange.takes, floor.exchange.visible_after, floor.dies_at = takes, visible_after, dies_at
        trial = Trial(floor)
        operations = trial.lived(lives)
    check(floor, operations, trial)


def check(floor: Floor, operations: list[Operation], trial: "Trial") -> None:
    """Nothing doubled, nothing forgotten, nothing unprotected, books equal."""
    exchange = floor.exchange
    assert exchange.twice == [], shown(exchange)
    for operation in operations:
        seen[f"{operation.type} {operation.state}"] += 1
        seen.update(f"trouble {trouble}" for trouble in set(operation.record.recoveries))
        seen["called a person"] += bool(operation.record.alarms)
        mine = exchange.open(f"op-{operation.id}-")
        told = bool(operation.record.alarms)
        for leg in operation.record.legs:
            if not (operation.state.final and leg.open):  # a replacement is watched no longer than until it stands
                _booked_as_told(floor, leg)
        # Of a bot's own order in doubt a person has heard by the order itself.
        assert told or not any(leg.lost and leg.role is not Role.ORDER for leg in operation.record.legs)
        if operation.state.final:
            kept = operation.type is OperationType.MODIFICATION and len(mine) == 1
            assert told or kept or not mine, (operation.record, shown(exchange))
        if operation.type is OperationType.BRACKET:
            _protected(operation, mine, told=told)
        if operation.type is OperationType.OCO:
            traded = [leg for leg in operation.legs(Role.FIRST, Role.SECOND) if leg.filled]
            assert len(traded) < 2 or told
        if operation.type is OperationType.POSITION_CLOSE and operation.state.final:
            assert operation.filled(Role.CLOSE) <= 1
    for instrument, held in exchange.positions.items():
        orders = [order for order in exchange.orders.values() if order.symbol == instrument]
        before = trial.held_before.get(instrument, Decimal(0))
        assert held == sum((order.sign * order.executed for order in orders), before)


def _booked_as_told(floor: Floor, leg: Leg) -> None:
    """What the sidecar says of an order is what the exchange has."""
    if leg.terms is None or not leg.terms.client_id:
        return
    order = floor.exchange.orders.get(leg.terms.client_id)
    if order is None:
        assert leg.filled == 0
        assert leg.state not in {OrderState.WORKING, OrderState.FILLED}
    elif not leg.lost:
        assert leg.filled == order.executed, (leg, shown(floor.exchange))


def _protected(operation: Operation, mine: list[Booked], *, told: bool) -> None:
    entered = operation.filled(Role.ENTRY, Role.RESTORE)
    held = entered - operation.filled(Role.STOP, Role.TARGET, Role.FLATTEN)
    stops = sum(order.quantity for order in mine if order.kind == "STOP_MARKET")
    targets = sum(order.quantity for order in mine if order.kind == "TAKE_PROFIT_MARKET")
    if operation.state.final:
        assert held == 0 or told, operation.record
        return
    assert held > 0, operation.record
    assert stops == held or told, (operation.record, mine)
    assert stops >= held, (operation.record, mine)
    assert targets <= held, (operation.record, mine)


class Trial:
    """What the bots of one trial did, over all its lives. Each operation has an instrument of its own."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.begun: list[tuple[str, str]] = []
        """Ids and instruments."""
        self.held_before: dict[str, Decimal] = {}
        self.number = 0

    def lived(self, lives: list[tuple[list[tuple[float, str]], float, bool]]) -> list[Operation]:
        """Life after life, and one more in which nothing goes wrong any more; what became of the operations."""
        floor = self.floor
        floor.policy = Operations(look_seconds=20)
        for steps, rest, crash in lives:
            floor.live(lambda steps=steps, rest=rest: self.live(steps, rest), crash=crash)  # type: ignore[misc] # bound now
        floor.exchange.away, floor.dies_at = False, None
        return floor.live(self.end)

    async def live(self, steps: list[tuple[float, str]], rest: float) -> None:
        for seconds, what in steps:
            await self.floor.clock.sleep(seconds)
            if self.floor.exchange.dead:
                return
            try:
                await self.act(what)
            except Exception as refusal:
                known = ("sidecar.orders.errors", "sidecar.store.errors", "sidecar.orders.operations.errors")
                if type(refusal).__module__ not in known:
                    raise
        await self.floor.clock.sleep(rest)

    async def act(self, what: str) -> None:
        seen[f"did {what}"] += 1
        if what in BEGINNING:
            await self.begin(what)
        elif what in MARKET:
            self.market(what)
        elif what == "roll back":
            if self.begun and not self.floor.store.full:  # it is answered once it is on the disk
                await self.floor.engine.roll_back(self.begun[-1][0], "the trial asked for it")
        elif what.startswith("disk"):
            self.floor.store.full = what == "disk full"
        else:
            self.floor.exchange.away = what == "away"

    async def begin(self, what: str) -> None:
        match what:
            case "bracket":
                await self.ask(BRACKET)
            case "limit bracket":
                await self.ask(BRACKET, price="95", fill_seconds=30)
            case "oco":
                await self.ask(OCO, held=1)
            case "close":
                close = {"type": "position_close", "broker": "binance", "side": "buy", "quantity": "1"}
                await self.ask(close, held=1)
            case "bulk cancel":
                await self.floor.place(self.fresh(), instrument=f"I{self.number}", type="limit", price="80")
                await self.ask({"type": "bulk_cancel", "broker": "binance", "instrument": f"I{self.number}"}, own=False)
            case _:
                await self.modify(what)

    def market(self, what: str) -> None:
        exchange = self.floor.exchange
        if what == "fill a part":
            for order in [order for order in exchange.open() if order.limit][-1:]:
                exchange.fill(order, (order.quantity - order.executed) / 2)
        elif what == "somebody cancels":
            for order in exchange.open("op-")[-1:]:
                order.status = "CANCELED"
        elif self.begun:
            exchange.move(self.begun[-1][1], {"up": 111, "down": 89}.get(what, 100))

    def fresh(self) -> str:
        self.number += 1
        return f"bot-{self.number}"

    async def ask(self, draft: dict[str, Any], *, held: int = 0, own: bool = True, **changes: Any) -> None:
        if own:
            self.fresh()
            instrument = f"I{self.number}"
            changes["instrument"] = instrument
            if held:
                self.held_before[instrument] = self.floor.exchange.positions[instrument] = Decimal(held)
        operation = await self.floor.ask(draft, **changes)
        self.begun.append((operation.id, f"I{self.number}"))

    async def modify(self, what: str) -> None:
        client_id, instrument = self.fresh(), f"I{self.number}"
        terms: dict[str, Any] = {"type": "limit", "price": "80"}
        if what == "move the stop":
            self.held_before[instrument] = self.floor.exchange.positions[instrument] = Decimal(1)
            terms = {"type": "stop", "stop_price": "90", "side": "sell", "reduce_only": True}
        taken = await self.floor.place(client_id, instrument=instrument, **terms)
        new = {"side": "buy", "quantity": "1"} | terms | ({"price": "81"} if "price" in terms else {"stop_price": "92"})
        draft = {"type": "modification", "broker": "binance", "order": taken.order.id, "replacement": new}
        await self.ask(draft, own=False)

    async def end(self) -> list[Operation]:
        await self.floor.clock.sleep(900)
        found = []
        for operation_id, _ in self.begun:
            try:
                found.append((await self.floor.engine.tell(operation_id)).operation)
            except OperationError:
                raise AssertionError(f"{operation_id} was forgotten") from None
        return found
