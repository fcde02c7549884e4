"""Operations of every type from their beginning to their end, which a crash at any checkpoint must not change."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sidecar.config.model import Operations
from sidecar.orders.operations.draft import BracketChange
from sidecar.orders.operations.model import Operation, Role
from sidecar.words import OperationState, OperationType
from tests.orders.operations.exchange import shown
from tests.orders.operations.floor import BRACKET, OCO, Floor

SYMBOL: Final = "BTCUSDT"
PATIENCE_SECONDS: Final = 200.0
STOP: dict[str, Any] = {"type": "stop", "side": "sell", "quantity": "1", "stop_price": "90", "reduce_only": True}
LIMIT: dict[str, Any] = {"type": "limit", "side": "buy", "quantity": "1", "price": "80"}
CLOSE: dict[str, Any] = {"type": "position_close", "broker": "binance", "instrument": SYMBOL, "side": "buy"}

Then = Callable[[Floor, Operation], Awaitable[None]]


async def nothing(floor: Floor, operation: Operation) -> None:
    """It ends by itself."""


def moves(price: int) -> Then:
    """The market goes to a price."""

    async def then(floor: Floor, _: Operation) -> None:
        floor.exchange.move(SYMBOL, price)

    return then


async def rolls_back(floor: Floor, operation: Operation) -> None:
    """Its bot changes its mind."""
    told = await floor.engine.tell(operation.id)
    if not told.operation.state.final and not told.operation.record.unwinding:
        await floor.engine.roll_back(operation.id, "asked for")


async def trails_the_stop(floor: Floor, operation: Operation) -> None:
    """Its bot moves the stop."""
    told = await floor.engine.tell(operation.id)
    if not told.operation.record.unwinding:
        await floor.engine.modify(operation.id, BracketChange.model_validate({"stop_price": "95"}))


async def fills_in_part(floor: Floor, _: Operation) -> None:
    """The entry trades a part, its rest is taken back in time, and the target fills."""
    await floor.clock.sleep(5)
    for entry in floor.exchange.booked("entry"):
        if entry.status == "NEW":
            floor.exchange.fill(entry, Decimal("0.4"))
    await floor.clock.sleep(60)
    floor.exchange.move(SYMBOL, 111)


@dataclass(frozen=True)
class Story:
    """One operation, over as many lives as it takes."""

    name: str
    draft: dict[str, Any]
    end: OperationState
    then: Then = nothing
    held: int = 0
    """The position before it."""
    placing: tuple[str, ...] = ()
    """The fates of the first orders; the rest is done."""
    before: tuple[dict[str, Any], ...] = ()
    """What its bot has placed before it."""
    left: tuple[str, ...] = ()
    """What is in the book after it."""
    at_once: bool = False
    """Whether the rest follows before all is in place."""

    async def prepare(self, floor: Floor) -> dict[str, Any]:
        """Place what was there before; a second life finds it again."""
        taken = [await floor.place(f"bot-{number}", **terms) for number, terms in enumerate(self.before)]
        for one in taken:
            await floor.settled(one)
        return {"order": taken[0].order.id} if self.draft["type"] == OperationType.MODIFICATION else {}

    async def live(self, floor: Floor) -> Operation:
        """From where the last life ended."""
        named = await self.prepare(floor)
        operation = await floor.ask(self.draft | named, client_id="story")
        told = await floor.in_place(operation, 0 if self.at_once else PATIENCE_SECONDS)
        if not told.operation.state.final:
            await self.then(floor, operation)
        return (await floor.ended(operation, PATIENCE_SECONDS)).operation


STORIES: Final = (
    Story("bracket whose target fills", BRACKET, OperationState.COMPLETED, moves(111)),
    Story("bracket whose stop fills", BRACKET, OperationState.COMPLETED, moves(89)),
    Story("bracket rolled back", BRACKET, OperationState.ROLLED_BACK, rolls_back),
    Story(
        "bracket without its stop",
        BRACKET,
        OperationState.ROLLED_BACK,
        placing=("done", "margin", "margin", "margin"),
    ),
    Story(
        "bracket filled in part",
        BRACKET | {"price": "95", "fill_seconds": 20},
        OperationState.COMPLETED,
        fills_in_part,
        at_once=True,
    ),
    Story(
        "bracket whose stop is moved",
        BRACKET,
        OperationState.IN_PROGRESS,
        trails_the_stop,
        left=("TAKE_PROFIT_MARKET 110", "STOP_MARKET 95"),
    ),
    Story("bracket not filled", BRACKET | {"price": "95", "fill_seconds": 20}, OperationState.FAILED),
    Story("pair, one fills", OCO, OperationState.COMPLETED, moves(111), held=1),
    Story("pair, the other fills", OCO, OperationState.COMPLETED, moves(89), held=1),
    Story("pair rolled back", OCO, OperationState.ROLLED_BACK, rolls_back, held=1),
    Story(
        "pair whose second is refused",
        OCO,
        OperationState.ROLLED_BACK,
        held=1,
        placing=("done", "margin", "margin", "margin"),
    ),
    Story("close", CLOSE | {"quantity": "1"}, OperationState.COMPLETED, held=1, placing=("part", "definite")),
    Story(
        "bulk cancel",
        {"type": "bulk_cancel", "broker": "binance"},
        OperationState.COMPLETED,
        before=(LIMIT, LIMIT | {"price": "81"}),
    ),
    Story(
        "stop moved",
        {"type": "modification", "broker": "binance", "replacement": STOP | {"stop_price": "92"}},
        OperationState.COMPLETED,
        held=1,
        before=(STOP,),
        left=("STOP_MARKET 92",),
    ),
    Story(
        "limit moved",
        {"type": "modification", "broker": "binance", "replacement": LIMIT | {"price": "81"}},
        OperationState.COMPLETED,
        before=(LIMIT,),
        left=("LIMIT 81",),
    ),
)


@dataclass(frozen=True, order=True)
class Cut:
    """Where the process dies: at these writes of each life, which reach the disk, or do not."""

    story: int
    writes: tuple[int, ...]
    before: bool

    def __str__(self) -> str:
        when = "before" if self.before else "after"
        return f"{STORIES[self.story].name}: cut off {when} {' and '.join(f'write {write}' for write in self.writes)}"


@dataclass
class Told:
    """What came of it."""

    died: int = 0
    lost: int = 0
    """Orders that were left in doubt for good: cut off between "on its way" on the disk and the wire."""
    recoveries: list[str] = field(default_factory=list)


def length(story: int) -> tuple[int, int]:
    """The writes of a story that nothing cuts off: the first that is its operation's own, and the last."""
    with TemporaryDirectory() as folder:
        floor, tale = _floor(folder, STORIES[story]), STORIES[story]

        async def main() -> int:
            await tale.prepare(floor)
            first = floor.writes + 1
            await tale.live(floor)
            return first

        return floor.live(main), floor.writes


