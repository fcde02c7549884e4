"""What the chart's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Simulated


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with a short path: a socket's has at most 107 bytes."""
    return tmp_path_factory.mktemp("pod")


@pytest.fixture
def oanda(tmp_path: Path) -> Iterator[Simulated]:
    """A simulated OANDA."""
    simulated = Simulated("oanda", tmp_path)
    yield simulated
    simulated.child.stop()
