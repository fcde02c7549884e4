"""OpenAlgo's REST API to practise against, with a broker behind it: orders, fills, positions, funds and quotes.

Simplifications: orders fill wholly at the top of the book, at prices that stand until they are set; a delivery sale
needs no holding; there are no charges, no trading hours and no Good-Till-Triggered orders.
"""

from sidecar.simulator.openalgo.book import Account
from sidecar.simulator.openalgo.exchange import Rules
from sidecar.simulator.openalgo.simulated import OpenAlgoBroker

__all__ = ["Account", "OpenAlgoBroker", "Rules", "broker"]


def broker(*, seed: int = 0) -> OpenAlgoBroker:
    """The broker with its default account and rules."""
    return OpenAlgoBroker(seed=seed)
