"""OANDA's v20 REST API to practise against: accounts, orders, fills, positions, prices and streams.

Simplifications: accounts are in USD and net (no hedging), orders fill wholly at the top of the book, and there is no
financing, no commission and no margin closeout.
"""

from sidecar.simulator.oanda.exchange import AccountSpec, Rules
from sidecar.simulator.oanda.simulated import OandaBroker

__all__ = ["AccountSpec", "OandaBroker", "Rules", "broker"]


def broker(*, seed: int = 0) -> OandaBroker:
    """The broker with its default account and rules."""
    return OandaBroker(seed=seed)
