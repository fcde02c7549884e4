"""The plan of faults: what happens, when, how often, and that a seed settles it."""

import pytest

from sidecar.simulator.faults import Fault, FaultError, FaultKind, FaultPlan


def draws(plan: FaultPlan, times: int, method: str = "POST", path: str = "/order") -> list[Fault | None]:
    return [plan.draw(method, path) for _ in range(times)]


def test_a_fault_happens_once_unless_told_otherwise() -> None:
    plan = FaultPlan(faults=[Fault(FaultKind.LATENCY)])
    assert [fault is not None for fault in draws(plan, 3)] == [True, False, False]


def test_a_fault_happens_as_often_as_told() -> None:
    plan = FaultPlan(faults=[Fault(FaultKind.LATENCY, times=2)])
    assert [fault is not None for fault in draws(plan, 3)] == [True, True, False]


def test_a_fault_without_a_count_never_ends() -> None:
    plan = FaultPlan(faults=[Fault(FaultKind.LATENCY, times=None)])
    assert all(draws(plan, 50))


def test_a_fault_hits_only_its_method() -> None:
    plan = FaultPlan(faults=[Fault(FaultKind.LATENCY, method="POST")])
    assert plan.draw("GET", "/order") is None
    assert plan.draw("post", "/order") is not None


def test_a_fault_hits_only_paths_with_its_prefix() -> None:
    plan = FaultPlan(faults=[Fault(FaultKind.LATENCY, path="/fapi/v1/order")])
    assert plan.draw("GET", "/fapi/v1/account") is None
    assert plan.draw("GET", "/fapi/v1/order") is not None


def test_earlier_faults_are_tried_first() -> None:
    plan = FaultPlan(faults=[Fault(FaultKind.LATENCY), Fault(FaultKind.HTML)])
    assert [fault.kind for fault in draws(plan, 2) if fault] == [FaultKind.LATENCY, FaultKind.HTML]


def test_the_same_seed_hits_the_same_requests() -> None:
    fault = Fault(FaultKind.RESET_AFTER, times=None, probability=0.3)
    first, second = (draws(FaultPlan(11, [fault]), 200) for _ in range(2))
    assert first == second


def test_another_seed_hits_other_requests() -> None:
    fault = Fault(FaultKind.RESET_AFTER, times=None, probability=0.3)
    assert draws(FaultPlan(11, [fault]), 200) != draws(FaultPlan(12, [fault]), 200)


def test_a_probability_is_about_the_share_of_requests_hit() -> None:
    plan = FaultPlan(5, [Fault(FaultKind.HTML, times=None, probability=0.3)])
    assert 250 < sum(fault is not None for fault in draws(plan, 1000)) < 350


def test_another_fault_in_the_plan_leaves_the_coins_of_the_first_alone() -> None:
    rare = Fault(FaultKind.HTML, times=None, probability=0.3)
    alone, crowded = FaultPlan(3, [rare]), FaultPlan(3, [rare, Fault(FaultKind.LATENCY, times=None, probability=0.5)])
    hits = [fault is not None for fault in draws(alone, 100)]
    assert [fault is not None and fault.kind is FaultKind.HTML for fault in draws(crowded, 100)] == hits


@pytest.mark.parametrize("kind", [FaultKind.UNAVAILABLE_UNKNOWN, FaultKind.TIMEOUT_UNKNOWN])
def test_an_ambiguous_fault_tosses_a_coin_for_the_execution(kind: FaultKind) -> None:
    drawn = draws(FaultPlan(2, [Fault(kind, times=None)]), 50)
    assert {fault.executed for fault in drawn if fault} == {True, False}


def test_an_ambiguous_fault_keeps_the_execution_that_was_asked_for() -> None:
    drawn = draws(FaultPlan(2, [Fault(FaultKind.UNAVAILABLE_UNKNOWN, times=None, executed=True)]), 50)
    assert {fault.executed for fault in drawn if fault} == {True}


def test_the_plan_counts_what_has_happened() -> None:
    plan = FaultPlan(faults=[Fault(FaultKind.HTML, times=2)])
    draws(plan, 5)
    assert plan.fired == {FaultKind.HTML: 2}


def test_clearing_keeps_the_counts() -> None:
    plan = FaultPlan(faults=[Fault(FaultKind.HTML, times=None)])
    draws(plan, 1)
    plan.clear()
    assert (plan.draw("GET", "/"), dict(plan.fired)) == (None, {FaultKind.HTML: 1})


def test_a_fault_survives_the_way_through_json() -> None:
    fault = Fault(FaultKind.BANNED, times=None, probability=0.5, method="POST", path="/x", seconds=3.0)
    assert Fault.from_json(fault.as_json()) == fault


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ({}, "the kinds are"),
        ({"kind": "gremlins"}, "the kinds are"),
        ({"kind": "html", "often": 1}, "no often"),
        ({"kind": "html", "times": 0}, "times is 0"),
        ({"kind": "html", "probability": 2}, "probability is 2"),
        ({"kind": "html", "seconds": float("nan")}, "seconds is nan"),
        ("html", "JSON object"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(description: object, complaint: str) -> None:
    with pytest.raises(FaultError, match=complaint):
        Fault.from_json(description)
