"""What the benchmark of carried orders writes, starts and says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench import carried, inserts, kept
from bench.carried import EMPTY, FULL, PASSING, TAKING, Carried
from bench.contest import Findings
from bench.load import HANDED_OVER
from bench.report import carried_aims, page
from sidecar.clock import SystemClock
from sidecar.orders.draft import OrderDraft
from sidecar.orders.ledger import Ledger
from sidecar.store import Store
from sidecar.words import OrderState
from tests.bench.test_load import a_sample


def found(taken: float = 900, *, beside: float = 990, left: int = 0) -> Carried:
    return Carried(
        bare={"rate": 1000, "p50": 100, "p99": 900},
        kept={"written down x64": {"rate": taken, "p50": 100, "p99": 900}},
        taken={scenario.name: a_sample(taken) for scenario in TAKING},
        passing={
            (name, scenario.name): a_sample(rate)
            for name, rate in ((EMPTY, 1000), (FULL, beside))
            for scenario in PASSING
        },
        ready_seconds=2,
        left_in_doubt=left,
        empty_seconds=1,
    )


def test_aims_that_are_reached_are_met() -> None:
    assert all(aim.met for aim in carried_aims(found()))


@pytest.mark.parametrize("missed", [found(taken=490), found(beside=800), found(left=1)])
def test_each_aim_can_be_missed_by_itself(missed: Carried) -> None:
    assert {True, False} == {aim.met for aim in carried_aims(missed)}


def test_orders_that_were_not_taken_are_shouted() -> None:
    lost = found()
    lost.taken = {name: replace(sample, failures=3) for name, sample in lost.taken.items()}
    assert "3 FAILED" in page(Findings(), [], lost)
    assert "FAILED" not in page(Findings(), [], found())


def test_what_is_handed_over_is_an_order_that_the_sidecar_takes_each_time_anew() -> None:
    assert OrderDraft.model_validate_json(HANDED_OVER).client_id == ""


async def test_the_state_files_that_it_starts_with_hold_open_orders(tmp_path: Path) -> None:
    await carried._filled(tmp_path / "db", 3, OrderState.QUEUED)
    store = Store(tmp_path / "db")
    await store.open()
    kept = await Ledger(store, 1, SystemClock()).open_orders("binance")
    await store.close()
    assert [(order.state, order.client_id) for order in kept] == [
        (OrderState.QUEUED, f"waiting-{number}") for number in range(3)
    ]


@pytest.mark.parametrize("write", [inserts.insert, kept.keep])
def test_what_is_written_is_counted(tmp_path: Path, write: Callable[[Path, float], dict[str, float]]) -> None:
    figures = write(tmp_path / "db", 0.05)
    assert figures["rate"] > 0
    assert 0 < figures["p50"] <= figures["p99"]
