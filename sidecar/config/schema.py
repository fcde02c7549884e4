"""The configuration's JSON Schema, for editors: `python -m sidecar.config.schema` writes the committed file."""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from sidecar.config.forms import WORDS
from sidecar.config.model import Config

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FILE: Final = Path("schema/sidecar.schema.json")


@cache
def json_schema() -> dict[str, Any]:
    """The schema as editors should see it: no invented titles, and words beside every pattern."""
    schema = _tidy(Config.model_json_schema())
    return {"$schema": DIALECT, "title": "broker-sidecar configuration", **schema}


def text() -> str:
    """The schema as it is committed."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _tidy(node: Any) -> Any:
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if isinstance(tidy.get("default"), dict):
        # A whole section as the default hides the text of the section's own keys.
        del tidy["default"]
    if pattern := tidy.get("pattern"):
        tidy["patternErrorMessage"] = f"must be {WORDS[pattern]}"
    if names := tidy.get("patternProperties"):
        (pattern,) = names
        tidy["propertyNames"] = {"pattern": pattern, "patternErrorMessage": f"must be {WORDS[pattern]}"}
        tidy["additionalProperties"] = False
    return tidy


def main() -> None:
    """Write the schema to the file named, or to `schema/sidecar.schema.json` in the current folder."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
