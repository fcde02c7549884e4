"""A real Prometheus finds the played pod as the rendered monitors say, and `helm test` asks it."""

import json
import runpy
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from helm.generate import CHART
from sidecar.config.load import load
from tests.e2e.prometheus import Prometheus
from tests.e2e.stack import KEY, SECRET, Simulated, free_port
from tests.helm import chart, discovery
from tests.helm.chart import Object, Values
from tests.helm.examples import example
from tests.helm.kubelet import Pod

pytestmark = pytest.mark.e2e

PROMETHEUS = "prometheus.monitoring:9090"
ASKED: Values = {"tests": {"prometheusUrl": f"http://{PROMETHEUS}", "waitSeconds": 20}}
BOT, CHECK = "127.0.0.2", "127.0.0.3"
"""The pods' addresses: all of 127.0.0.0/8 is this machine."""


@dataclass(frozen=True)
class Cluster:
    """A bot's pod, and a Prometheus that watches it by the chart's monitors and rules."""

    objects: list[Object]
    pod: Pod
    prometheus: Prometheus

    def test(self, folder: Path, **plan: Any) -> tuple[int, str]:
        """The status and the words of `helm test`, whose plan may be changed."""
        places = discovery.places(self.objects, CHECK) | discovery.service(self.objects, BOT)
        at = self.prometheus.url.removeprefix("http://")
        return helm_test(self.objects, folder, places | {PROMETHEUS: at}, **plan)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        binance = Simulated("binance", folder)
        stack.callback(binance.child.stop)
        values = example("ccxt-bot", "binance", binance.url)
        objects = chart.render(values, ASKED)
        by_service = chart.render(values, {"monitoring": {"kind": "ServiceMonitor"}})
        secrets = {"binance": {"key": KEY, "secret": SECRET}}
        idle = {"bot": [sys.executable, "-c", "import signal; signal.pause()"]}
        pod = stack.enter_context(Pod(objects, folder / "pod", idle, secrets, places=discovery.places(objects, BOT)))
        jobs = [discovery.job(objects, "PodMonitor", BOT), discovery.job(by_service, "ServiceMonitor", BOT)]
        rules = discovery.rules(objects, folder / "rules")
        prometheus = stack.enter_context(Prometheus.scraping(folder, [], rules, jobs=jobs))
        prometheus.until("up == 1", lambda found: len(found) == len(jobs))
        yield Cluster(objects, pod, prometheus)


@pytest.mark.parametrize(
    ("job", "more"),
    [("trading/demo-broker-sidecar", {}), ("demo-broker-sidecar", {"service": "demo-broker-sidecar"})],
    ids=["pods", "service"],
)
def test_each_monitor_makes_the_labels_that_rules_and_dashboards_go_by(
    cluster: Cluster, job: str, more: dict[str, str]
) -> None:
    (up,) = cluster.prometheus.until(f'up{{job="{job}"}} == 1')
    del up.labels["__name__"], up.labels["instance"]
    assert (
        up.labels
        == {
            "job": job,
            "namespace": "trading",
            "pod": "demo-0",
            "container": "broker-sidecar",
            "endpoint": "sidecar-scrape",
            "bot": "ether",
            "broker_sidecar": "expected",
        }
        | more
    )


def test_the_sidecar_and_the_monitor_call_the_bot_the_same(cluster: Cluster) -> None:
    told = cluster.prometheus.until("sidecar_info")
    assert {one.labels["bot"] for one in told} == {"ether"}
    assert [one.labels for one in told if "exported_bot" in one.labels] == []


def test_the_rules_know_whose_series_they_are(cluster: Cluster) -> None:
    cluster.prometheus.until('instance:sidecar_bot:info{namespace="trading",bot="ether"}')
    cluster.prometheus.until('ALERTS{alertname="SidecarWatchdog",alertstate="firing"}')
    cluster.prometheus.until('absent(ALERTS{alertname="SidecarAbsent"})')


def test_helm_test_asks_the_service_and_prometheus_and_finds_all_well(cluster: Cluster, place: Path) -> None:
    status, told = cluster.test(place)
    alerts = [rule for one in cluster.objects if one["kind"] == "PrometheusRule" for rule in _alerts(one)]
    port = chart.sidecar(cluster.objects)["ports"][0]["containerPort"]
    assert "ok    socket: it takes calls at its socket" in told
    assert "ok    broker binance: GET /fapi/v1/ping: ok; attempts=1" in told
    assert f"ok    scrape: http://{CHECK}:{port}/metrics shows " in told
    assert f"ok    scrape: http://{BOT}:{port}/metrics shows " in told
    assert "ok    prometheus: up for " in told
    assert f"ok    rules: {len(alerts)} alerts, such as Sidecar" in told
    assert "FAIL" not in told
    assert status == 0


def test_helm_test_tells_what_is_not_well(cluster: Cluster, place: Path) -> None:
    nobody = example("ccxt-bot", "binance", f"http://127.0.0.1:{free_port()}", retry={"attempts": 1})
    other = replace(cluster, objects=chart.render(nobody, ASKED, {"bot": {"name": "another"}}))
    status, told = other.test(place, wait_seconds=0)
    assert "FAIL  broker binance: GET /fapi/v1/ping: transient;" in told
    assert "FAIL  scrape: <urlopen error " in told
    assert "FAIL  prometheus: Prometheus knows none; see monitoring.additionalLabels" in told
    assert "ok    rules: " in told
    assert status == 1


def test_helm_test_pages_nobody(tmp_path: Path) -> None:
    check = runpy.run_path(str(CHART / "files/check.py"))
    file = tmp_path / "sidecar.yaml"
    broker = "brokers: {paper: {profile: generic, base_url: http://127.0.0.1:9}}"
    file.write_text(f"alerting: {{alertmanager: {{url: http://am:9093}}}}\n{broker}")
    secret = {"SIDECAR_ALERTING__CHANNELS__ON_CALL__URL": "json://on-call.example/x"}
    assert load(file, secret).alerting.channels["on_call"].enabled
    alerting = load(file, secret | check["quiet"](load(file, secret))).alerting
    assert alerting.alertmanager.url == ()
    assert not alerting.channels["on_call"].enabled


def test_a_pod_that_has_gone_is_missed(cluster: Cluster) -> None:
    """The last one: nothing is left after it."""
    assert cluster.pod.delete() == {"broker-sidecar": 0, "bot": -15}
    (absent,) = cluster.prometheus.until('ALERTS{alertname="SidecarAbsent",alertstate="pending"}')
    assert (absent.labels["namespace"], absent.labels["bot"]) == ("trading", "ether")


def helm_test(objects: list[Object], folder: Path, places: Mapping[str, str], **changed: Any) -> tuple[int, str]:
    """Play the pod of `helm test`; its exit status and what it says. `changed` are keys of its plan."""
    plan = chart.only(objects, "ConfigMap", "-test")
    changes = {"plan.json": json.dumps(json.loads(plan["data"]["plan.json"]) | changed)}
    others = [one for one in objects if one is not plan]
    template = chart.only(objects, "Pod", "-test")
    container = template["spec"]["containers"][0]
    python, *container["args"] = container.pop("command", ["python", *container.get("args", [])])
    assert python == "python"
    commands = {container["name"]: [sys.executable]}
    with Pod(
        [*others, plan | {"data": plan["data"] | changes}], folder / "pod", commands, template=template, places=places
    ) as pod:
        status = pod.wait("check")
    return status, pod["check"].log


def _alerts(one: Object) -> list[str]:
    return [rule["alert"] for group in one["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
