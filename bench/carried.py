"""Orders that the sidecar carries: how fast they are taken, found again after a crash, and how little they disturb."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median as middle
from typing import Any, Final

import yaml

from bench import kept, upstream
from bench.contest import Ports, Say, sidecar_settings
from bench.load import Load, Sample, Scenario, Subject, median
from bench.process import Cores, Running, free_port, pinned
from sidecar.clock import SystemClock
from sidecar.orders.ledger import Ledger
from sidecar.store import Store
from sidecar.words import OrderState

IN_DOUBT: Final = 1_000
WAITING: Final = 10_000
EMPTY, FULL = "queue empty", f"{WAITING:,} orders wait"
KEEPING: Final = (1, 64)
TAKING: Final = (Scenario("handed over", 1), Scenario("handed over", 16), Scenario("handed over", 64))
PASSING: Final = (Scenario("read", 16), Scenario("order", 16))
_HARDLY: Final = 0.001
"""Orders a second that are sent on: whatever is taken here stays in the queue."""
_TOGETHER: Final = 256
_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class Carried:
    """What was found out."""

    bare: dict[str, float] = field(default_factory=dict)
    """Of bare inserts: rate, p50 and p99 in microseconds."""
    kept: dict[str, dict[str, float]] = field(default_factory=dict)
    """The same of orders that are only written down, by how many at once."""
    taken: dict[str, Sample] = field(default_factory=dict)
    """By scenario."""
    passing: dict[tuple[str, str], Sample] = field(default_factory=dict)
    """Calls that pass through, by how full the queue is, and scenario."""
    ready_seconds: float = 0.0
    """From the start with so many orders in doubt to ready, when all of them were known."""
    left_in_doubt: int = 0
    empty_seconds: float = 0.0
    """From the start without any to ready."""


def measure(folder: Path, cores: Cores, *, rounds: int, seconds: int, say: Say) -> Carried:
    """Measure all of it. Raises BenchError."""
    found = Carried()
    with ExitStack() as running:
        place = _Place(folder, cores, running)
        load = Load(folder, cores.load)
        _taking(place, load, found, (rounds, seconds), say)
        _passing(place, load, found, (rounds, seconds), say)
        say(f"starting with {IN_DOUBT:,} orders in doubt")
        asyncio.run(_filled(folder / "doubts.db", IN_DOUBT, OrderState.SENDING))
        sidecar = place.sidecar("doubts")
        found.ready_seconds = sidecar.ready_seconds
        found.left_in_doubt = sidecar.in_doubt()
    return found


def _taking(place: "_Place", load: Load, found: Carried, runs: tuple[int, int], say: Say) -> None:
    rounds, seconds = runs
    sidecar = place.sidecar("taking")
    load.run(sidecar.subject(""), TAKING[1], 1)
    samples: dict[str, list[Sample]] = {}
    bare: list[dict[str, float]] = []
    kept_runs: dict[str, list[dict[str, float]]] = {}
    for number in range(rounds):
        say(f"durable inserts, round {number + 1} of {rounds}")
        bare.append(place.written("bench.inserts", seconds))
        for at_once in KEEPING:
            kept_runs.setdefault(f"written down x{at_once}", []).append(place.written("bench.kept", seconds, at_once))
        for scenario in TAKING:
            samples.setdefault(scenario.name, []).append(load.run(sidecar.subject(""), scenario, seconds))
    found.bare = _medians(bare)
    found.kept = {name: _medians(runs) for name, runs in kept_runs.items()}
    found.taken = {name: median(each) for name, each in samples.items()}
    sidecar.process.stop()


def _medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: middle(run[name] for run in runs) for name in runs[0]}


def _passing(place: "_Place", load: Load, found: Carried, runs: tuple[int, int], say: Say) -> None:
    rounds, seconds = runs
    asyncio.run(_filled(place.folder / "full.db", WAITING, OrderState.QUEUED))
    sidecars = {EMPTY: place.sidecar("empty"), FULL: place.sidecar("full")}
    found.empty_seconds = sidecars[EMPTY].ready_seconds
    samples: dict[tuple[str, str], list[Sample]] = {}
    for sidecar in sidecars.values():
        load.run(sidecar.subject("/binance"), PASSING[0], 1)
    for number in range(rounds):
        for scenario in PASSING:
            for name, sidecar in sidecars.items():
                say(f"passing by a queue, round {number + 1} of {rounds}: {scenario.name}, {name}")
                sample = load.run(sidecar.subject("/binance"), scenario, seconds)
                samples.setdefault((name, scenario.name), []).append(sample)
    found.passing = {key: median(each) for key, each in samples.items()}
    for sidecar in sidecars.values():
        sidecar.process.stop()


@dataclass(frozen=True, slots=True)
class _Sidecar:
    process: Running
    socket: Path
    scrape: int
    ready_seconds: float

    def subject(self, prefix: str) -> Subject:
        return Subject(self.process.name, self.process, f"unix:{self.socket}", prefix)

    def in_doubt(self) -> int:
        """How many orders are in doubt now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.scrape}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(
            int(float(line.split(" ")[1]))
            for line in text.splitlines()
            if line.startswith("sidecar_orders{") and 'state="in_doubt"' in line
        )


