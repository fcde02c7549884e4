"""The committed JSON Schema is the one that the code makes, and it says the same as the code."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sidecar.config import keys, schema
from tests.config.support import BINANCE, problems_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def validator() -> Any:
    document = schema.json_schema()
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def test_the_committed_file_is_up_to_date() -> None:
    committed = (ROOT / schema.FILE).read_text(encoding="utf-8")

    assert committed == schema.text(), "run: make schema"


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["schema", str(tmp_path / "new" / "schema.json")])

    schema.main()

    assert json.loads((tmp_path / "new" / "schema.json").read_text()) == schema.json_schema()


@pytest.mark.parametrize("name", ["minimal", "reference", "generic"])
def test_every_example_is_valid_by_the_schema(validator: Any, name: str) -> None:
    validator.validate(yaml.safe_load((ROOT / "examples" / f"{name}.yaml").read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "bot: my bot",
        "listen: {tcp: nonsense}",
        "listen: {unix_mode: '0999'}",
        "lisen: {}",
        "log: {level: loud}",
        "telemetry: {otlp: {endpoint: 'https://a:b@c'}}",
    ],
)
def test_what_the_sidecar_refuses_the_schema_refuses(tmp_path: Path, validator: Any, text: str) -> None:
    assert problems_of(tmp_path, f"{text}\n{BINANCE}")
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(yaml.safe_load(f"{text}\n{BINANCE}"))


def test_a_brokers_name_is_checked_by_the_schema(validator: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(yaml.safe_load(BINANCE.replace("binance:", "Binance_X:")))


def described(node: keys.Node) -> list[str]:
    """The keys below that an editor would show without a word."""
    silent = [name for name, inner in node.get("properties", {}).items() if not _words(inner)]
    below = [keys.child(node, name) or {} for name in keys.names(node)]
    below += [keys.child(node, "x") or {}] if keys.names_are_free(node) else []
    return silent + [name for inner in below for name in described(inner)]


def _words(node: keys.Node) -> bool:
    target = schema.json_schema()["$defs"].get(node.get("$ref", "").rpartition("/")[2], {})
    return bool(node.get("description") or target.get("description"))


def test_every_key_is_described() -> None:
    assert described(keys.root()) == []
