"""The ProjectX gateway to practise against: logins, accounts, contracts, orders, brackets, positions and trades.

Simplifications: orders fill wholly at the top of the book, accounts are simulated ones in USD, fees are one figure a
contract, and the SignalR hubs are not there.
"""

from sidecar.simulator.projectx.exchange import AccountSpec, Rules, UserSpec
from sidecar.simulator.projectx.simulated import ProjectXBroker

__all__ = ["AccountSpec", "ProjectXBroker", "Rules", "UserSpec", "broker"]


def broker(*, seed: int = 0) -> ProjectXBroker:
    """The broker with its default user and rules."""
    return ProjectXBroker(seed=seed)
