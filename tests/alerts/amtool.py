"""Alertmanager's own tool, asked about the shipped configuration."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tests.alerts.promtool import ALERTS
from tests.e2e.prometheus import binary

FOLDER: Final = ALERTS / "alertmanager"
CONFIG: Final = FOLDER / "alertmanager.yaml"
CHANNELS: Final = {file.stem: file for file in sorted((FOLDER / "channels").glob("*.yaml"))}


def amtool(*arguments: str) -> str:
    """Run amtool; what it says is the answer, or the failure."""
    done = subprocess.run(  # noqa: S603 - the real judge
        [binary("amtool"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def config() -> dict[str, Any]:
    """The shipped configuration."""
    found: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return found


def channel(name: str) -> dict[str, list[dict[str, Any]]]:
    """The block of a further channel, as it is put into a receiver."""
    found: dict[str, list[dict[str, Any]]] = yaml.safe_load(CHANNELS[name].read_text())
    return found


def receivers(labels: Mapping[str, str]) -> list[str]:
    """Who hears of an alert with these labels, in the routes' order."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    return amtool("config", "routes", "test", f"--config.file={CONFIG}", *pairs).strip().split(",")


def render(folder: Path, text: str, alerts: Sequence[Mapping[str, Any]], *, html: bool = False) -> str:
    """What a text of a receiver becomes for a group of alerts."""
    data = folder / "data.json"
    data.write_text(json.dumps(_message(alerts)))
    return amtool(
        "template",
        "render",
        f"--template.glob={FOLDER}/templates/*.tmpl",
        f"--template.data={data}",
        f"--template.type={'html' if html else 'text'}",
        f"--template.text={text}",
    )


def _message(alerts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    firing = any(alert["status"] == "firing" for alert in alerts)
    labels = [set(alert["labels"].items()) for alert in alerts]
    return {
        "receiver": "chat",
        "status": "firing" if firing else "resolved",
        "alerts": list(alerts),
        "groupLabels": {},
        "commonLabels": dict(set.intersection(*labels)),
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example",
    }