class _Place:
    def __init__(self, folder: Path, cores: Cores, running: ExitStack) -> None:
        self.folder = folder
        self._cores = cores
        self._running = running
        broker, self._broker = upstream.start(folder, cores)
        running.callback(broker.stop)
        for name in ("key", "secret"):
            (folder / name).touch(0o600)
            (folder / name).write_text("k" * 64)

    def written(self, module: str, seconds: int, *more: int) -> dict[str, float]:
        """What a module reaches that writes into a new file, on the same core and disk."""
        file = self.folder / f"{module}-{time.monotonic_ns()}.db"
        command = [sys.executable, "-m", module, str(file), str(seconds), *map(str, more)]
        ran = subprocess.run(pinned(command, self._cores.subject), capture_output=True, check=True, cwd=_ROOT)
        told: dict[str, float] = json.loads(ran.stdout)
        return told

    def sidecar(self, name: str) -> _Sidecar:
        """Start one that carries orders, in the state file of its name."""
        scrape = free_port()
        settings: dict[str, Any] = sidecar_settings(self.folder, name, Ports(0, scrape, self._broker), 1.0)
        settings["listen"] = {"tcp": None, "unix": str(self.folder / f"{name}.sock")}
        settings["state"] = {"path": str(self.folder / f"{name}.db"), "recovery_seconds": 15}
        settings["brokers"]["binance"] |= {
            "credentials": {"key_file": str(self.folder / "key"), "secret_file": str(self.folder / "secret")},
            "queue": {"size": 10**9, "drain_per_second": _HARDLY, "concurrency": 1},
        }
        config = self.folder / f"{name}.yaml"
        config.write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-m", "sidecar", "run", "--config", str(config)]
        environment = {"PYTHONPATH": str(_ROOT)}
        process = Running(f"sidecar {name}", command, self.folder, self._cores.subject, environment)
        self._running.callback(process.stop)
        process.wait_for(scrape)
        seconds = process.wait_until_ready(f"http://127.0.0.1:{scrape}/readyz")
        return _Sidecar(process, self.folder / f"{name}.sock", scrape, seconds)


async def _filled(path: Path, number: int, state: OrderState) -> None:
    """A state file with so many orders in a state."""
    clock = SystemClock()
    store = Store(path)
    await store.open()
    ledger = Ledger(store, kept.YEAR_SECONDS, clock)
    for first in range(0, number, _TOGETHER):
        numbers = range(first, min(first + _TOGETHER, number))
        await asyncio.gather(*(ledger.accept(kept.an_order(count, state, clock)) for count in numbers))
    await store.close()
