"""Binance to practise against: USD-M futures, and spot."""

from sidecar.simulator.binance.broker import BinanceBroker, broker
from sidecar.simulator.binance.exchange import Credentials
from sidecar.simulator.binance.limits import SPOT_LIMITS, Limits

__all__ = ["SPOT_LIMITS", "BinanceBroker", "Credentials", "Limits", "broker"]
