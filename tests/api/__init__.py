"""Tests of the sidecar's own sockets, with real ones."""
