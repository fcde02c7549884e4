"""Everybody who is measured: started once, loaded in turns, stopped at the end."""

import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from bench import peers, upstream
from bench.load import SCENARIOS, Load, Sample, Scenario, Subject, median
from bench.process import BenchError, Cores, Running, free_port

DIRECT: Final = "direct"
BARE: Final = "bare aiohttp"
TRACED: Final = "sidecar"
UNTRACED: Final = "sidecar, reads not traced"
UNIX: Final = "sidecar, Unix socket"
_PEERS: Final[Mapping[str, Callable[[int, int, Path], list[str]]]] = {
    "nginx": peers.nginx,
    "HAProxy": peers.haproxy,
    "Envoy": peers.envoy,
}
PLENTY: Final = 10**12
"""No limit may make a call wait: what a full window costs is the broker's doing, not the sidecar's."""
_WARM_UP_SECONDS: Final = 1

Say = Callable[[str], None]


@dataclass(slots=True)
class Findings:
    """What was found out, by subject and scenario."""

    samples: dict[tuple[str, str], Sample] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """Who could not take part, and why."""
    start_seconds: float = 0.0
    """From the start of the process to its first yes on `/readyz`."""
    resident_bytes: int = 0
    """Of the sidecar with everything on, after all its calls."""
    account: dict[str, float] = field(default_factory=dict)
    """The sidecar's own metrics that must be 0 for the figures to mean what they say, and a few for the record."""


def hold(folder: Path, cores: Cores, *, rounds: int, seconds: int, say: Say) -> Findings:
    """Measure everybody, `rounds` times `seconds` in each scenario, in turns.

    Raises:
        BenchError: when the upstream, the yardstick or the sidecar cannot run.
    """
    findings = Findings()
    with ExitStack() as running:
        contest = _Contest(folder, cores, running, findings)
        say("starting the upstream and everybody else")
        subjects = contest.start()
        load = Load(folder, cores.load)
        for subject in subjects:
            say(f"warming up: {subject.name}")
            load.run(subject, SCENARIOS[1], _WARM_UP_SECONDS)
        collected: dict[tuple[str, str], list[Sample]] = {}
        for number, of, subject, scenario in _turns(subjects, rounds):
            say(f"run {number} of {of}: {scenario.name}, {subject.name}")
            collected.setdefault((subject.name, scenario.name), []).append(load.run(subject, scenario, seconds))
        findings.samples = {key: median(samples) for key, samples in collected.items()}
        contest.take_stock()
    return findings


def _turns(subjects: list[Subject], rounds: int) -> Iterator[tuple[int, int, Subject, Scenario]]:
    """Everybody once, then everybody again: a machine that slows down slows everybody down."""
    of = rounds * len(SCENARIOS) * len(subjects)
    number = 0
    for _ in range(rounds):
        for scenario in SCENARIOS:
            for subject in subjects:
                number += 1
                yield number, of, subject, scenario


