"""The examples can be run as they are, and the reference leaves nothing out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.cli import main
from sidecar.config import keys

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
REFERENCE = next(path for path in EXAMPLES if path.stem == "reference")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_passes_the_check_without_a_warning(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file)]) == 0

    printed = capsys.readouterr().out
    assert f"{file}: valid" in printed
    assert "warning" not in printed


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_tells_editors_its_schema(file: Path) -> None:
    (first, *_) = file.read_text().splitlines()

    assert first.startswith("# yaml-language-server: $schema=")
    assert (file.parent / first.partition("=")[2]).is_file()


def possible(node: keys.Node, path: str = "") -> Iterator[str]:
    for name in keys.names(node):
        yield f"{path}{name}"
        yield from possible(keys.child(node, name) or {}, f"{path}{name}.")
    if keys.names_are_free(node):
        yield from possible(keys.child(node, "x") or {}, f"{path}*.")


def mentioned(node: keys.Node, value: Any, path: str = "") -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        free = keys.names_are_free(node)
        here = f"{path}*" if free else f"{path}{name}"
        if not free:
            yield here
        yield from mentioned(keys.child(node, name) or {}, inner, f"{here}.")


def test_the_reference_mentions_every_key() -> None:
    data = yaml.safe_load(REFERENCE.read_text())

    assert set(possible(keys.root())) == set(mentioned(keys.root(), data))


def defaults(node: keys.Node, value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    for name, inner in value.items():
        told = node.get("properties", {}).get(name, {})
        if isinstance(inner, dict):
            yield from defaults(keys.child(node, name) or {}, inner, f"{path}{name}.")
        elif "default" in told:
            yield f"{path}{name}", inner, told["default"]


def test_the_reference_shows_the_defaults() -> None:
    data = yaml.safe_load(REFERENCE.read_text())
    headers = "brokers.anything.generic.rate_limit_headers."
    chosen = {"brokers.anything.limits.buckets.everything.rate", "brokers.anything.limits.buckets.everything.burst"}
    # A channel that is used must have a URL.
    chosen.add("alerting.channels.chat.enabled")

    different = [path for path, shown, default in defaults(keys.root(), data) if shown != default]

    # A header name's own default is none; the section's is what most brokers use.
    assert [path for path in different if not path.startswith(headers) and path not in chosen] == []
