"""The pages that a person opens at night, taken apart."""

import re
from pathlib import Path
from typing import Final

from tests.alerts.promtool import ALERTS

RUNBOOKS: Final = sorted((ALERTS / "runbooks").glob("*.md"))

_BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def expressions(page: Path) -> list[str]:
    """The PromQL of a page."""
    return [text.strip() for language, text in _BLOCK.findall(page.read_text()) if language == "promql"]


def commands(page: Path) -> list[str]:
    """The commands of a page, without their prompt."""
    blocks = [text for language, text in _BLOCK.findall(page.read_text()) if language == "console"]
    return [line.strip().removeprefix("$ ") for text in blocks for line in text.splitlines()]
