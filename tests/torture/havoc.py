"""What goes wrong while the bots trade, chosen by a seed."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from threading import Event, Thread
from typing import Any

from sidecar.simulator.faults import FaultKind
from tests.torture.victim import Victim

_SECONDS = {
    # Late answers are late in earnest: beyond the time that an answer may take.
    FaultKind.LATENCY: (0.2, 3.0),
    FaultKind.TRICKLE: (0.2, 1.5),
    FaultKind.REFUSED: (0.2, 1.0),
    FaultKind.BANNED: (1.0, 1.0),
    FaultKind.RATE_LIMITED: (1.0, 1.0),
    FaultKind.CLOCK_SKEW: (-40.0, 40.0),
}
_FULL_DISK_CHANCE = 0.03
_POWER_CUT_SHARE, _STOP_SHARE = 0.5, 0.15
"""Of all ends; the rest are kills."""
_STUMBLE_CHANCE = 0.25
_METHODS = ("POST", "POST", "POST", "DELETE", "PUT", "GET", "")


def patiently(ask: Callable[[], None], seconds: float = 60.0) -> None:
    """Steer a simulator, which may be refusing connections just now."""
    ends = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except OSError:
            if time.monotonic() >= ends:
                raise
            time.sleep(0.05)


@dataclass
class Havoc:
    """Torments a sidecar and its brokers, and counts what it did."""

    victim: Victim
    seed: int
    kinds: tuple[FaultKind, ...]
    kill_every: float
    fault_every: float
    faults: Counter[str] = field(default_factory=Counter)
    full_disks: int = 0

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.seed}/havoc")

    def go_on_until(self, over: Callable[[], bool]) -> None:
        """Break something, again and again, until it is over."""
        stop = Event()
        faults = Thread(target=self._plan_faults, args=(stop,), name="faults", daemon=True)
        faults.start()
        try:
            next_kill = self._kill_in()
            while not over():
                time.sleep(0.1)
                if self.victim.disk.small and self.rng.random() < _FULL_DISK_CHANCE:
                    self._fill_disk()
                if time.monotonic() >= next_kill:
                    self._kill()
                    next_kill = self._kill_in()
        finally:
            stop.set()
            faults.join()
        self.end()

    def end(self) -> None:
        """Let everything be well again."""
        self.victim.disk.free()
        for broker in self.victim.brokers.values():
            patiently(broker.end_faults)

    def _plan_faults(self, stop: Event) -> None:
        rng = Random(f"{self.seed}/faults")
        while not stop.wait(rng.uniform(0, 2 * self.fault_every)):
            kind = rng.choice(self.kinds)
            details: dict[str, Any] = {"method": rng.choice(_METHODS), "times": rng.choice((1, 1, 2, 4))}
            if kind in _SECONDS:
                details["seconds"] = round(rng.uniform(*_SECONDS[kind]), 2)
            broker = self.victim.brokers[rng.choice(("binance", "oanda"))]
            patiently(partial(broker.fault, kind, **details))
            self.faults[kind] += 1

    def _fill_disk(self) -> None:
        self.full_disks += 1
        self.victim.disk.fill(self.rng.choice((0, 4096, 20_000)))
        time.sleep(self.rng.uniform(0.3, 1.5))
        if self.rng.random() < 0.3:
            self.victim.kill()
            self.victim.disk.free()
            self.victim.start()
        self.victim.disk.free()

    def _kill(self) -> None:
        how = self.rng.random()
        if how < _POWER_CUT_SHARE:
            self.victim.cut_power()
        else:
            self.victim.kill(signal.SIGKILL if how < 1 - _STOP_SHARE else signal.SIGTERM)
        if self.rng.random() < _STUMBLE_CHANCE:
            self.victim.stumble(self.rng.uniform(0.3, 1.5))
        self.victim.start()

    def _kill_in(self) -> float:
        return time.monotonic() + self.rng.uniform(0.3, 1.7) * self.kill_every
