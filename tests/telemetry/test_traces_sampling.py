"""Whatever is worth a look is traced; plain reads by a share that everybody would decide alike."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.telemetry import events
from sidecar.telemetry.events import CallFinished, Stamped
from sidecar.telemetry.traces import Sampling
from sidecar.words import Effect, Outcome
from tests.telemetry.seen_samples import CALL, SAMPLES, T0

trace_ids = st.integers(1, 2**128 - 1)


def with_trace_id(trace_id: int) -> CallFinished:
    return replace(CALL, trace=replace(CALL.trace, trace_id=trace_id))


@given(trace_ids)
def test_a_plain_read_is_never_traced_at_share_zero_and_always_at_share_one(trace_id: int) -> None:
    assert not Sampling(0.0).traced(with_trace_id(trace_id))
    assert Sampling(1.0).traced(with_trace_id(trace_id))


@given(trace_ids, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_traces_all_that_a_smaller_one_does(trace_id: int, first: float, second: float) -> None:
    call = with_trace_id(trace_id)
    assert Sampling(max(first, second)).traced(call) >= Sampling(min(first, second)).traced(call)


def test_a_share_of_a_tenth_traces_a_tenth_of_evenly_spread_ids() -> None:
    spread = (with_trace_id((1 << 64) + (2 * number + 1) * (1 << 64) // 2000) for number in range(1000))
    assert sum(map(Sampling(0.1).traced, spread)) == 100


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(replace(CALL, attempts=2), id="retried"),
        pytest.param(replace(CALL, waited=0.2), id="waited"),
        pytest.param(replace(CALL, trace=replace(CALL.trace, sampled=True)), id="the bot traces it"),
        *(pytest.param(replace(CALL, outcome=end), id=end) for end in Outcome if end is not Outcome.OK),
        *(pytest.param(replace(CALL, effect=effect), id=effect) for effect in Effect if effect is not Effect.READ),
        *(
            pytest.param(replace(CALL, trail=(Stamped(T0, SAMPLES[kind]),)), id=kind.__name__)
            for kind in (
                events.BreakerTransition,
                events.GateShut,
                events.GateOpened,
                events.LimitThreshold,
                events.LimitLearnt,
            )
        ),
    ],
)
def test_what_is_worth_a_look_is_traced_whatever_the_share(call: CallFinished) -> None:
    assert Sampling(0.0).traced(call)
