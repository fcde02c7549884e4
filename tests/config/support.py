"""What the tests of the configuration share."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sidecar.config.load import Loaded, load, read
from sidecar.config.report import ConfigError, Problem

BINANCE = "brokers:\n  binance:\n    profile: binance-usdm\n    base_url: https://fapi.binance.com\n"
"""The smallest configuration; its broker is open for more keys, indented by four."""


def problems_of(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    """Everything that is wrong with this configuration, which must not be accepted."""
    file = written(folder, text)
    with pytest.raises(ConfigError) as refused:
        load(file, environ or {})
    return refused.value.problems


def accepted(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Loaded:
    """This configuration with its warnings; it must be accepted."""
    return read(written(folder, text), environ or {})


def written(folder: Path, text: str | bytes) -> Path:
    """The configuration's file."""
    file = folder / "sidecar.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file
