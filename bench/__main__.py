"""`python -m bench`: measures, and prints what it found."""

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench import carried, contest, policy, report
from bench.process import BenchError, Cores
from sidecar.telemetry.logs import configure

_FULL: Final = (3, 2, 250)
_QUICK: Final = (1, 1, 200)
"""Rounds, seconds a run, calls in a series of the policy's cost."""


def main() -> int:
    """Run the benchmark; returns 1 when it could not be run."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of short runs: about two minutes")
    parser.add_argument("--policy", action="store_true", help="only the policy's cost, without any server: seconds")
    parser.add_argument("--orders", action="store_true", help="only orders that the sidecar carries: a minute")
    arguments = parser.parse_args()
    configure("error", "json")
    rounds, seconds, calls = _QUICK if arguments.quick else _FULL
    cores = Cores.of_this_machine()
    said = _Progress()
    said(f"{'about two minutes' if arguments.quick else 'about five minutes'}; load now {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        try:
            findings, costs, found = contest.Findings(), [], None
            if not arguments.orders:
                said("policy cost, without the wire")
                costs = policy.costs(folder, calls)
            if not (arguments.policy or arguments.orders):
                findings = contest.hold(folder, cores, rounds=rounds, seconds=seconds, say=said)
            if not arguments.policy:
                found = carried.measure(folder, cores, rounds=rounds, seconds=seconds, say=said)
        except BenchError as failure:
            said.end()
            sys.stderr.write(f"the benchmark cannot go on: {failure}\n")
            return 1
    said.end()
    sys.stdout.write(f"{_head(cores)}\n\n{report.page(findings, costs, found)}\n")
    return 0


class _Progress:
    """One line that is written anew on a terminal; elsewhere a line a step."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()

    def __call__(self, words: str) -> None:
        told = f"[{time.monotonic() - self._began:4.0f} s] {words}"
        sys.stderr.write(f"\r\033[K{told}" if self._terminal else f"{told}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave nothing behind on a terminal."""
        if self._terminal:
            sys.stderr.write("\r\033[K")


def _head(cores: Cores) -> str:
    where = "the process under test on one core, load and upstream together on another"
    if cores.subject is None:
        where = "everything on whatever core was free, for want of two cores or of taskset: compare with care"
    return f"Python {platform.python_version()}, {os.cpu_count()} cores; {where}; load {os.getloadavg()[0]:.2f}"


if __name__ == "__main__":
    sys.exit(main())
