"""The torture test itself, and the proof that it finds a sidecar that doubles, forgets or only pretends to write."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.simulator.faults import FaultKind
from tests.e2e.stack import Simulated
from tests.torture import powercut
from tests.torture.judge import Promise
from tests.torture.trial import Setting, torture
from tests.torture.victim import simulators

pytestmark = pytest.mark.e2e

LOSSES = (FaultKind.RESET_AFTER, FaultKind.TRUNCATED)
"""Executed, and nobody is told."""
BRIEF = Setting(seed=1, orders=48, kill_every=2, fault_every=0.5, settle_seconds=2)


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Simulated]]:
    with simulators(tmp_path_factory.mktemp("brokers")) as both:
        yield both


def test_whatever_fails_every_promise_is_kept(tmp_path: Path, brokers: dict[str, Simulated]) -> None:
    report = torture(Setting(seed=20, orders=144), tmp_path, brokers)
    figures = report.figures
    assert not report.breaches, str(report)
    # It was a torture indeed.
    assert figures["orders"] >= 144, figures
    assert figures["faults"] > 20, figures
    assert figures["kills"] >= 2, figures
    assert min(figures[name] for name in ("carried", "executed", "ended filled", "ended working")) > 10, figures


def test_a_sidecar_that_sends_again_what_is_in_doubt_is_caught(tmp_path: Path, brokers: dict[str, Simulated]) -> None:
    setting = dataclasses.replace(BRIEF, module="tests.torture.resending", kinds=LOSSES, fault_every=0.2)
    assert Promise.ONCE in caught(setting, tmp_path, brokers)


def test_a_sidecar_that_accepts_before_it_writes_is_caught(tmp_path: Path, brokers: dict[str, Simulated]) -> None:
    setting = dataclasses.replace(BRIEF, module="tests.torture.forgetful", kinds=(FaultKind.HTML,))
    assert Promise.KEPT in caught(setting, tmp_path, brokers)


def test_a_sidecar_whose_writes_are_not_confirmed_is_caught(tmp_path: Path, brokers: dict[str, Simulated]) -> None:
    if not powercut.possible():
        pytest.skip("this machine does not let a power cut be played")
    setting = dataclasses.replace(BRIEF, module="tests.torture.unsynced", orders=24, kinds=(FaultKind.HTML,))
    assert Promise.KEPT in caught(setting, tmp_path, brokers)


def caught(setting: Setting, folder: Path, brokers: dict[str, Simulated]) -> set[Promise]:
    return {breach.promise for breach in torture(setting, folder, brokers).breaches}
