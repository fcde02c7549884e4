"""What one broker's calls go through, gathered once."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from sidecar.brokers.profile import Profile
from sidecar.calls.admission import Admission, Restraint
from sidecar.calls.breaker import Breaker
from sidecar.calls.budget import RetryBudget
from sidecar.calls.latesigning import LateSigning
from sidecar.calls.limiter import Limiter
from sidecar.calls.policies import RetryPolicy
from sidecar.calls.reconcile import Reconciler
from sidecar.calls.transport import Transport
from sidecar.clock import Clock
from sidecar.telemetry.events import Bus


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of."""

    broker: str
    profile: Profile
    retries: Mapping[str, RetryPolicy]
    """By endpoint name; complete."""
    breakers: Mapping[str, Breaker]
    """By endpoint group; complete."""
    admission: Admission
    restraint: Restraint
    limiter: Limiter
    budget: RetryBudget
    transport: Transport
    bus: Bus
    clock: Clock
    rng: Random
    reconciler: Reconciler
    late: LateSigning | None
    """Signs each transmission; None where bots sign."""
