"""Values that make no sense are refused, in words that say which ones and what would be right."""

import pytest

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
