"""One day for all that is seen of it: living it is what takes the time."""

from collections.abc import Iterator

import pytest

from tests.e2e.observed.day import Day, lived
from tests.e2e.stack import Simulated


@pytest.fixture(scope="package")
def day(tmp_path_factory: pytest.TempPathFactory, _binance: Simulated, _oanda: Simulated) -> Iterator[Day]:
    """A day on which everything went wrong once; of the package, because it takes long."""
    with lived(tmp_path_factory.mktemp("observed"), tmp_path_factory.mktemp("prometheus"), _binance, _oanda) as day:
        yield day
