"""Values that make no sense are refused, in words that say which ones and what would be right."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from sidecar.config.model.broker import ProfileName
from tests.config.support import problems_of
from tests.helm import chart
from tests.helm.cases import QUIET
from tests.helm.chart import MINIMAL, Values

KEYS = {"secretName": "b", "items": {"key": "k", "secret": "s"}}
CLAIM = {"state": {"kind": "persistentVolumeClaim"}}

CONTRADICTIONS: dict[str, tuple[Values, str]] = {
    "no image": ({"bot": {"image": {"repository": ""}}}, "bot.image.repository: is missing"),
    "no tag": ({"bot": {"image": {"tag": ""}}}, "bot.image: neither tag nor digest is given"),
    "no schedule": ({"workload": {"kind": "CronJob"}}, "workload.schedule: is missing"),
    "classic Job": ({"workload": {"kind": "Job"}, "sidecar": {"mode": "classic"}}, "the Job would never complete"),
    "pods that share a file": (CLAIM | {"workload": {"replicas": 2}}, "2 pods cannot share one state file"),
    "rolling with a claim": (CLAIM | {"workload": {"strategy": "RollingUpdate"}}, "use Recreate"),
    "runs that share a file": (
        CLAIM | {"workload": {"kind": "CronJob", "schedule": "* * * * *", "concurrencyPolicy": "Replace"}},
        "two runs cannot share one state file",
    ),
    "a claim without a name": ({"state": {"kind": "existingClaim"}}, "state.existingClaim: is missing"),
    "a claim that is not used": ({"state": {"existingClaim": "x"}}, "set state.kind: existingClaim"),
    "the chart's own key": ({"config": {"state": {"path": "/x"}}}, "config.state.path: the chart sets it; use state"),
    "the bot's name twice": ({"config": {"bot": "x"}}, "config.bot: the chart sets it; use bot.name"),
    "keys without a broker": (
        {"credentials": {"kraken": KEYS | {"use": "lookup"}}},
        "there is no config.brokers.kraken; one of binance",
    ),
    "keys without a token": ({"credentials": {"binance": KEYS}}, "could trade with these keys by TCP"),
    "a written secret": (
        {"config": {"brokers": {"binance": {"credentials": {"secret": "hush"}}}}},
        "config.brokers.binance.credentials.secret: a secret does not belong into values",
    ),
    "a written secret in the environment": (
        {"sidecar": {"env": [{"name": "SIDECAR_BROKERS__BINANCE__CREDENTIALS__KEY", "value": "hush"}]}},
        "is written out; take it from a Secret by valueFrom",
    ),
    "one port twice": ({"config": {"listen": {"tcp": "127.0.0.1:9464"}}}, "sidecar.scrape.port: is config.listen.tcp"),
    "a monitor without its service": (
        {"monitoring": {"kind": "ServiceMonitor"}, "service": {"enabled": False}},
        "a ServiceMonitor needs the Service",
    ),
    "a set without its service": (
        {"workload": {"kind": "StatefulSet"}, "service": {"enabled": False}},
        "a StatefulSet needs the Service",
    ),
    "a budget of both": (
        {"podDisruptionBudget": {"enabled": True, "minAvailable": 1, "maxUnavailable": 1}},
        "give minAvailable or maxUnavailable",
    ),
    "a budget of nothing": ({"podDisruptionBudget": {"enabled": True}}, "give minAvailable or maxUnavailable"),
    "a budget for a Job": (
        {"workload": {"kind": "Job"}, "podDisruptionBudget": {"enabled": True, "minAvailable": 1}},
        "podDisruptionBudget: says nothing to a Job",
    ),
    "nobody to tell": ({"alertmanager": {"enabled": True}}, "alertmanager: nobody would be told"),
    "nobody to tell by hand": (
        {"alertmanager": {"fragment": {"enabled": True}}},
        "alertmanager: nobody would be told",
    ),
    "a claim a pod of a Deployment": (
        {"state": {"kind": "volumeClaimTemplates"}},
        "state.kind: only a StatefulSet has a claim a pod, and workload.kind is Deployment; use persistentVolumeClaim",
    ),
    "a set that shares a file": (
        {
            "workload": {"kind": "StatefulSet", "replicas": 2},
            "state": {"kind": "existingClaim", "existingClaim": "books"},
        },
        "2 pods cannot share one state file",
    ),
    "too short a stop for its budget": (
        {"config": {"stop": {"budget_seconds": 10.5}}},
        "config.stop.budget_seconds is 10.5: the sidecar would be killed while it ends; give 12 or more",
    ),
    "the pod's own key": ({"pod": {"spec": {"tolerations": []}}}, "pod.spec.tolerations: the chart sets it; use pod."),
    "the workload's own key": ({"workload": {"spec": {"replicas": 2}}}, "workload.spec.replicas: the chart sets it"),
    "the chart's own label": ({"commonLabels": {"bot": "x"}}, "commonLabels.bot: the chart sets it"),
    "a written channel": (
        {"config": {"alerting": {"channels": {"on_call": {"url": "json://hush"}}}}},
        "into sidecar.env as SIDECAR_ALERTING__CHANNELS__ON_CALL__URL",
    ),
    "a written channel in the environment": (
        {"sidecar": {"env": [{"name": "SIDECAR_ALERTING__CHANNELS__CHAT__URL", "value": "json://hush"}]}},
        "is written out; take it from a Secret by valueFrom",
    ),
    "a condition that is not there": ({"enabled": False}, "give the dependency in your Chart.yaml condition: broker-s"),
    "the pod label of the chart's own": (
        {"pod": {"labels": {"bot": "x"}}},
        "pod.labels.bot: the chart sets it; use bot.name",
    ),
    "no image of the sidecar's": ({"sidecar": {"image": {"repository": ""}}}, "sidecar.image.repository: is missing"),
    "the sidecar's port for the bot": (
        {"bot": {"ports": [{"containerPort": 9464}]}},
        "bot.ports: 9464, is the sidecar's; give the bot another, or the sidecar by sidecar.scrape.port",
    ),
    "a mount of nothing": (
        {"bot": {"volumeMounts": [{"name": "models", "mountPath": "/models"}]}},
        "bot.volumeMounts: there is no volume models; add it to pod.volumes",
    ),
    "two containers of one name": (
        {"pod": {"containers": [{"name": "bot", "image": "x"}]}},
        "pod.containers: bot is the name of the bot's own container",
    ),
    "a variable that goes before the chart": (
        {"sidecar": {"env": [{"name": "SIDECAR_STATE__PATH", "value": "/x"}]}},
        "sidecar.env: SIDECAR_STATE__PATH goes before what the chart sets; use state",
    ),
    "a stop budget that the grace period knows nothing of": (
        {"sidecar": {"env": [{"name": "SIDECAR_STOP__BUDGET_SECONDS", "value": "60"}]}},
        "use config.stop.budget_seconds",
    ),
    "an address for the whole cluster": (
        {"config": {"listen": {"tcp": "0.0.0.0:8787"}}},
        "config.listen.tcp: is no loopback address",
    ),
    "the endpoint's own key": (
        {"monitoring": {"endpoint": {"interval": "60s"}}},
        "monitoring.endpoint.interval: the chart sets it; use monitoring.interval",
    ),
    "a wait that outlasts its interval": (
        {"monitoring": {"interval": "5s"}},
        "monitoring.scrapeTimeout: is 10s, longer than monitoring.interval, which is 5s",
    ),
    "no channel": (
        {"alertmanager": {"enabled": True, "slack": {"secretName": "s"}}},
        "alertmanager.slack.channel: is missing",
    ),
}

NONSENSE: dict[str, tuple[Values, str]] = {
    "misspelt": ({"workloads": {}}, "additional properties 'workloads' not allowed"),
    "misspelt deeper": ({"sidecar": {"imgae": {}}}, "'imgae' not allowed"),
    "no such kind": ({"workload": {"kind": "DaemonSet"}}, "'Deployment', 'StatefulSet', 'Job', 'CronJob', 'None'"),
    "too short a stop": ({"sidecar": {"stopSeconds": 5}}, "at '/sidecar/stopSeconds': minimum: got 5, want 10"),
    "a name that no label takes": ({"bot": {"name": "a b"}}, "at '/bot/name'"),
    "a default that was taken away": ({"bot": {"stopSeconds": None}}, "at '/bot': missing property 'stopSeconds'"),
    "a section that was taken away": ({"workload": None}, "missing property 'workload'"),
    "the configuration that was taken away": ({"config": None}, "missing property 'config'"),
    "an address that no probe reaches": ({"sidecar": {"scrape": {"host": "127.0.0.1"}}}, "'0.0.0.0', '[::]'"),
    "runbooks that the sidecar takes no link to": (
        {"rules": {"runbookUrl": "https://w.example/?a"}},
        "/rules/runbookUrl",
    ),
    "a port below 1024": ({"sidecar": {"scrape": {"port": 80}}}, "at '/sidecar/scrape/port'"),
    "no size": ({"state": {"size": "much"}}, "at '/state/size'"),
    "a number for a label": ({"pod": {"labels": {"a": 1}}}, "at '/pod/labels/a': got number, want string"),
    "the sidecar's key misspelt": ({"config": {"listen": {"unx": "/x"}}}, "'unx' not allowed"),
    "the sidecar's broker without a profile": (
        {"config": {"brokers": {"kraken": {"base_url": "https://k.example"}}}},
        "missing property 'profile'",
    ),
    "the sidecar's URL": (
        {"config": {"brokers": {"binance": {"base_url": "fapi.binance.com"}}}},
        "at '/config/brokers/binance/base_url'",
    ),
    "the sidecar's figure in quotes": (
        {"config": {"brokers": {"binance": {"retry": {"attempts": "3"}}}}},
        "- at '/config/brokers/binance/retry/attempts': got string, want null or integer",
    ),
    "the sidecar's address without its scheme": (
        {"config": {"telemetry": {"otlp": {"endpoint": "collector:4318"}}}},
        "- at '/config/telemetry/otlp/endpoint': 'collector:4318' does not match pattern '^https?://",
    ),
    "the sidecar's figure": (
        {"config": {"brokers": {"binance": {"retry": {"attempts": 99}}}}},
        "at '/config/brokers/binance/retry/attempts'",
    ),
    "keys without a Secret": ({"credentials": {"binance": {"items": {"key": "k"}}}}, "missing property 'secretName'"),
    "no such key": (
        {"credentials": {"binance": {"secretName": "b", "items": {"password": "p"}}}},
        "'password' not allowed",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_values_that_contradict_each_other_are_refused(name: str) -> None:
    values, words = CONTRADICTIONS[name]
    told = chart.refusal(MINIMAL, QUIET, values)
    assert words in told
    assert told.count("\n  - ") == 1, "only what is wrong is told"


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_by_the_schema(name: str) -> None:
    values, words = NONSENSE[name]
    assert words in chart.refusal(MINIMAL, values)


ITEMS = ("key", "secret", "privateKey", "token", "userName")


@pytest.mark.parametrize("profile", get_args(ProfileName))
def test_keys_that_a_profile_has_no_use_for_are_refused_as_the_sidecar_would(profile: str, tmp_path: Path) -> None:
    named = {"credentials": {"kraken": {"secretName": "k", "items": dict.fromkeys(ITEMS, "x")}}}
    broker = {"profile": profile, "base_url": "https://k.example"}
    told = chart.refusal(MINIMAL, QUIET, named, {"config": {"listen": {"tcp": None}, "brokers": {"kraken": broker}}})
    for item in ITEMS:
        key = "private_key_file" if item == "privateKey" else "user_name_file" if item == "userName" else f"{item}_file"
        text = yaml.safe_dump({"brokers": {"kraken": broker | {"credentials": {key: "/k"}}}})
        of_no_use = [
            one.wrong for one in problems_of(tmp_path, text) if re.search("says nothing|how to sign", one.wrong)
        ]
        assert (f"credentials.kraken.items.{item}: says nothing to profile {profile}" in told) == bool(of_no_use), item


def test_a_release_that_no_service_can_be_called_after_is_refused() -> None:
    assert "give bot-1st-broker-sidecar, for example" in chart.refusal(MINIMAL, QUIET, release="1st")
    assert chart.text(MINIMAL, QUIET, {"fullnameOverride": "first"}, release="1st")


def test_a_volume_of_the_charts_own_name_is_refused() -> None:
    told = chart.refusal(MINIMAL, QUIET, {"pod": {"volumes": [{"name": "sidecar-state", "emptyDir": {}}]}})
    assert "Deployment demo-broker-sidecar has sidecar-state already, among its volumes" in told


def test_all_contradictions_are_told_at_once() -> None:
    told = chart.refusal({"state": {"kind": "existingClaim"}})
    assert told.count("\n  - ") == 3


def test_a_native_sidecar_is_refused_where_kubernetes_knows_none() -> None:
    told = chart.refusal(MINIMAL, kubernetes="1.28.9")
    assert "native needs Kubernetes 1.29 or newer, and this is v1.28.9; use classic" in told


@pytest.mark.parametrize("name", [name for name in CONTRADICTIONS if name.startswith("a written")])
def test_no_refusal_shows_a_secret(name: str) -> None:
    values, _ = CONTRADICTIONS[name]
    assert "hush" in str(values)
    assert "hush" not in chart.refusal(MINIMAL, QUIET, values)
