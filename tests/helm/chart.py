"""Renders the chart with the real Helm."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from helm.generate import CHART

Values = Mapping[str, Any]
Object = dict[str, Any]

MINIMAL: Values = {
    "bot": {"image": {"repository": "example.com/bot", "tag": "1"}},
    "config": {"brokers": {"binance": {"profile": "binance-usdm", "base_url": "https://fapi.binance.com"}}},
}
"""What has to be given."""
NEWEST = "1.37.0"
NAMESPACE = "trading"
PLACE = ("--namespace", NAMESPACE, "--kube-version", NEWEST)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The dashboards are long."""


class Refused(Exception):
    """Raised when Helm renders nothing; holds its words."""


@cache
def binary() -> str:
    """The Helm that `scripts/setup test` has installed."""
    found = shutil.which("helm", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert found is not None, "helm is not installed: scripts/setup test installs it"
    return found


def run(*arguments: str, values: str | None = None) -> str:
    """Run Helm to its end, with values in JSON; returns its standard output. Raises `Refused`."""
    given = () if values is None else ("--values", "-")
    done = subprocess.run(  # noqa: S603 - the real thing is what is wanted
        [binary(), *arguments, *given],
        input=values,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def text(*values: Values, kubernetes: str = NEWEST, chart: Path = CHART, release: str = "demo") -> str:
    """What the chart renders with these values, the later ones before the earlier ones."""
    return _rendered(json.dumps(merged(*values)), kubernetes, chart, release)


@cache
def _rendered(values: str, kubernetes: str, chart: Path, release: str) -> str:
    place = (*PLACE[:-1], kubernetes)
    return run("template", release, str(chart), *place, values=values)


def render(*values: Values, kubernetes: str = NEWEST, chart: Path = CHART, release: str = "demo") -> list[Object]:
    """The same as objects."""
    rendered = text(*values, kubernetes=kubernetes, chart=chart, release=release)
    return [document for document in yaml.load_all(rendered, Loader=_LOADER) if document]


def refusal(*values: Values, kubernetes: str = NEWEST, release: str = "demo") -> str:
    """Why the chart renders nothing."""
    try:
        text(*values, kubernetes=kubernetes, release=release)
    except Refused as refused:
        return str(refused)
    raise AssertionError("the chart took these values")


def merged(*values: Values) -> dict[str, Any]:
    """Values put over one another, key by key, as Helm does with several files."""
    result: dict[str, Any] = {}
    for one in values:
        for key, value in one.items():
            inner = result.get(key)
            result[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return result


def only(objects: list[Object], kind: str, ending: str = "") -> Object:
    """The one object of this kind whose name ends so."""
    (found,) = (one for one in objects if one["kind"] == kind and one["metadata"]["name"].endswith(ending))
    return found


def kinds(objects: list[Object]) -> set[str]:
    """Which kinds of objects there are, but for the pod and script of `helm test`."""
    return {one["kind"] for one in objects if not is_test(one)}


def is_test(one: Object) -> bool:
    """Whether only `helm test` makes this object."""
    return bool(one["metadata"].get("annotations", {}).get("helm.sh/hook") == "test")


def pod(objects: list[Object]) -> Object:
    """The pod template of the only workload."""
    (found,) = (template for one in objects if not is_test(one) for template in templates(one))
    return found


def sidecar(objects: list[Object]) -> Object:
    """The sidecar's container in it."""
    spec = pod(objects)["spec"]
    (found,) = (one for one in spec.get("initContainers", []) + spec["containers"] if one["name"] == "broker-sidecar")
    container: Object = found
    return container


def configuration(objects: list[Object]) -> dict[str, Any]:
    """The sidecar's configuration."""
    loaded: dict[str, Any] = yaml.safe_load(only(objects, "ConfigMap", "-config")["data"]["sidecar.yaml"])
    return loaded


def templates(one: Object) -> Iterator[Object]:
    """The pod template of a workload; nothing of another object."""
    spec = one.get("spec", {})
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    if template is not None:
        yield template
