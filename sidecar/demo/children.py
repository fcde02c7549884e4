"""The processes of the demo: started as anybody would start them, and ended with it, whatever happens."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sidecar.demo.errors import ChildError

Hear = Callable[[str], None]

_DIE_WITH_PARENT: Final = 1
"""Linux's PR_SET_PDEATHSIG."""
_LAST_LINES: Final = 5
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


class Child:
    """One process. Its standard error goes to a log file, and so does its output unless somebody hears it."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path, hear: Hear) -> None:
        self.name = name
        self._process = process
        self._log = log
        self._hear = hear
        self._listening = asyncio.create_task(self._listen())
        self.may_end = False
        """Whether its end is no surprise."""

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def wait(self) -> None:
        """Wait for its end."""
        await self._process.wait()

    @property
    def last_words(self) -> list[str]:
        """The last lines of its log."""
        return self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]

    def failure(self) -> ChildError:
        """What to say when it has ended by itself."""
        told = "\n".join(f"  {line}" for line in self.last_words) or "  (nothing)"
        status = self._process.returncode
        return ChildError(f"{self.name} has ended with status {status}; the last lines of {self._log}:\n{told}")

    async def stop(self, seconds: float) -> None:
        """Ask it to end, and end it when it has not within `seconds`."""
        self.may_end = True
        if self.running:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), seconds)
        self.signal(signal.SIGKILL)
        await self._process.wait()
        await self._listening

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _listen(self) -> None:
        output = self._process.stdout
        while output is not None and (line := await output.readline()):
            self._hear(line.decode(errors="replace").rstrip("\n"))


class Children:
    """Every process of the demo, in the order in which they were started."""

    def __init__(self) -> None:
        self._all: list[Child] = []
        self._ended: asyncio.Queue[Child] = asyncio.Queue()
        self._waiting: set[asyncio.Task[None]] = set()

    async def start(self, name: str, arguments: Sequence[str], log: Path, hear: Hear) -> Child:
        """Start `python -m ARGUMENTS`; `hear` is called with each line of its output."""
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=_environment(),
                # Ctrl-C is the demo's to hear: it ends its processes one after the other.
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        child = Child(name, process, log, hear)
        self._all.append(child)
        self._waiting.add(asyncio.create_task(self._wait(child)))
        return child

    def failed(self) -> list[Child]:
        """Those that have ended and should not have."""
        return [child for child in self._all if not child.running and not child.may_end]

    async def first_failure(self) -> Child:
        """Wait until one of them ends that should not, and return it."""
        while True:
            child = await self._ended.get()
            if not child.may_end:
                return child

    async def stop(self, seconds: float, *names: str) -> None:
        """End those of these names, all at once; they have `seconds`."""
        await asyncio.gather(*(child.stop(seconds) for child in self._all if child.name in names))

    async def _wait(self, child: Child) -> None:
        await child.wait()
        self._ended.put_nowait(child)

    def kill(self) -> None:
        """End all at once, without asking."""
        for child in self._all:
            child.may_end = True
            child.signal(signal.SIGKILL)


def _environment() -> dict[str, str]:
    # SIDECAR_... variables would change the configuration that the demo has written.
    return {name: value for name, value in os.environ.items() if not name.startswith("SIDECAR_")}


def _end_with_parent() -> None:
    """In the child, before its program: have the kernel end it should the demo be killed."""
    if _LIBC is not None:
        _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGTERM)
