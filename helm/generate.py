"""Writes the parts of the chart that follow from something else: `python -m helm.generate`, part of `make reference`.

- `values.schema.json`, from `values.schema.yaml` and the sidecar's own configuration schema;
- `README.md`, from `README.template.md` and the comments in `values.yaml`;
- `files/rules`, `files/alertmanager` and `files/dashboards`, from `alerts/` and `dashboards/`, as a chart reaches no
  file outside itself.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from sidecar.config.schema import json_schema

HERE: Final = Path(__file__).parent
CHART: Final = HERE / "broker-sidecar"
REPOSITORY: Final = HERE.parent
COPIED: Final[Mapping[str, str]] = {
    "alerts/rules/*.yaml": "files/rules",
    "alerts/alertmanager/alertmanager.yaml": "files/alertmanager",
    "alerts/alertmanager/templates/*.tmpl": "files/alertmanager/templates",
    "dashboards/json/*.json": "files/dashboards",
}

_EDITOR_KEYS: Final = frozenset({"patternErrorMessage", "description", "default"})
"""What editors show; Helm does not, and every install carries the schema along."""


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    made = {
        CHART / "values.schema.json": json.dumps(values_schema(), indent=2) + "\n",
        CHART / "README.md": readme(),
    }
    for pattern, folder in COPIED.items():
        for source in sorted(REPOSITORY.glob(pattern)):
            made[CHART / folder / source.name] = source.read_text(encoding="utf-8")
    return made


def values_schema() -> dict[str, Any]:
    """The schema of the chart's values, the sidecar's configuration included.

    The configuration's definitions are lifted to the top: references inside an embedded schema are read differently by
    the libraries of older Helm versions.
    """
    schema: dict[str, Any] = yaml.safe_load((HERE / "values.schema.yaml").read_text(encoding="utf-8"))
    own = _for_helm(json_schema())
    definitions = own.pop("$defs")
    del own["$schema"], own["required"]
    # Nothing is configured by default; a template says so better than a schema can.
    del own["properties"]["brokers"]["minProperties"]
    _require(schema, yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")), schema["definitions"])
    schema["definitions"] |= {"sidecar": own, **{f"sidecar{name}": part for name, part in definitions.items()}}
    return schema


def _require(schema: dict[str, Any], defaults: Mapping[str, Any], definitions: Mapping[str, Any]) -> None:
    """Every default has to be there: a null takes it away, and a template could only stumble over that."""
    known = _resolved(schema, definitions).get("properties")
    if not known or not defaults:
        return
    needed = [name for name in defaults if "null" not in _resolved(known[name], definitions).get("type", "")]
    _resolved(schema, definitions)["required"] = needed
    for name, value in defaults.items():
        if isinstance(value, dict):
            _require(known[name], value, definitions)


def _resolved(schema: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = definitions.get(schema["$ref"].rpartition("/")[2], {}) if "$ref" in schema else schema
    return found


def _for_helm(node: Any) -> Any:
    if isinstance(node, list):
        return [_for_helm(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in _plainly(node).items():
        if key == "properties":
            # Here the keys are the configuration's own, and one of them may be called `description`.
            kept[key] = {name: _for_helm(part) for name, part in value.items()}
        elif key == "$ref":
            kept[key] = value.replace("#/$defs/", "#/definitions/sidecar")
        elif key == "pattern":
            kept[key] = value.replace("[Hh][Tt][Tt][Pp][Ss]?", "https?")
        elif key not in _EDITOR_KEYS:
            kept[key] = _for_helm(value)
    return kept


def _plainly(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A value that may be null, as one type with two names: Helm then tells one mistake instead of three."""
    match node.get("anyOf"):
        case [{"type": str(name)} as one, {"type": "null"}] if "enum" not in one:
            kept = {key: value for key, value in node.items() if key != "anyOf"}
            return {**kept, **one, "type": [name, "null"]}
    return node


def readme() -> str:
    """The chart's page, with the table of its values."""
    template = (HERE / "README.template.md").read_text(encoding="utf-8")
    rows = [f"| `{key}` | `{default}` | {words} |" for key, default, words in documented()]
    return template.replace("{{values}}", "\n".join(["| value | default | what it is |", "| --- | --- | --- |", *rows]))


def documented() -> Iterator[tuple[str, str, str]]:
    """Every value with its default as JSON and the comment above it; the comment is empty where there is none."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    yield from _documented(yaml.compose(text, Loader=yaml.SafeLoader), (), text.splitlines())


def _documented(node: Any, path: tuple[str, ...], lines: list[str]) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        inner = (*path, key.value)
        words = _comment_above(key.start_mark.line, lines)
        block = isinstance(value, yaml.MappingNode) and value.value and not value.flow_style
        if words or not block:
            yield ".".join(inner), _default(value), words
        elif block:
            yield from _documented(value, inner, lines)


def _comment_above(line: int, lines: list[str]) -> str:
    words: list[str] = []
    while line and (found := lines[line - 1].strip()).startswith("# "):
        words.insert(0, found.removeprefix("# "))
        line -= 1
    return " ".join(words).replace("|", r"\|")


def _default(node: Any) -> str:
    loader = yaml.SafeLoader("")
    return json.dumps(loader.construct_document(node))


def main() -> None:
    """Write what has changed, and remove copies whose original has gone."""
    made = files()
    for folder in COPIED.values():
        for old in {path for path in (CHART / folder).glob("*") if path.is_file()} - made.keys():
            old.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
