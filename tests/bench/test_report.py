"""What the report says of what was found."""

from dataclasses import replace

from bench.contest import BARE, TRACED, Findings, account
from bench.load import SCENARIOS
from bench.report import aims, page
from tests.bench.test_load import a_sample


def findings(share: float, *, memory: int = 70_000_000, start: float = 0.5) -> Findings:
    found = Findings(resident_bytes=memory, start_seconds=start)
    for scenario in SCENARIOS:
        found.samples[BARE, scenario.name] = a_sample(1000)
        found.samples[TRACED, scenario.name] = a_sample(1000 * share)
    return found


def test_aims_that_are_reached_are_met() -> None:
    assert all(aim.met for aim in aims(findings(0.7)))


def test_each_aim_can_be_missed_by_itself() -> None:
    assert [aim.met for aim in aims(findings(0.69))] == [False] * len(SCENARIOS) + [True, True]
    assert [aim.met for aim in aims(findings(0.9, memory=81_000_000))][-2:] == [False, True]
    assert [aim.met for aim in aims(findings(0.9, start=1.2))][-2:] == [True, False]


def test_failed_calls_are_shouted() -> None:
    found = findings(0.9)
    found.samples[TRACED, "read x16"] = a_sample(900, failures=3)
    assert "3 FAILED" in page(found, [])


def test_who_could_not_take_part_is_told_with_the_reason() -> None:
    found = findings(0.9)
    found.absent["Envoy"] = "it is not installed"
    assert "Envoy took no part: it is not installed" in page(found, [])


def test_a_crowded_machine_is_told() -> None:
    found = findings(0.9)
    assert "CROWDED" not in page(found, [])
    found.samples = {key: replace(sample, others=0.3) for key, sample in found.samples.items()}
    assert "CROWDED: other processes took 30%" in page(found, [])


def test_the_sidecars_own_account_is_summed_over_labels() -> None:
    told = account(
        'sidecar_retries_total{broker="a"} 2.0\nsidecar_retries_total{broker="b"} 3.0 # {trace_id="1"} 1.0\n'
        'sidecar_spans_total{result="dropped"} 7.0\nsidecar_spans_total{result="exported"} 9.0\n'
    )
    assert (told["retries"], told["spans dropped"], told["spans exported"]) == (5, 7, 9)
