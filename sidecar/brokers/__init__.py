"""What is known about brokers: one profile a file, data and pure functions."""
