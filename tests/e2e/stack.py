"""The real thing: simulated brokers and a sidecar as processes of their own, talked to over real sockets."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import yaml

# Short, so that faults are over soon; long enough for a busy machine.
QUICK: dict[str, Any] = {
    "deadline_seconds": 6,
    "timeouts": {"connect_seconds": 1, "answer_seconds": 1},
    "retry": {"attempts": 5, "base_seconds": 0.1, "factor": 2, "max_seconds": 1, "jitter": 0.1, "budget_floor": 1000},
    "maintenance": {"base_seconds": 0.1, "max_seconds": 0.2, "jitter": 0.1, "consecutive_503": 10},
    "breaker": {"failures": 50, "recovery_seconds": 0.3},
}
START_SECONDS = 90.0
KEY, SECRET, TOKEN = "demo-key", "demo-secret", "demo-token"
ACCOUNT = "101-001-1234567-001"

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
_ROOT = Path(__file__).parents[2]
_PORTS = (10_000 + (os.getpid() * 997 + number) % 20_000 for number in count())
"""Below those that systems give to connections; each process begins elsewhere."""


class Child:
    """A process of our own Python, with its output in a file."""

    def __init__(
        self,
        arguments: Sequence[str],
        output: Path,
        environment: Mapping[str, str] | None = None,
        *,
        module: str = "sidecar",
    ) -> None:
        self.output = output
        with output.open("ab") as sink:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", module, *arguments],
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=os.environ | (environment or {}),
                cwd=_ROOT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal and do not wait."""
        self._process.send_signal(number)

    def resident_megabytes(self) -> float:
        """Memory that is truly in use now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1000

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the output holds the pattern."""
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            if (found := re.search(pattern, self.text())) is not None:
                return found
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"{self.output.name} never showed {pattern!r}:\n{self.text()}")

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 12.0) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise


def until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until something is true."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, f"never: {what}"
        time.sleep(0.02)


def command(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the sidecar to its end; its two outputs come as one."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "sidecar", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_SECONDS,
        check=False,
        env=os.environ | (environment or {}),
        cwd=_ROOT,
    )


def fetch(url: str, body: Any = None, method: str | None = None, token: str = "") -> Any:
    """JSON over HTTP: GET, or POST when there is a body."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read() or b"null")


class Simulated:
    """A simulated broker in a process of its own."""

    def __init__(self, name: str, folder: Path, child: Child | None = None) -> None:
        """`child` is a simulator of another make than `sidecar simulate`."""
        self.name = name
        self.child = child or Child(["simulate", name, "--port", "0", "--seed", "7"], folder / f"{name}.log")
        self.url = self.child.wait_for(_ADDRESS.pattern).group(0)

    def fault(self, kind: str, **details: Any) -> None:
        """Plan a fault; by default once, for the next request that matches."""
        fetch(f"{self.url}/_control/faults", [{"kind": kind} | details])

    def end_faults(self) -> None:
        """Nothing goes wrong any more."""
        fetch(f"{self.url}/_control/faults", method="DELETE")

    def executed(self) -> dict[str, Any]:
        """The truth: what is in the book, and what arrived."""
        told: dict[str, Any] = fetch(f"{self.url}/_control/executed")
        return told

    def executions(self, client_id: str) -> int:
        """How many orders with this client id are in the book."""
        return sum(order["client_id"] == client_id for order in self.executed()["orders"])

    def reset(self) -> None:
        """Begin anew: empty books, no faults, no clock offset."""
        fetch(f"{self.url}/_control/reset", {})
        fetch(f"{self.url}/_control/clock", {"offset_seconds": 0})


class Sidecar:
    """A sidecar in a process of its own, in front of simulated brokers."""

    def __init__(
        self,
        folder: Path,
        brokers: Mapping[str, Mapping[str, Any]],
        environment: Mapping[str, str] | None = None,
        *,
        module: str = "sidecar",
        token: str = "",
        start: bool = True,
        **settings: Any,
    ) -> None:
        """`settings` are further keys of the configuration; with a `token` nobody may call who does not show it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.environment = environment
        self.module = module
        self._token = token
        self.socket = folder / "sidecar.sock"
        self.audit = folder / "audit"
        self.tcp, self.scrape = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.tcp}"
        self.metrics_url = f"http://127.0.0.1:{self.scrape}/metrics"
        listen = {"unix": str(self.socket), "tcp": f"127.0.0.1:{self.tcp}"}
        if token:
            listen["token_file"] = str(folder / "token")
            (folder / "token").write_text(f"{token}\n")
        self.config = folder / "sidecar.yaml"
        self.config.write_text(
            yaml.safe_dump(
                {
                    "bot": "tester",
                    "listen": listen,
                    "scrape": {"address": f"127.0.0.1:{self.scrape}"},
                    "audit": {"directory": str(self.audit)},
                    "log": {"format": "json"},
                    "brokers": {name: dict(broker) for name, broker in brokers.items()},
                }
                | settings
            )
        )
        if start:
            self.start()

    def start(self) -> None:
        """Start it, perhaps once more, and wait until it is ready."""
        output = self.folder / "sidecar.log"
        output.unlink(missing_ok=True)
        arguments = ["run", "--config", str(self.config)]
        self.child = Child(arguments, output, self.environment, module=self.module)
        self.child.wait_for(r"Ready|a start-up check failed|not traded with")

    def metrics(self) -> str:
        """The metrics page."""
        with urllib.request.urlopen(self.metrics_url, timeout=30) as answer:  # noqa: S310 - loopback
            text: str = answer.read().decode()
        return text

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that carry these labels."""
        total = 0.0
        for line in self.metrics().splitlines():
            series, _, value = line.rpartition(" ")
            if re.match(rf"{name}(\{{|$)", series) and all(f'{k}="{v}"' in series for k, v in labels.items()):
                total += float(value)
        return total

    def status(self) -> dict[str, Any]:
        """What `/v1/status` tells."""
        told: dict[str, Any] = fetch(f"{self.url}/v1/status", token=self._token)
        return told

    def calm(self) -> None:
        """Close every breaker, open every gate and end every degradation, as a person would."""
        fetch(f"{self.url}/v1/breakers/reset", {"reason": "a new test begins"}, token=self._token)
        for broker in self.status()["brokers"]:
            for what in ("limits/reset", "degradation/recover"):
                url = f"{self.url}/v1/brokers/{broker['name']}/{what}"
                fetch(url, {"reason": "a new test begins"}, token=self._token)

    def audit_lines(self) -> list[dict[str, Any]]:
        """Every audit line so far."""
        files = sorted(self.audit.glob("audit-*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def audited(self, client_id: str) -> list[dict[str, Any]]:
        """The audit lines about one order, waited for: they are written off the call's path."""
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            found = [line for line in self.audit_lines() if client_id in json.dumps(line.get("order", {}))]
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no audit line names {client_id}")

    def stop(self) -> int:
        """Stop it as Kubernetes does."""
        return self.child.stop()


def free_port() -> int:
    """A port that nobody listens on now, and that nobody is given meanwhile."""
    return next(port for port in _PORTS if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
