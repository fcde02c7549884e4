"""The trials of operations again at a ProjectX gateway, where only the sidecar keeps two orders from both trading."""

import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from sidecar.orders.operations.model import Operation, Role
from sidecar.words import OperationType
from tests.orders.operations.exchange import shown
from tests.orders.operations.gateway import CANCELLING, PLACING, GatewayFloor
from tests.orders.operations.test_whatever_breaks import Trial, lives

MOST_EXAMPLES = 4
seen: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    """How much of what can happen did happen."""
    yield
    figures = ", ".join(f"{what} {count}" for what, count in sorted(seen.items()))
    sys.stdout.write(f"\nmodel of operations at ProjectX: {figures}\n")


@settings(max_examples=MOST_EXAMPLES, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    fates=st.tuples(st.lists(st.sampled_from(PLACING), max_size=12), st.lists(st.sampled_from(CANCELLING), max_size=4)),
    lives=lives,
    takes=st.sampled_from([0.01, 0.5, 7.0]),
    visible_after=st.sampled_from([0.0, 0.3, 20.0]),
    dies_at=st.one_of(st.none(), st.integers(1, 60)),
)
@example((["lost and done", "pending and done"], ["lost"]), [([(0, "bracket"), (3, "up")], 5, True)], 0.01, 20.0, None)
@example((["done", "margin", "margin", "margin", "lost and done"], []), [([(0, "bracket")], 30, False)], 0.5, 0.3, None)
@example((["done", "done"], ["limited"]), [([(0, "oco"), (9, "up")], 0, True)], 0.5, 0.3, 30)
def test_operations_end_consistently_or_a_person_is_called(
    fates: tuple[list[str], list[str]],
    lives: list[tuple[list[tuple[float, str]], float, bool]],
    takes: float,
    visible_after: float,
    dies_at: int | None,
) -> None:
    with TemporaryDirectory() as folder:
        floor = GatewayFloor(Path(folder), *fates)
        floor.exchange.takes, floor.exchange.visible_after, floor.dies_at = takes, visible_after, dies_at
        trial = Trial(floor)
        operations = trial.lived(lives)
    check(floor, operations, trial)


def check(floor: GatewayFloor, operations: list[Operation], trial: Trial) -> None:
    """Nothing doubled, nothing forgotten, nothing unprotected, and positions are what was meant: or a person knows."""
    exchange, instruments = floor.exchange, dict(trial.begun)
    assert exchange.twice == [], shown(exchange)
    for operation in operations:
        seen[f"{operation.type} {operation.state}"] += 1
        told = bool(operation.record.alarms)
        seen["called a person"] += told
        mine = exchange.open(f"op-{operation.id}-")
        assert told or not any(leg.lost and leg.role is not Role.ORDER for leg in operation.record.legs)
        if told:
            continue
        replaced = operation.type is OperationType.MODIFICATION and len(mine) == 1
        assert replaced or not operation.state.final or not mine, (operation.record, shown(exchange))
        instrument = instruments[operation.id]
        held = exchange.positions.get(instrument, Decimal(0)) - trial.held_before.get(instrument, Decimal(0))
        if operation.type is OperationType.BRACKET:
            stops = sum(order.quantity for order in mine if order.kind == "STOP_MARKET")
            assert held == stops, (operation.record, shown(exchange))
        if operation.type is OperationType.POSITION_CLOSE:
            assert held == -operation.filled(Role.CLOSE), (operation.record, shown(exchange))
        if operation.type is OperationType.OCO:
            traded = operation.filled(Role.FIRST, Role.SECOND)
            assert held == -traded, (operation.record, shown(exchange))
            assert traded <= 1
