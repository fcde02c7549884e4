"""Whatever a file or the environment holds, it is a configuration or a report: never another exception."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.config import keys
from sidecar.config.load import load
from sidecar.config.report import ConfigError
from tests.config.support import BINANCE


def known_names(node: keys.Node) -> Iterator[str]:
    for name in keys.names(node):
        yield name
        yield from known_names(keys.child(node, name) or {})
    if keys.names_are_free(node):
        yield from known_names(keys.child(node, "x") or {})


NAMES = st.sampled_from(sorted({*known_names(keys.root()), "binance", "v1", "place_order", "<<", ""})) | st.text(
    max_size=5
)
FRAGMENTS = [
    "profile: oanda",
    "base_url: http://h",
    "- ",
    ": ",
    "&a ",
    "*a",
    "<<: *a",
    "!!int ",
    "\t",
    "'",
    '"',
    "{",
    "]",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["binance-usdm", "generic", "https://h", "127.0.0.1:1", "0660", "oanda", "auto", "/x", "[::1"])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "sidecar.yaml"


def attempt(file: Path, content: bytes, environ: dict[str, str] | None = None) -> None:
    file.write_bytes(content)
    refused = None
    try:
        load(file, environ or {})
    except ConfigError as error:
        refused = error
    if refused is not None:
        assert refused.problems
        assert all(problem.wrong and problem.right for problem in refused.problems)
        assert all(line.isascii() and line.isprintable() for line in str(refused).split("\n"))


@given(st.text())
def test_any_text(file: Path, text: str) -> None:
    attempt(file, text.encode("utf-8", "surrogatepass"))


@given(st.binary())
def test_any_bytes(file: Path, content: bytes) -> None:
    attempt(file, content)


@given(st.lists(st.sampled_from([*FRAGMENTS, "brokers:", "listen:", "\n", "\n  ", "\n    "]) | NAMES, max_size=20))
def test_any_pieces_of_yaml(file: Path, pieces: list[str]) -> None:
    attempt(file, "".join(pieces).encode("utf-8", "surrogatepass"))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_values_under_any_keys(file: Path, data: dict[str, Any]) -> None:
    attempt(file, yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass"))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, VALUES, max_size=6), st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_values_under_a_broker_and_its_sections(
    file: Path, broker: dict[str, Any], section: dict[str, Any]
) -> None:
    sound = {"profile": "generic", "base_url": "https://h", "limits": section, "retry": section, "breaker": section}

    attempt(file, json.dumps({"brokers": {"x": {**sound, "generic": section, **broker}}}).encode())


@given(st.dictionaries(st.lists(NAMES, max_size=4).map("__".join), st.text(max_size=20), max_size=4))
def test_any_environment(file: Path, variables: dict[str, str]) -> None:
    attempt(file, BINANCE.encode(), {f"SIDECAR_{name.upper()}": value for name, value in variables.items()})
