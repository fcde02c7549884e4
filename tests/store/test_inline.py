import asyncio
from pathlib import Path

import pytest

from sidecar.clock import VirtualClock
from sidecar.store import StoreClosedError
from tests.store.inline import InlineStore
from tests.store.support import note, noted


def test_the_inline_store_takes_no_virtual_time(tmp_path: Path) -> None:
    clock = VirtualClock()

    async def main() -> set[str]:
        store = InlineStore(tmp_path / "state.db")
        await store.open()
        alarm = asyncio.create_task(clock.sleep(300))
        for name in "abc":
            await store.write(note(name))
        store.write_nowait(note("d"))
        found = await store.read(noted)
        assert clock.monotonic() == 0
        alarm.cancel()
        await store.close()
        with pytest.raises(StoreClosedError):
            await store.write(note("e"))
        return found

    assert clock.run(main()) == set("abcd")
