"""One stack for all end-to-end tests: starting processes is what takes the time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.day import Day, lived
from tests.e2e.stack import QUICK, Sidecar, Simulated


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="session")
def _binance(folder: Path) -> Iterator[Simulated]:
    simulated = Simulated("binance", folder)
    yield simulated
    simulated.child.stop()


@pytest.fixture(scope="session")
def _oanda(folder: Path) -> Iterator[Simulated]:
    simulated = Simulated("oanda", folder)
    yield simulated
    simulated.child.stop()


@pytest.fixture(scope="session")
def _sidecar(folder: Path, _binance: Simulated, _oanda: Simulated) -> Iterator[Sidecar]:
    sidecar = Sidecar(
        folder / "sidecar",
        {
            "binance": {"profile": "binance-usdm", "base_url": _binance.url, **QUICK},
            "oanda": {"profile": "oanda", "base_url": _oanda.url, **QUICK},
        },
    )
    yield sidecar
    assert sidecar.stop() == 0


@pytest.fixture
def binance(_binance: Simulated) -> Simulated:
    """A Binance with empty books and no faults."""
    _binance.reset()
    return _binance


@pytest.fixture
def oanda(_oanda: Simulated) -> Simulated:
    """An OANDA with empty books and no faults."""
    _oanda.reset()
    return _oanda


@pytest.fixture
def sidecar(_sidecar: Sidecar) -> Sidecar:
    """A sidecar whose breakers are closed and whose gates are open."""
    _sidecar.calm()
    return _sidecar


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory, _binance: Simulated, _oanda: Simulated) -> Iterator[Day]:
    """A day on which everything went wrong once; of a session, because it takes long."""
    with lived(tmp_path_factory.mktemp("observed"), tmp_path_factory.mktemp("prometheus"), _binance, _oanda) as day:
        yield day
