"""Prometheus's own test of rules, fed from tables: what an alert hears, when it must fire, what it must say."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.e2e.prometheus import binary

ALERTS: Final = Path(__file__).parents[2] / "alerts"
RULES: Final = sorted((ALERTS / "rules").glob("*.yaml"))
RECORDING: Final = "sidecar-recording"
RUNBOOKS: Final = "https://runbooks.example/broker-sidecar"

BOT: Final = {"namespace": "desk", "bot": "momentum"}
BROKER: Final = {**BOT, "broker": "binance"}
TARGET: Final = 'job="sidecar",namespace="desk",instance="10.0.0.1:9464"'
INFO: Final = f'sidecar_info{{{TARGET},version="1.0",bot="momentum"}}'


@dataclass(frozen=True)
class Case:
    """One alert's life. Times are in minutes; a sample comes each minute."""

    alert: str
    severity: str
    error_type: str
    hears: Mapping[str, str]
    """Series and their values, as promtool writes them."""
    fires: int
    """The first minute at which it fires; it must be silent a minute before."""
    ends: int
    """A minute at which it is silent again."""
    summary: str
    description: str
    action: str
    labels: Mapping[str, str] = field(default_factory=lambda: BROKER)

    @property
    def told(self) -> dict[str, Any]:
        """The alert as Prometheus must send it."""
        return {
            "exp_labels": {**self.labels, "severity": self.severity, "error_type": self.error_type},
            "exp_annotations": {
                "summary": self.summary,
                "description": self.description,
                "action": self.action,
                "runbook_url": f"{RUNBOOKS}/{self.alert}.md",
            },
        }

    @property
    def expectations(self) -> list[dict[str, Any]]:
        """What must be true a step before, at the step, and when it is over."""
        return [
            at(self.fires - 1, self.alert),
            at(self.fires, self.alert, self.told),
            at(self.ends, self.alert),
        ]


def at(minute: int, alert: str, *told: dict[str, Any]) -> dict[str, Any]:
    """Exactly these alerts of a name fire at a minute; none when none is given."""
    return {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": list(told)}


def series(name: str, **labels: str) -> str:
    """A series of the sidecar of `BOT`, at `binance` unless told otherwise; an empty label is none."""
    pairs = "".join(f',{label}="{value}"' for label, value in ({"broker": "binance"} | labels).items() if value)
    return f"{name}{{{TARGET}{pairs}}}"


def own(name: str, **labels: str) -> str:
    """A series that belongs to no broker."""
    return series(name, broker="", **labels)


def once(minute: int, size: int = 1) -> str:
    """A counter, born at 0, that grows at one minute."""
    return f"0x{minute - 1} {size}x600"


def during(first: int, last: int, value: float = 1, otherwise: float = 0) -> str:
    """A gauge with a value from one minute to another, both included."""
    return f"{otherwise}x{first - 1} {value}x{last - first} {otherwise}x600"


def run(folder: Path, hears: Mapping[str, str], expectations: list[dict[str, Any]], *, info: bool = True) -> None:
    """Let promtool hold the rules against the expectations; its own words are the failure.

    The sidecar of `BOT` has said who it is, unless `info` is False.
    """
    names = {expected["alertname"] for expected in expectations}
    files = [file for file in RULES if file.stem == "recording" or names & named(file)]
    inputs = ({INFO: "1x6000"} if info else {}) | dict(hears)
    file = folder / "test.yaml"
    tests = {
        "rule_files": [str(file) for file in files],
        # Without an order promtool takes any; Prometheus is at most one evaluation late when it takes the other.
        "group_eval_order": sorted(groups(*files), key=lambda name: name != RECORDING),
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in inputs.items()],
                "alert_rule_test": expectations,
            }
        ],
    }
    file.write_text(yaml.safe_dump(tests))
    promtool("test", "rules", str(file))


def promtool(*arguments: str) -> None:
    """Run promtool; its own words are the failure."""
    done = subprocess.run(  # noqa: S603 - the real judge
        [binary("promtool"), *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@contextmanager
def firing(alert: str) -> Iterator[None]:
    """What is run inside expects silence, and hears this alert: the proof that the silence elsewhere is not empty."""
    with pytest.raises(AssertionError, match=rf'alertname="{alert}"'):
        yield


def groups(*files: Path) -> dict[str, list[dict[str, Any]]]:
    """The rules by their group, of some files or of all."""
    documents = (yaml.safe_load(file.read_text()) for file in files or RULES)
    return {group["name"]: group["rules"] for document in documents for group in document["groups"]}


def named(file: Path) -> set[str]:
    """The alerts of a file."""
    return {rule["alert"] for listed in groups(file).values() for rule in listed if "alert" in rule}


def rules() -> list[dict[str, Any]]:
    """Every rule."""
    return [rule for listed in groups().values() for rule in listed]


def alerts() -> list[dict[str, Any]]:
    """The rules that are alerts."""
    return [rule for rule in rules() if "alert" in rule]
