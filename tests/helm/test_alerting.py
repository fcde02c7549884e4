"""Rules and routes, as the chart renders them, are taken by Prometheus and Alertmanager and lead to the right phone."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm.generate import REPOSITORY
from tests.helm import chart
from tests.helm.cases import EVERYTHING, case
from tests.helm.chart import MINIMAL

pytestmark = pytest.mark.e2e


def tool(name: str, *arguments: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is not installed: scripts/setup test installs it"
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - see above
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_every_rule(tmp_path: Path) -> None:
    rules = [one for one in chart.render(MINIMAL, EVERYTHING) if one["kind"] == "PrometheusRule"]
    assert len(rules) == len(list(REPOSITORY.glob("alerts/rules/*.yaml"))) > 0
    for one in rules:
        (tmp_path / f"{one['metadata']['name']}.yaml").write_text(yaml.safe_dump(one["spec"]))
    tool("promtool", "check", "rules", *(str(file) for file in tmp_path.iterdir()))


def test_promtool_takes_every_rule_without_the_operator(tmp_path: Path) -> None:
    data = chart.only(
        chart.render(MINIMAL, {"rules": {"kind": "ConfigMap", "runbookUrl": "https://w"}}), "ConfigMap", "-rules"
    )
    assert data["data"].keys() == {file.name for file in REPOSITORY.glob("alerts/rules/*.yaml")}
    for name, text in data["data"].items():
        (tmp_path / name).write_text(text)
        assert "runbooks.example" not in text
    tool("promtool", "check", "rules", *(str(file) for file in tmp_path.iterdir()))


ROUTED = [
    ("everything", "critical", "page,chat"),
    ("everything", "error", "chat"),
    ("everything", "warning", "nobody"),
    ("everything", "info", "nobody"),
    ("slack-only", "critical", "chat"),
    ("pagerduty-only", "critical", "page"),
    ("pagerduty-only", "error", "nobody"),
]
"""Values, an alert's severity, and who is told."""


@pytest.mark.parametrize(("name", "severity", "told"), ROUTED)
def test_amtool_takes_the_operators_routes_and_finds_who_is_told(
    name: str, severity: str, told: str, tmp_path: Path
) -> None:
    config = chart.only(chart.render(case(name)), "AlertmanagerConfig")
    file = tmp_path / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(as_alertmanager_reads_it(config["spec"])))
    tool("amtool", "check-config", str(file))
    assert routed(file, f"severity={severity}", "namespace=trading") == told


def test_the_operators_routes_leave_other_namespaces_alone(tmp_path: Path) -> None:
    config = chart.only(chart.render(case("everything")), "AlertmanagerConfig")
    file = tmp_path / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(as_alertmanager_reads_it(config["spec"])))
    assert routed(file, "severity=critical", "namespace=elsewhere") == "nobody"


@pytest.mark.parametrize(("name", "severity", "told"), ROUTED)
def test_amtool_takes_the_plain_routes_and_finds_who_is_told(
    name: str, severity: str, told: str, tmp_path: Path
) -> None:
    file = mounted(name, tmp_path)
    tool("amtool", "check-config", str(file))
    assert routed(file, f"severity={severity}").replace("chat-critical", "chat") == told


def test_the_watchdog_has_a_route_of_its_own_in_the_plain_configuration(tmp_path: Path) -> None:
    assert routed(mounted("everything", tmp_path), "severity=info", alert="SidecarWatchdog") == "watchdog"


def test_the_plain_configuration_names_the_users_own_places(tmp_path: Path) -> None:
    config = yaml.safe_load(mounted("everything", tmp_path).read_text())
    assert config["global"]["slack_api_url_file"] == "/secrets/slack/url"
    receivers = {receiver["name"]: receiver for receiver in config["receivers"]}
    assert receivers["page"]["pagerduty_configs"][0]["routing_key_file"] == "/secrets/pagerduty/routing-key"
    assert receivers["chat"]["slack_configs"][0]["channel"] == "#trading"
    messages = (tmp_path / "sidecar.tmpl").read_text()
    assert "https://grafana.desk.example/d/" not in messages
    assert '{{ define "sidecar.grafana" }}https://grafana.desk.example{{ end }}' in messages
    assert "https://wiki.example.com/runbooks/{{ .Labels.alertname }}.md" in messages


def test_who_is_not_to_be_told_needs_no_secret(tmp_path: Path) -> None:
    text = mounted("pagerduty-only", tmp_path).read_text()
    assert "slack" not in text
    assert "pagerduty_configs" in text


def mounted(name: str, folder: Path) -> Path:
    """The rendered ConfigMap as Alertmanager sees it, mounted into a folder of this machine's; its configuration."""
    for file, text in chart.only(chart.render(case(name)), "ConfigMap", "-alertmanager")["data"].items():
        (folder / file).write_text(text.replace("/etc/alertmanager/templates/", f"{folder}/"))
    return folder / "alertmanager.yaml"


def routed(file: Path, *labels: str, alert: str = "SidecarBanned") -> str:
    """The receivers of an alert with these labels."""
    arguments = ["config", "routes", "test", f"--config.file={file}", f"alertname={alert}", *labels]
    return tool("amtool", *arguments).strip()


def as_alertmanager_reads_it(spec: dict[str, Any]) -> dict[str, Any]:
    """The operator's form in Alertmanager's own: its keys, its matchers, and a value for each reference.

    The operator puts the route below a root of its own, with the namespace as a further matcher.
    """
    plain: dict[str, Any] = _plain(spec)
    plain["route"]["matchers"].append('namespace="trading"')
    return plain | {"route": {"receiver": "nobody", "routes": [plain["route"] | {"continue": True}]}}


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {re.sub(r"(?<!^)([A-Z]+)", r"_\1", key).lower(): _plain(value) for key, value in node.items()}
    if "matchers" in node:
        made["matchers"] = [f'{one["name"]}{one["matchType"]}"{one["value"]}"' for one in node["matchers"]]
    if "details" in node:
        made["details"] = {one["key"]: one["value"] for one in node["details"]}
    for reference, value in (("routing_key", "a-key"), ("api_url", "https://hooks.example/x")):
        if reference in made:
            made[reference] = value
    return made
