"""A torture test: whatever fails, an accepted order is executed at most once, and its bot is told the truth.

Bots trade through a real sidecar with simulated brokers. Meanwhile the brokers misbehave, the disk fills up, and the
sidecar is killed and started again. At the end the brokers' books are held against everything that was ever promised.
"""
