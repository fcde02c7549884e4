"""What the chart's tests share."""

from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with a short path: a socket's has at most 107 bytes."""
    return tmp_path_factory.mktemp("pod")
