from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .support import House, house


@pytest.fixture
async def at_home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made
