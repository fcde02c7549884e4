"""The retry budget is never exceeded, and never starves a quiet bot."""

from hypothesis import given
from hypothesis import strategies as st

from sidecar.calls.budget import WINDOW_SECONDS, RetryBudget
from sidecar.clock import VirtualClock

steps = st.lists(st.tuples(st.sampled_from(["call", "retry"]), st.floats(0, 3)), max_size=200)


@given(st.floats(0, 1), st.integers(0, 20), steps)
def test_retries_in_any_window_stay_within_the_floor_and_the_share(
    share: float, floor: int, history: list[tuple[str, float]]
) -> None:
    clock = VirtualClock()
    budget = RetryBudget(share, floor, clock)
    calls: list[float] = []
    retries: list[float] = []
    for kind, pause in history:
        clock.advance(pause)
        now = clock.monotonic()
        if kind == "call":
            budget.count_call()
            calls.append(now)
        elif budget.take():
            retries.append(now)
            # Retries are forgotten after nine to ten tenths of the window, so nine tenths bound them for certain.
            recent = sum(1 for at in retries if at > now - 0.9 * WINDOW_SECONDS)
            assert recent <= floor + share * sum(1 for at in calls if at > now - WINDOW_SECONDS) + 1e-9


def test_a_quiet_bot_may_always_retry_up_to_the_floor() -> None:
    budget = RetryBudget(share=0.2, floor=3, clock=VirtualClock())
    assert [budget.take() for _ in range(4)] == [True, True, True, False]


def test_traffic_earns_retries() -> None:
    budget = RetryBudget(share=0.2, floor=0, clock=VirtualClock())
    assert not budget.take()
    for _ in range(10):
        budget.count_call()
    assert [budget.take() for _ in range(3)] == [True, True, False]


def test_spent_retries_come_back_when_the_window_has_passed() -> None:
    clock = VirtualClock()
    budget = RetryBudget(share=0.0, floor=1, clock=clock)
    assert budget.take()
    assert not budget.take()
    clock.advance(WINDOW_SECONDS)
    assert budget.take()
