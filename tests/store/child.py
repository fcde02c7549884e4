"""The other process: it holds a state file, streams acknowledged writes until it is killed, or fills its disk.

It says what was acknowledged, a line each, on standard output.
"""

import asyncio
import itertools
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from sidecar.store import Store, StoreFullError
from tests.store.nosync import refuse_to_sync
from tests.store.support import note, noted

VALUE = "v" * 2000
LIMIT = 400_000
"""Bytes that a file may have, or that are left on the disk."""


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def hold(path: Path) -> None:
    """Keep the file open until killed."""
    await Store(path).open()
    say("open")
    await asyncio.Event().wait()


async def stream(path: Path, prefix: str) -> None:
    """Write from several tasks and say each name once it is durable, until killed."""
    store = Store(path)
    await store.open()
    names = (f"{prefix}-{number}" for number in itertools.count())

    async def writer() -> None:
        for name in names:
            await store.write(note(name, VALUE))
            say(name)

    await asyncio.gather(*(writer() for _ in range(8)))


async def fill(path: Path, make_room: Callable[[], None]) -> None:
    """Write until the disk is full, make room, write again; then say what a new start finds."""
    store = Store(path)
    await store.open()
    names = (f"first-{number}" for number in itertools.count())

    async def writer() -> None:
        for name in names:
            await store.write(note(name, VALUE))
            say(f"written {name}")

    ends = await asyncio.gather(*(writer() for _ in range(4)), return_exceptions=True)
    say(f"full {all(isinstance(end, StoreFullError) for end in ends)}")
    say(f"readable {len(await store.read(noted))}")
    make_room()
    for number in range(20):
        await store.write(note(f"later-{number}", VALUE))
        say(f"written later-{number}")
    await store.close()
    again = Store(path)
    await again.open()
    for name in await again.read(noted):
        say(f"found {name}")
    await again.close()


def limit_files() -> Callable[[], None]:
    """No file may grow beyond the limit; returns what lifts it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


def crowd(folder: Path) -> Callable[[], None]:
    """Leave little room on the folder's file system; returns what frees it."""
    filler = folder / "filler"
    state = os.statvfs(folder)
    filler.write_bytes(bytes(state.f_bavail * state.f_frsize - LIMIT))
    return filler.unlink


async def unconfirmed(path: Path) -> None:
    """Write on a disk that then no longer confirms, say what was refused, and wait to be killed."""
    store = Store(path)
    await store.open()
    for number in range(3):
        await store.write(note(f"good-{number}"))
        say(f"written good-{number}")
    await store.write(lambda _: refuse_to_sync())  # writes nothing, so that its commit needs no confirmation
    say("disk broken")
    for number in range(3):
        try:
            await store.write(note(f"bad-{number}", VALUE))
        except StoreFullError:
            say(f"refused bad-{number}")
    say(f"readable {len(await store.read(noted))}")
    await asyncio.Event().wait()


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    mode, path = sys.argv[1], Path(sys.argv[2])
    if mode == "hold":
        asyncio.run(hold(path))
    elif mode == "stream":
        asyncio.run(stream(path, sys.argv[3]))
    elif mode == "unconfirmed":
        asyncio.run(unconfirmed(path))
    elif mode == "fill-file":
        asyncio.run(fill(path, limit_files()))
    elif mode == "fill-disk":
        asyncio.run(fill(path, crowd(path.parent)))


if __name__ == "__main__":
    main()
