"""What a cluster makes of the rendered objects: how Prometheus finds the pod, and where a Service leads.

The labels are those that the operator makes of a monitor and a pod: its documentation, "PodMonitor", "ServiceMonitor".
"""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.prometheus import SCRAPE_SECONDS
from tests.helm import chart
from tests.helm.chart import NAMESPACE, Object
from tests.helm.kubelet import NAME


def places(objects: list[Object], address: str) -> dict[str, str]:
    """The pod's own addresses, and that of its Service, at an address of this machine that only this pod has."""
    listen = chart.configuration(objects)["listen"]["tcp"]
    ports = [_scrape_port(objects), int(listen.rpartition(":")[2])]
    hosts = (chart.configuration(objects)["scrape"]["address"].rpartition(":")[0], "127.0.0.1")
    own = {f"{host}:{port}": f"{address}:{port}" for host in hosts for port in ports}
    return own | service(objects, address)


def service(objects: list[Object], address: str) -> dict[str, str]:
    """Where the Service's name and port lead: to the pod, if its selector and port are right."""
    found = chart.only(objects, "Service")
    assert found["spec"]["selector"].items() <= chart.pod(objects)["metadata"]["labels"].items()
    (port,) = found["spec"]["ports"]
    return {f"{found['metadata']['name']}:{port['port']}": f"{address}:{port['targetPort']}"}


def job(objects: list[Object], kind: str, address: str) -> dict[str, Any]:
    """The scrape configuration that a PodMonitor or ServiceMonitor becomes, with the pod as its only target."""
    monitor = chart.only(objects, kind)
    spec = monitor["spec"]
    labels = chart.pod(objects)["metadata"]["labels"]
    named = f"{NAMESPACE}/{monitor['metadata']['name']}"
    found = labels
    if kind == "ServiceMonitor":
        found = chart.only(objects, "Service")["metadata"]["labels"]
        named = chart.only(objects, "Service")["metadata"]["name"]
    assert spec["selector"]["matchLabels"].items() <= found.items()
    (endpoint,) = spec["podMetricsEndpoints" if kind == "PodMonitor" else "endpoints"]
    (port,) = (one for one in chart.sidecar(objects)["ports"] if one["name"] == endpoint["port"])
    target = {
        "job": named,
        "namespace": NAMESPACE,
        "pod": NAME,
        "container": chart.sidecar(objects)["name"],
        "endpoint": endpoint["port"],
        **{re.sub(r"\W", "_", name): labels[name] for name in spec["podTargetLabels"] if name in labels},
    }
    if kind == "ServiceMonitor":
        target["service"] = named
    return {
        "job_name": f"{kind}/{named}",
        "honor_labels": endpoint["honorLabels"],
        "metrics_path": endpoint["path"],
        "static_configs": [{"targets": [f"{address}:{port['containerPort']}"], "labels": target}],
    }


def rules(objects: list[Object], folder: Path) -> Path:
    """A folder with each PrometheusRule as the operator mounts it, evaluated without half a minute's wait."""
    folder.mkdir()
    for one in objects:
        if one["kind"] == "PrometheusRule":
            groups = [group | {"interval": f"{SCRAPE_SECONDS * 1000:.0f}ms"} for group in one["spec"]["groups"]]
            (folder / f"{one['metadata']['name']}.yaml").write_text(yaml.safe_dump({"groups": groups}))
    return folder


def _scrape_port(objects: list[Object]) -> int:
    (port,) = chart.sidecar(objects)["ports"]
    return int(port["containerPort"])
