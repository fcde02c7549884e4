"""A process under test: kept on one core, measured by what the kernel counts of it."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READY_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.005
_QUIET_SECONDS: Final = 0.06
_QUIET_WITHIN_SECONDS: Final = 1.5
_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_UTIME: Final = 11
"""Place of the user time in `/proc/<pid>/stat` after the command's name; the system time is next (proc(5))."""

_RESTING: Final = {3, 4}
"""Places of the idle and I/O-waiting time in a core's line of `/proc/stat` (proc(5))."""


class BenchError(Exception):
    """Raised when a part of the benchmark cannot run; its words say which, and why."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: the process under test alone on one core, load and upstream on another."""

    subject: int | None
    load: int | None

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """The first two cores that this process may use; none is chosen where there are fewer."""
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2 or shutil.which("taskset") is None:  # noqa: PLR2004 - it takes two to separate
            return cls(None, None)
        return cls(allowed[0], allowed[1])


def busy_seconds(core: int | None) -> float:
    """What a core has worked so far, for whomever; 0 for none."""
    if core is None:
        return 0.0
    lines = Path("/proc/stat").read_text().splitlines()
    fields = next(line for line in lines if line.startswith(f"cpu{core} ")).split()[1:9]
    return sum(int(field) for place, field in enumerate(fields) if place not in _RESTING) * _TICK


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """The command, kept on one core where one is given."""
    return list(command) if core is None else ["taskset", "-c", str(core), *command]


class Running:
    """A server process that has been started; what it writes goes into a file beside its configuration."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        core: int | None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.core = core
        self._log = folder / f"{name.replace(' ', '-')}.log"
        self.started = time.monotonic()
        with self._log.open("wb") as sink:
            self._process = subprocess.Popen(
                pinned(command, core), stdout=sink, stderr=sink, cwd=folder, env={**os.environ, **(environment or {})}
            )

    @property
    def pid(self) -> int:
        """Of the server itself: `taskset` has become it."""
        return self._process.pid

    def wait_for(self, port: int) -> float:
        """Wait until it takes connections; returns the seconds since its start.

        Raises:
            BenchError: when it ends or does not come up.
        """
        while time.monotonic() < self.started + READY_SECONDS and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return time.monotonic() - self.started
            time.sleep(_LOOK_SECONDS)
        tail = self._log.read_text(errors="replace").strip().splitlines()[-5:]
        self.stop()
        raise BenchError(f"{self.name} did not start: " + " / ".join(tail or ["it wrote nothing"]))

    def wait_until_ready(self, url: str) -> float:
        """Wait for the first 200 at a readiness probe; returns the seconds since its start.

        Raises:
            BenchError: when it never says so.
        """
        while time.monotonic() < self.started + READY_SECONDS:
            with suppress(OSError), urllib.request.urlopen(url, timeout=1):
                return time.monotonic() - self.started
            time.sleep(_LOOK_SECONDS)
        raise BenchError(f"{self.name} never became ready at {url}")

    def cpu_seconds(self) -> float:
        """User and system time so far, all threads together; exact to some ten milliseconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[_UTIME]) + int(fields[_UTIME + 1])) * _TICK

    def resident_bytes(self) -> int:
        """Memory in use now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def settle(self) -> None:
        """Wait until it rests, so that what it put off is counted with the calls that caused it."""
        ends = time.monotonic() + _QUIET_WITHIN_SECONDS
        before = -1.0
        while time.monotonic() < ends and (now := self.cpu_seconds()) != before:
            before = now
            time.sleep(_QUIET_SECONDS)

    def stop(self) -> None:
        """End it, by force where it does not go by itself."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str) -> str:
    """Where a program is; system servers live outside of most people's path.

    Raises:
        BenchError: when it is not installed.
    """
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if found is None:
        raise BenchError(f"{name} is not installed; `make bench` installs it where apt-get is at hand")
    return found
