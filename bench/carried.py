"""Orders that the sidecar carries: how fast they are taken, found again after a crash, and how little they disturb."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median as middle
from typing import Any, Final

import yaml

from bench import upstream
from bench.contest import Ports, Say, sidecar_settings
from bench.load import Load, Sample, Scenario, Subject, median
from bench.process import Cores, Running, free_port, pinned
from sidecar.brokers.profile import OrderTerms
from sidecar.brokers.registry import build
from sidecar.clock import SystemClock
from sidecar.config.model import Broker
from sidecar.orders.ledger import Ledger
from sidecar.orders.order import Kind, Order
from sidecar.store import Store
from sidecar.words import OrderState, OrderType, Side

IN_DOUBT: Final = 1_000
WAITING: Final = 10_000
EMPTY, FULL = "queue empty", f"{WAITING:,} orders wait"
TAKING: Final = (Scenario("handed over", 1), Scenario("handed over", 16), Scenario("handed over", 64))
PASSING: Final = (Scenario("read", 16), Scenario("order", 16))
_YEAR_SECONDS: Final = 365 * 86400.0
_HARDLY: Final = 0.001
"""Orders a second that are sent on: whatever is taken here stays in the queue."""
_TOGETHER: Final = 256
_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class Carried:
    """What was found out."""

    bare: dict[str, float] = field(default_factory=dict)
    """Of bare inserts: rate, p50 and p99 in microseconds."""
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
    for number in range(rounds):
        say(f"durable inserts, round {number + 1} of {rounds}")
        bare.append(place.insert(number, seconds))
        for scenario in TAKING:
            samples.setdefault(scenario.name, []).append(load.run(sidecar.subject(""), scenario, seconds))
    found.bare = {name: middle(run[name] for run in bare) for name in bare[0]}
    found.taken = {name: median(each) for name, each in samples.items()}
    sidecar.process.stop()


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

    def insert(self, number: int, seconds: int) -> dict[str, float]:
        """What bare inserts reach, on the same core and disk."""
        command = [sys.executable, "-m", "bench.inserts", str(self.folder / f"bare-{number}.db"), str(seconds)]
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
    """A state file with so many orders in a state, of fifty instruments."""
    clock = SystemClock()
    store = Store(path)
    await store.open()
    ledger = Ledger(store, _YEAR_SECONDS, clock)
    profile = build(Broker.model_validate({"profile": "binance-usdm", "base_url": "http://127.0.0.1:1"}))
    for first in range(0, number, _TOGETHER):
        orders = []
        for count in range(first, min(first + _TOGETHER, number)):
            name = "BTCUSDT" if state is OrderState.SENDING else f"C{count % 50}USDT"
            terms = OrderTerms(name, Side.BUY, OrderType.MARKET, Decimal("0.010"), f"waiting-{count}")
            request = profile.unsigned(profile.express(terms))
            lane = profile.lane(request)
            order = Order(
                id=f"{count:020x}",
                broker="binance",
                kind=Kind.ORDER,
                client_id=terms.client_id,
                lane=lane,
                request=request,
                created_at=upstream.LONG_AGO,
                expires_at=clock.now() + _YEAR_SECONDS,
                state=state,
                updated_at=clock.now(),
            )
            orders.append(order)
        await asyncio.gather(*map(ledger.accept, orders))
    await store.close()
