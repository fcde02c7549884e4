"""`make torture`: as many orders as wanted, in rounds; each round is told by its seed, and can be run again alone."""

import argparse
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom

from tests.torture.trial import Report, Setting, torture
from tests.torture.victim import simulators

ORDERS_A_ROUND = 200


def main() -> int:
    """Torture, print the figures, and tell by the exit status whether every promise was kept."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--orders", type=int, default=400, help="orders in all, 200 a round (default 400)")
    parser.add_argument("--seed", type=int, help="the first round's seed; the others follow (default: any)")
    module = (
        "the Python module that is run as the sidecar: tests.torture.resending, .forgetful and .unsynced are broken"
    )
    parser.add_argument("--module", default="tests.torture.watched", help=module)
    args = parser.parse_args()
    # Whoever ends it early gets the figures so far, and no process or mount is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = SystemRandom().randrange(1_000_000) if args.seed is None else args.seed
    total: Counter[str] = Counter()
    broken: list[int] = []
    try:
        for report in _rounds(args.orders, seed, args.module):
            total.update(report.figures)
            broken += [report.setting.seed] if report.breaches else []
            _say(f"{report}\n")
    except KeyboardInterrupt:
        _say("Stopped; the round that was under way does not count.\n")
    for name, figure in total.items():
        _say(f"{figure:>8}  {name}")
    if broken:
        again = ", ".join(map(str, broken))
        _say(f"Promises were broken under these seeds: {again}. Once more: make torture N=200 ARGS='--seed SEED'")
    return 1 if broken else 0


def _rounds(orders: int, seed: int, module: str) -> Iterator[Report]:
    with tempfile.TemporaryDirectory(prefix="torture-") as folder, simulators(Path(folder)) as brokers:
        for number, first in enumerate(range(0, orders, ORDERS_A_ROUND)):
            home = Path(folder) / f"round-{number}"
            home.mkdir()
            setting = Setting(seed + number, min(ORDERS_A_ROUND, orders - first), module)
            yield torture(setting, home, brokers)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
