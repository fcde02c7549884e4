"""The load: h2load, which speaks HTTP/1.1 over TCP and Unix sockets alike and notes every request's time."""

import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.process import BenchError, Running, busy_seconds, pinned, program
from bench.upstream import ORDER, READ

_ENDED: Final = re.compile(r"requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored")
_SPARE_SECONDS: Final = 20.0
_OK: Final = frozenset({b"200", b"202"})
TAKEN: Final = "/v1/orders"
HANDED_OVER: Final = (
    '{"broker":"binance","instrument":"BTCUSDT","side":"buy","type":"limit","quantity":"0.010","price":"67000.00"}'
)
"""Without a client id: the sidecar makes one, and each is another order."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the bots do: plain reads, or orders, so many at once."""

    kind: str
    """`read` or `order`; `handed over` for orders that the sidecar shall carry."""
    concurrency: int

    @property
    def name(self) -> str:
        """As it stands in the table."""
        return f"{self.kind} x{self.concurrency}"


SCENARIOS: Final = (Scenario("read", 1), Scenario("read", 16), Scenario("read", 64), Scenario("order", 16))


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that takes calls, and the process that pays for them."""

    name: str
    process: Running
    address: str
    """`http://host:port`, or `unix:` and a path."""
    prefix: str = ""
    """What stands before the broker's own path."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One short run, or the median of several. Latencies and CPU are microseconds."""

    rate: float
    """Requests a second."""
    p50: float
    p90: float
    p99: float
    cpu: float
    """User and system time of the process under test for each call."""
    busy: float
    """Share of a core that it used while the load ran and until it rested: 1 is all of it."""
    others: float
    """Share of its core that other processes of the machine used meanwhile: they make every figure worse."""
    failures: int


class Load:
    """Makes short runs against one subject after another."""

    def __init__(self, folder: Path, core: int | None) -> None:
        self._core = core
        self._h2load = program("h2load")
        self._log = folder / "requests.log"
        self._body = folder / "order.body"

    def run(self, subject: Subject, scenario: Scenario, seconds: int) -> Sample:
        """Load the subject for whole `seconds`: h2load takes no others.

        Raises:
            BenchError: when the load generator fails or not a single call succeeds.
        """
        self._body.write_text(HANDED_OVER if scenario.kind == "handed over" else order_body(time.time()))
        self._log.unlink(missing_ok=True)
        subject.process.settle()
        before, all_before = subject.process.cpu_seconds(), busy_seconds(subject.process.core)
        ended = subprocess.run(
            pinned(self._command(subject, scenario, seconds), self._core),
            capture_output=True,
            text=True,
            timeout=seconds + _SPARE_SECONDS,
            check=False,
        )
        subject.process.settle()
        cpu = subject.process.cpu_seconds() - before
        others = busy_seconds(subject.process.core) - all_before - cpu
        counts = _ENDED.search(ended.stdout)
        if ended.returncode or counts is None:
            raise BenchError(f"h2load against {subject.name}: {(ended.stderr or ended.stdout).strip()[-200:]}")
        made = sample(self._log.read_bytes().splitlines(), seconds, cpu, lost=int(counts[2]) + int(counts[3]))
        return replace(made, others=max(0.0, others / seconds))

    def _command(self, subject: Subject, scenario: Scenario, seconds: int) -> list[str]:
        unix = subject.address.startswith("unix:")
        base = "http://localhost" if unix else subject.address
        options = ["--h1", "-t", "1", "-D", str(seconds), "-c", str(scenario.concurrency)]
        options.append(f"--log-file={self._log}")
        options += ["-B", subject.address] if unix else []
        # What a bot's library sends; the key is as long as Binance's.
        options += ["-H", f"X-MBX-APIKEY: {'k' * 64}", "-H", "Accept-Encoding: gzip"]
        path, content = _CALLS[scenario.kind]
        if content:
            options += ["-d", str(self._body), "-H", f"Content-Type: {content}"]
        return [self._h2load, *options, f"{base}{subject.prefix}{path}"]


_CALLS: Final = {
    "read": (READ, ""),
    "order": (ORDER, "application/x-www-form-urlencoded"),
    "handed over": (TAKEN, "application/json"),
}
"""Path and content type by kind."""


def order_body(now: float) -> str:
    """A limit order whose signature holds for a minute from `now`, Unix seconds."""
    return (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=67000.00&newClientOrderId=bench-1"
        f"&recvWindow=60000&timestamp={now * 1000:.0f}&signature={'5' * 64}"
    )


def sample(lines: Sequence[bytes], seconds: float, cpu: float, *, lost: int) -> Sample:
    """A run's figures from h2load's lines: start, status and duration in microseconds.

    `cpu`: seconds of the process under test. Raises BenchError when no call succeeded.
    """
    requests = [line.split(b"\t") for line in lines]
    times = sorted(int(duration) for _, status, duration in requests if status in _OK)
    if not times:
        raise BenchError("no call succeeded")
    return Sample(
        rate=len(times) / seconds,
        p50=_percentile(times, 0.5),
        p90=_percentile(times, 0.9),
        p99=_percentile(times, 0.99),
        cpu=cpu / len(requests) * 1e6,
        busy=cpu / seconds,
        others=0.0,
        failures=len(requests) - len(times) + lost,
    )


def median(samples: Iterable[Sample]) -> Sample:
    """The median of each figure by itself; failures are added up."""
    runs = list(samples)

    def middle(name: str) -> float:
        figures: list[float] = sorted(getattr(run, name) for run in runs)
        half = len(figures) // 2
        return figures[half] if len(figures) % 2 else (figures[half - 1] + figures[half]) / 2

    return Sample(
        rate=middle("rate"),
        p50=middle("p50"),
        p90=middle("p90"),
        p99=middle("p99"),
        cpu=middle("cpu"),
        busy=middle("busy"),
        others=middle("others"),
        failures=sum(run.failures for run in runs),
    )


def _percentile(ascending: Sequence[int], share: float) -> float:
    return float(ascending[min(len(ascending) - 1, int(share * len(ascending)))])
