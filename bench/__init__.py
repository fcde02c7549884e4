"""Benchmarks: the sidecar beside a direct call, a bare pass-through and three general proxies, in one run."""
