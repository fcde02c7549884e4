"""Brokers to practise against: they keep true books, obey their limits, and fail on demand."""

from sidecar.simulator.control import Executed, ExecutedCancel, ExecutedOrder
from sidecar.simulator.faults import CannedAnswer, Fault, FaultError, FaultKind, FaultPlan
from sidecar.simulator.server import BROKERS, Broker, Simulator, simulate

__all__ = [
    "BROKERS",
    "Broker",
    "CannedAnswer",
    "Executed",
    "ExecutedCancel",
    "ExecutedOrder",
    "Fault",
    "FaultError",
    "FaultKind",
    "FaultPlan",
    "Simulator",
    "simulate",
]