class _Contest:
    def __init__(self, folder: Path, cores: Cores, running: ExitStack, findings: Findings) -> None:
        self._folder = folder
        self._cores = cores
        self._running = running
        self._findings = findings
        self._broker = 0
        self._scrape = 0
        self._everything_on: Running | None = None

    def start(self) -> list[Subject]:
        broker, self._broker = upstream.start(self._folder, self._cores)
        self._running.callback(broker.stop)
        subjects = [Subject(DIRECT, broker, f"http://127.0.0.1:{self._broker}")]
        yardstick = [sys.executable, "-m", "bench.passthrough"]
        subjects.append(
            self._proxy(BARE, lambda port, broker, _: [*yardstick, str(port), f"http://127.0.0.1:{broker}"])
        )
        for name, configure in _PEERS.items():
            try:
                subjects.append(self._proxy(name, configure))
            except BenchError as failure:
                self._findings.absent[name] = str(failure)
        return [*subjects, *self._sidecars()]

    def _proxy(self, name: str, configure: Callable[[int, int, Path], list[str]]) -> Subject:
        port = free_port()
        process = self._run(name, configure(port, self._broker, self._folder))
        process.wait_for(port)
        return Subject(name, process, f"http://127.0.0.1:{port}")

    def _sidecars(self) -> Iterator[Subject]:
        traced, port, seconds = self._sidecar("traced", ratio=1.0)
        self._findings.start_seconds = seconds
        self._everything_on = traced
        yield Subject(TRACED, traced, f"http://127.0.0.1:{port}", "/binance")
        yield Subject(UNIX, traced, f"unix:{self._folder / 'traced.sock'}", "/binance")
        untraced, port, _ = self._sidecar("untraced", ratio=0.0)
        yield Subject(UNTRACED, untraced, f"http://127.0.0.1:{port}", "/binance")

    def _sidecar(self, name: str, *, ratio: float) -> tuple[Running, int, float]:
        port, scrape = free_port(), free_port()
        config = self._folder / f"{name}.yaml"
        ports = Ports(bots=port, scrape=scrape, broker=self._broker)
        config.write_text(yaml.safe_dump(sidecar_settings(self._folder, name, ports, ratio)))
        process = self._run(f"sidecar {name}", [sys.executable, "-m", "sidecar", "run", "--config", str(config)])
        process.wait_for(port)
        seconds = process.wait_until_ready(f"http://127.0.0.1:{scrape}/readyz")
        if name == "traced":
            self._scrape = scrape
        return process, port, seconds

    def _run(self, name: str, command: list[str]) -> Running:
        # The harness's own modules are found from its working directory, which the servers do not share.
        here = {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
        process = Running(name, command, self._folder, self._cores.subject, here)
        self._running.callback(process.stop)
        return process

    def take_stock(self) -> None:
        """Ask the sidecar itself what its calls met."""
        if self._everything_on is not None:
            self._findings.resident_bytes = self._everything_on.resident_bytes()
        with urllib.request.urlopen(f"http://127.0.0.1:{self._scrape}/metrics", timeout=10) as answer:
            self._findings.account = account(answer.read().decode())


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a sidecar listens, and where it finds its broker, which takes its traces too."""

    bots: int
    scrape: int
    broker: int


def sidecar_settings(folder: Path, name: str, ports: Ports, ratio: float) -> dict[str, Any]:
    """A sidecar with everything on; its limits are too high to be met."""
    windows = {limit: {"capacity": PLENTY} for limit in ("weight_1m", "orders_10s", "orders_1m")}
    address = f"http://127.0.0.1:{ports.broker}"
    return {
        "bot": "bench",
        "listen": {"tcp": f"127.0.0.1:{ports.bots}", "unix": str(folder / f"{name}.sock")},
        "scrape": {"address": f"127.0.0.1:{ports.scrape}"},
        "audit": {"directory": str(folder / f"{name}-audit")},
        "telemetry": {"otlp": {"endpoint": address}, "sample_ratio": ratio},
        "log": {"format": "json"},
        "brokers": {"binance": {"profile": "binance-usdm", "base_url": address, "limits": {"windows": windows}}},
    }


_ACCOUNT: Final = {
    "sidecar_retries_total": "retries",
    "sidecar_rate_limit_wait_seconds_count": "waits for a limit",
    "sidecar_audit_lines_total": "audit lines written",
    "sidecar_audit_dropped_events_total": "audit events dropped",
    'sidecar_spans_total{result="exported"}': "spans exported",
    'sidecar_spans_total{result="dropped"}': "spans dropped",
    'sidecar_spans_total{result="failed"}': "spans failed",
}


def account(exposition: str) -> dict[str, float]:
    """The sums of a few metrics, by what they say in words."""
    sums = dict.fromkeys(_ACCOUNT.values(), 0.0)
    for line in exposition.splitlines():
        series, _, value = line.partition(" # ")[0].rpartition(" ")
        words = _ACCOUNT.get(series) or _ACCOUNT.get(series.partition("{")[0])
        if words is not None:
            sums[words] += float(value)
    return sums
