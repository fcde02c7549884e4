"""What is tortured: a sidecar that is killed and started again, and the small disk that it keeps its state on."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

from tests.e2e.stack import KEY, SECRET, TOKEN, Child, Sidecar, Simulated, command
from tests.torture import powercut

SECRETS = (KEY, SECRET, TOKEN)
_DISK_BYTES = 16 * 1024 * 1024
_BROKER: Mapping[str, Any] = {
    # Short, so that what goes wrong is over soon.
    "deadline_seconds": 3,
    "timeouts": {"connect_seconds": 1, "answer_seconds": 1},
    "retry": {"attempts": 3, "base_seconds": 0.1, "factor": 2, "max_seconds": 0.5, "jitter": 0.1, "budget_floor": 1000},
    "maintenance": {"base_seconds": 0.3, "max_seconds": 1, "jitter": 0.1, "consecutive_503": 6},
    "breaker": {"failures": 8, "recovery_seconds": 0.5, "recovery_max_seconds": 1, "minimum_calls": 1000},
    # Small enough to be full at times.
    "queue": {"doubt_seconds": 2, "drain_per_second": 50, "size": 20, "attempts": 6},
}


class Disk:
    """The folder of the state file; a small file system of its own where mounting is allowed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._filler = folder / "filler"
        arguments = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=0700", "torture", str(folder)]
        self.small = os.geteuid() == 0 and _succeeds(arguments)

    def fill(self, left: int) -> None:
        """Leave only so many bytes."""
        state = os.statvfs(self.folder)
        with suppress(OSError):
            self._filler.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - left)))

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)

    def leave(self) -> None:
        """Give the file system back."""
        if self.small:
            _succeeds(["umount", "-l", str(self.folder)])


def _succeeds(arguments: list[str]) -> bool:
    return subprocess.run(arguments, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own command


class Victim:
    """A sidecar in front of two simulated brokers."""

    def __init__(self, folder: Path, brokers: Mapping[str, Simulated], module: str, rng: Random) -> None:
        self.brokers = brokers
        self.disk = Disk(folder / "state")
        self.kills = self.starts = self.power_cuts = 0
        self._state = self.disk.folder / "state.db"
        self._copies = folder / "copies"
        self._copies.mkdir()
        self.can_lose_power = powercut.possible()
        self._logs: list[str] = []
        names = {name: folder / name for name in ("key", "secret", "token")}
        for path, text in zip(names.values(), SECRETS, strict=True):
            path.write_text(text)
            path.chmod(0o600)
        signing = {"key_file": str(names["key"]), "secret_file": str(names["secret"])}
        own = {
            "binance": {"profile": "binance-usdm", "base_url": brokers["binance"].url, "credentials": signing},
            "oanda": {
                "profile": "oanda",
                "base_url": brokers["oanda"].url,
                "credentials": {"token_file": str(names["token"])},
            },
        }
        home = folder / "sidecar"
        self.socket = home / "sidecar.sock"
        self._sidecar = Sidecar(
            home,
            {name: {**broker, **_BROKER} for name, broker in own.items()},
            {powercut.FOLDER: str(self._copies)} if self.can_lose_power else None,
            module=module,
            start=False,
            listen={"unix": str(self.socket), "tcp": None},
            scrape={"address": f"127.0.0.1:{_fixed_port(rng)}"},
            state={"path": str(self._state), "recovery_seconds": 2},
        )
        self.audit = self._sidecar.audit

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self._keep_log()
        self.starts += 1
        self._sidecar.start()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it; SIGTERM lets it finish."""
        self.kills += number is signal.SIGKILL
        self._sidecar.child.stop(number)

    def cut_power(self) -> None:
        """Kill it, and lose what it has not had confirmed by its disk; where that cannot be, only kill it."""
        self.kill()
        if self.can_lose_power:
            self.power_cuts += 1
            powercut.cut_power(self._state, self._copies)

    def end(self) -> None:
        """Leave no process behind."""
        with suppress(AttributeError):  # it was never started
            self._sidecar.child.stop(signal.SIGKILL)

    def stumble(self, seconds: float) -> None:
        """Start it, and kill it so soon that it may not be ready yet."""
        self._keep_log()
        self.starts += 1
        output = self._sidecar.folder / "sidecar.log"
        arguments = ["run", "--config", str(self._sidecar.config)]
        child = Child(arguments, output, self._sidecar.environment, module=self._sidecar.module)
        time.sleep(seconds)
        self.kills += 1
        child.stop(signal.SIGKILL)

    def audit_lines(self) -> list[dict[str, Any]]:
        """Everything in the audit log."""
        return self._sidecar.audit_lines()

    def verify_audit(self) -> str:
        """What is wrong with the audit log's chain; empty when it is whole."""
        ended = command("audit", "verify", "--directory", str(self.audit))
        return "" if ended.returncode == 0 else ended.stdout

    def tellings(self) -> Iterator[tuple[str, str]]:
        """Everything that it has written, where a secret could stand."""
        self._keep_log()
        yield from ((f"log of start {number}", text) for number, text in enumerate(self._logs, 1))
        for path in (*self.audit.glob("*"), *self.disk.folder.glob("state.db*")):
            yield path.name, path.read_bytes().decode("latin-1")

    def _keep_log(self) -> None:
        # A new start begins a new log.
        log = self._sidecar.folder / "sidecar.log"
        if log.exists():
            self._logs.append(log.read_text(errors="replace"))


@contextmanager
def simulators(folder: Path) -> Iterator[dict[str, Simulated]]:
    """Both brokers, each in a process of its own."""
    both = {name: Simulated(name, folder) for name in ("binance", "oanda")}
    try:
        yield both
    finally:
        for broker in both.values():
            broker.child.stop()


def _fixed_port(rng: Random) -> int:
    """A port that no outgoing connection is given meanwhile: it has to be free after every restart."""
    while True:
        port = rng.randrange(15_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