def every_cut() -> Iterator[Cut]:
    """All stories, cut off once, before and after each write."""
    for story in range(len(STORIES)):
        first, last = length(story)
        for write in range(first, last + 1):
            yield Cut(story, (write,), before=True)
            yield Cut(story, (write,), before=False)


def played(cut: Cut) -> Told:
    """Play a story with its cuts, and check how it ended."""
    story, told = STORIES[cut.story], Told()
    with TemporaryDirectory() as folder:
        floor = _floor(folder, story)
        for write in cut.writes:
            floor.dies_at, floor.dies_before = floor.writes + write, cut.before
            told.died += _dies(floor, story)
        floor.dies_at = None
        operation = floor.live(lambda: story.live(floor))
        consistent(floor, story, operation, str(cut))
    told.lost = sum(leg.lost for leg in operation.record.legs)
    told.recoveries = operation.record.recoveries
    return told


def consistent(floor: Floor, story: Story, operation: Operation, cut: str) -> None:
    """Nothing is orphaned, doubled or unprotected, and what is not known is told."""
    exchange, legs = floor.exchange, operation.record.legs
    where = f"{cut}: {operation.model_dump_json(indent=1)} {shown(exchange)} {floor.alarms}"
    held = exchange.positions.get(SYMBOL, Decimal(0))
    traded = sum((order.sign * order.executed for order in exchange.orders.values()), Decimal(story.held))
    lost = {leg.role for leg in legs if leg.lost}
    stops = [order.quantity for order in exchange.open() if order.kind == "STOP_MARKET"]
    assert exchange.twice == [], where
    assert held == traded, where
    assert sum((leg.filled for leg in legs), Decimal(0)) == traded_at(floor), where
    assert bool(floor.alarms) is bool(lost), where
    if not lost:
        assert operation.state is story.end, where
        left = [f"{order.kind} {order.trigger or order.limit}" for order in exchange.open()]
        assert left == list(story.left), where
        return
    assert operation.state.final or operation.type is OperationType.BRACKET, where
    if operation.type is OperationType.BRACKET:
        # Where it may have been closed at the market it is not closed again: the stop is what remains.
        assert held == 0 or stops == [held] or "no stop works" in floor.alarms[-1], where
        assert len(exchange.open()) <= (2 if held else 0), where
    elif Role.OLD in {leg.role for leg in legs}:
        assert len(exchange.open()) <= 1, where
        assert stops == ([1] if story.held else []), where
    else:
        assert exchange.open() == [], where


def traded_at(floor: Floor) -> Decimal:
    """How much the exchange has traded."""
    return sum((order.executed for order in floor.exchange.orders.values()), Decimal(0))


def _floor(folder: str, story: Story) -> Floor:
    floor = Floor(Path(folder), story.placing)
    floor.policy = Operations(look_seconds=20)
    if story.held:
        floor.exchange.positions[SYMBOL] = Decimal(story.held)
    return floor


def _dies(floor: Floor, story: Story) -> bool:
    async def life() -> None:
        living = asyncio.create_task(story.live(floor))
        while not living.done() and not floor.exchange.dead:
            await floor.clock.sleep(0.05)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)

    floor.live(life, crash=True)
    return floor.exchange.dead
