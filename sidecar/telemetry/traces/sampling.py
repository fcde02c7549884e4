"""Which calls are traced.

Whatever is worth a look always is: what was retried, failed, waited, may have changed something at the broker, or was
there when a breaker, a gate or a limit changed. Plain reads are traced by share. The answer follows from the event
alone, so that spans and the exemplars of metrics agree.
"""

from sidecar.telemetry.events import (
    BreakerTransition,
    BrokerStateChanged,
    CallFinished,
    GateOpened,
    GateShut,
    LimitLearnt,
    LimitThreshold,
)
from sidecar.words import Effect, Outcome

CHANGES = frozenset({BreakerTransition, BrokerStateChanged, GateShut, GateOpened, LimitThreshold, LimitLearnt})
"""Events that make the call on whose trail they are worth a look."""

_LOW_BITS = (1 << 64) - 1


def noteworthy(call: CallFinished) -> bool:
    """Whether a call is traced whatever the share."""
    return (
        call.effect is not Effect.READ
        or call.outcome is not Outcome.OK
        or call.attempts > 1
        or call.waited > 0
        or any(type(step.event) in CHANGES for step in call.trail)
    )


class Sampling:
    """Decides by share for plain reads; `ratio` is from 0 to 1."""

    def __init__(self, ratio: float) -> None:
        self._bound = round(ratio * (_LOW_BITS + 1))

    def traced(self, call: CallFinished) -> bool:
        """Whether the call gets spans: the bot traces it, it is noteworthy, or its trace id falls into the share.

        The low 64 bits of the trace id decide, as in OpenTelemetry's own ratio sampler, so that services which sample
        by the same share keep the same traces.
        """
        return call.trace.sampled or (call.trace.trace_id & _LOW_BITS) < self._bound or noteworthy(call)
