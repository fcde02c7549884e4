"""Makes the gateways of all brokers out of their configuration."""

from collections.abc import Mapping
from random import Random

from sidecar.brokers.profile import Profile
from sidecar.calls.admission import Admission, Restraint
from sidecar.calls.gateway import Gateway
from sidecar.calls.limiter import Address
from sidecar.clock import Clock
from sidecar.config.model import Broker
from sidecar.telemetry.events import Bus


def gateways(
    brokers: Mapping[str, tuple[Broker, Profile, Admission]],
    *,
    restraints: Mapping[str, Restraint],
    bus: Bus,
    clock: Clock,
    rng: Random,
) -> dict[str, Gateway]:
    """A gateway for each configured broker. Brokers at the same base URL share that address's limits and gate."""
    addresses: dict[str, Address] = {}
    made = {}
    for name, (settings, profile, admission) in brokers.items():
        address = addresses.setdefault(settings.base_url, Address(clock))
        made[name] = Gateway(
            name,
            settings,
            profile,
            address=address,
            admission=admission,
            restraint=restraints[name],
            bus=bus,
            clock=clock,
            rng=rng,
        )
    return made
