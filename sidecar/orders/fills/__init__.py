"""Fills are learnt from the broker's own stream, where it has one, as soon as they happen."""
