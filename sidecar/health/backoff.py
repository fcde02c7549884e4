"""How long to leave a broker alone before looking whether it is back."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class ProbePauses:
    """Exponential pauses between probes, jittered both ways so that a fleet does not knock in step."""

    base_seconds: float
    factor: float
    max_seconds: float
    """Longest pause before the jitter is applied."""
    jitter: float
    """Random share added to or taken from each pause, 0 to 1."""

    def pause(self, number: int, rng: Random) -> float:
        """Seconds to wait after the failure with this number, from 1."""
        # The exponent is bounded because a float is not: a broker may be away for weeks.
        exponential = min(self.max_seconds, self.base_seconds * self.factor ** min(number - 1, 64))
        return exponential * (1 + rng.uniform(-self.jitter, self.jitter))
