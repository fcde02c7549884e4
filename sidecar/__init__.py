"""broker-sidecar: stands between a trading bot and its brokers."""

__version__ = "0.1.0"
