"""Says where rendered objects do not fit together: names, selectors, mounts, ports, and the sidecar's configuration."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sidecar.config.load import load
from sidecar.config.report import ConfigError
from tests.helm import chart
from tests.helm.chart import Object

_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAMES: Final = {
    "Service": re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"),
    "CronJob": re.compile(r"[a-z0-9]([a-z0-9.-]{0,50}[a-z0-9])?"),
    # Pods and their labels are called after these, and something more.
    "StatefulSet": re.compile(r"[a-z0-9]([a-z0-9.-]{0,50}[a-z0-9])?"),
    "Job": re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?"),
    "Pod": re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?"),
}
_LABEL: Final = re.compile(r"(([A-Za-z0-9][A-Za-z0-9._-]{0,61})?[A-Za-z0-9])?")
_ANNOTATIONS_BYTES: Final = 262_144
"""The most that an object's annotations may hold; `kubectl apply` puts the whole object there."""
_PEM: Final = (
    Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
)


def complaints(objects: list[Object], folder: Path) -> list[str]:
    """Everything that does not fit; `folder` is a place for the configuration's files."""
    found = [_identity(one) for one in objects]
    for one in objects:
        found += [
            _pod(one, pod, objects) for pod in (one, *chart.templates(one)) if "containers" in pod.get("spec", {})
        ]
        found += [_workload(one, pod, objects) for pod in chart.templates(one)]
    found.append(_configuration(objects, folder))
    return list(chain.from_iterable(found))


def _identity(one: Object) -> Iterator[str]:
    kind, name = one["kind"], one["metadata"]["name"]
    if not isinstance(name, str) or not _NAMES.get(kind, _SUBDOMAIN).fullmatch(name):
        yield f"{kind} {name}: this name is not possible"
    for label, value in one["metadata"].get("labels", {}).items():
        if not isinstance(value, str) or not _LABEL.fullmatch(value):
            yield f"{kind} {name}: its label {label} cannot be {value!r}"
    size = len(json.dumps(one, separators=(",", ":")))
    if size > _ANNOTATIONS_BYTES:
        yield f"{kind} {name}: kubectl apply does not take {size} bytes"


def _workload(one: Object, pod: Object, objects: list[Object]) -> Iterator[str]:
    labels = pod["metadata"]["labels"]
    mine = f"{one['kind']} {one['metadata']['name']}"
    own = one["spec"].get("selector", {}).get("matchLabels", {"of a Job": "Kubernetes makes it"})
    if "selector" in one["spec"] and not own.items() <= labels.items():
        yield f"{mine} does not select its own pods"
    if "serviceName" in one["spec"] and one["spec"]["serviceName"] not in _named(objects, "Service"):
        yield f"{mine}: there is no Service {one['spec']['serviceName']}"
    for other in objects:
        if other["kind"] == "Pod" and own.items() <= other["metadata"]["labels"].items():
            yield f"{mine} selects {other['metadata']['name']}, which is not its own"
        selector = _selector(other)
        if selector and not selector.items() <= labels.items():
            yield f"{other['kind']} {other['metadata']['name']} does not find the pods of {mine}"


def _selector(one: Object) -> dict[str, str]:
    spec: dict[str, Any] = one.get("spec", {})
    match one["kind"]:
        case "Service":
            return dict(spec["selector"])
        case "NetworkPolicy":
            return dict(spec["podSelector"]["matchLabels"])
        case "PodMonitor" | "PodDisruptionBudget":
            return dict(spec["selector"]["matchLabels"])
        case _:
            return {}


def _pod(one: Object, pod: Object, objects: list[Object]) -> Iterator[str]:
    spec = pod["spec"]
    claims = [claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])]
    volumes = [*claims, *(volume["name"] for volume in spec["volumes"])]
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    ports = [port for container in containers for port in container.get("ports", [])]
    yield from _twice("volume", volumes)
    yield from _twice("container", [container["name"] for container in containers])
    yield from _twice("port", [port["containerPort"] for port in ports])
    for container in containers:
        yield from _container(container, volumes)
    for volume in spec["volumes"]:
        name = volume.get("configMap", {}).get("name")
        if name is not None and name not in _named(objects, "ConfigMap"):
            yield f"{one['kind']}: there is no ConfigMap {name}"
    needed = spec.get("terminationGracePeriodSeconds", 30)
    pause = re.findall(r"time\.sleep\((\d+)\)", json.dumps([one.get("lifecycle") for one in containers]))
    if any(int(seconds) >= needed for seconds in pause):
        yield f"{one['kind']}: killed {needed} s after SIGTERM, and a container waits as long before it gets one"


def _container(container: Object, volumes: Sequence[str]) -> Iterator[str]:
    mine = container["name"]
    mounts = container.get("volumeMounts", [])
    yield from _twice(f"variable of {mine}", [variable["name"] for variable in container.get("env", [])])
    yield from _twice(f"mount of {mine}", [mount["mountPath"] for mount in mounts])
    yield from (
        f"{mine} mounts {mount['name']}, which is no volume" for mount in mounts if mount["name"] not in volumes
    )
    ports = [port.get("name") for port in container.get("ports", [])]
    for probe in (key for key in container if key.endswith("Probe")):
        asked = container[probe].get("httpGet", {}).get("port")
        if isinstance(asked, str) and asked not in ports:
            yield f"the {probe} of {mine} asks at {asked}, which is no port"


def _twice(what: str, names: Sequence[object]) -> Iterator[str]:
    yield from (
        f"there are two of {what} {name}" for name in sorted({str(name) for name in names if names.count(name) > 1})
    )


def _named(objects: list[Object], kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in objects if one["kind"] == kind}


def _configuration(objects: list[Object], folder: Path) -> Iterator[str]:
    """What the sidecar itself says of its configuration, whose folders and Secrets are made here."""
    text = chart.only(objects, "ConfigMap", "-config")["data"]["sidecar.yaml"]
    for root in ("/etc/sidecar-secrets", "/run/sidecar", "/var/lib/sidecar"):
        text = text.replace(root, f"{folder}{root}")
        (folder / root[1:]).mkdir(parents=True, exist_ok=True)
    for file in map(Path, re.findall(r"_file: (\S+)", text)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_PEM if "private" in file.name else "a-secret-of-the-users")
    (folder / "sidecar.yaml").write_text(text)
    try:
        load(folder / "sidecar.yaml", {})
    except ConfigError as wrong:
        yield str(wrong)
