import asyncio
import random
import signal
from pathlib import Path

from tests.store.support import child, line_of, noted, one, opened

KILLS = 10


async def killed(path: Path, prefix: str, after: float) -> set[str]:
    """What a child acknowledged before it was killed, `after` seconds after the first acknowledgement."""
    process = await child("stream", path, prefix)
    first = await line_of(process)
    await asyncio.sleep(after)
    process.send_signal(signal.SIGKILL)
    rest, _ = await process.communicate()
    # The kill may have cut the last line: half an acknowledgement is none.
    return {first, *rest.decode().split("\n")[:-1]}


async def test_whatever_was_acknowledged_survives_a_kill_at_any_instant(tmp_path: Path) -> None:
    path, rng = tmp_path / "state.db", random.Random(8)
    acknowledged: set[str] = set()
    for kill in range(KILLS):
        acknowledged |= await killed(path, f"run{kill}", rng.uniform(0.0, 0.15))
        async with opened(path) as store:
            assert await store.read(one("PRAGMA integrity_check")) == "ok"
            assert acknowledged <= await store.read(noted)
    assert len(acknowledged) > KILLS * 2
