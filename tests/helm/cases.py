"""Values that the chart must take: every switch on and off, every kind of workload."""

from typing import Any, Final

from tests.helm.chart import MINIMAL, Values, merged

_BINANCE: Final = MINIMAL["config"]["brokers"]["binance"]
_OFF: Final = {"enabled": False}
_TOLD: Final = {"enabled": True, "fragment": {"enabled": True}}

EVERYTHING: Final[Values] = {
    "bot": {
        "name": "momentum",
        "env": [
            {"name": "MODE", "value": "live"},
            {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ],
        "envFrom": [{"secretRef": {"name": "more"}}],
        "args": ["--fast"],
        "command": ["/bot"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "1"}},
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
        "livenessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "lifecycle": {"preStop": {"exec": {"command": ["/flatten"]}}},
    },
    "workload": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
    "pod": {
        "labels": {"book": "majors"},
        "annotations": {"note": "c"},
        "imagePullSecrets": [{"name": "pull"}],
        "volumes": [{"name": "models", "emptyDir": {}}],
        "initContainers": [{"name": "warm-up", "image": "example.com/warm-up:1"}],
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
        "priorityClassName": "high",
        "containers": [{"name": "tail", "image": "example.com/tail:1"}],
        "spec": {"runtimeClassName": "gvisor", "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["books"]}]},
    },
    "sidecar": {
        "resources": {"limits": {"memory": "256Mi"}},
        "env": [{"name": "SIDECAR_LOG__LEVEL", "value": "debug"}],
        "envFrom": [{"configMapRef": {"name": "otel"}}],
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
        "token": {"secretName": "token"},
        "image": {"digest": "sha256:" + "0" * 64},
    },
    "config": {
        "telemetry": {"otlp": {"endpoint": "http://collector.monitoring:4318"}},
        "alerting": {
            "alertmanager": {
                "url": ["http://am-0.monitoring:9093", "http://am-1.monitoring:9093", "https://am.example"]
            }
        },
        "brokers": {
            "oanda": {
                "profile": "oanda",
                "base_url": "https://api-fxpractice.oanda.com",
                "stream_url": "https://stream-fxpractice.oanda.com",
            },
            "paper": {
                "profile": "generic",
                "base_url": "http://paper.example.com:8080",
                "generic": {"probe": "/health"},
                "max_answer_bytes": 67108864,
            },
        },
    },
    "credentials": {
        "oanda": {"secretName": "oanda", "items": {"token": "api-token"}},
        "binance": {"secretName": "binance", "use": "lookup", "items": {"key": "k", "privateKey": "pem"}},
    },
    "state": {"kind": "persistentVolumeClaim", "storageClassName": "fast"},
    "serviceAccount": {"annotations": {"a": "b"}},
    "monitoring": {
        "additionalLabels": {"release": "prometheus"},
        "endpoint": {"metricRelabelings": [{"sourceLabels": ["__name__"], "regex": "python_.+", "action": "drop"}]},
    },
    "rules": {"additionalLabels": {"release": "prometheus"}, "runbookUrl": "https://wiki.example.com/runbooks/"},
    "alertmanager": {
        "enabled": True,
        "additionalLabels": {"alertmanagerConfig": "main"},
        "slack": {"secretName": "slack", "channel": "#trading"},
        "pagerduty": {"secretName": "pagerduty"},
        "fragment": {
            "enabled": True,
            "labels": {"reload": "me"},
            "grafanaUrl": "https://grafana.desk.example/",
            "secretsPath": "/secrets/",
        },
    },
    "dashboards": {"annotations": {"grafana_folder": "Trading"}},
    "networkPolicy": {
        "enabled": True,
        "scrapeFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "extraEgress": [{"ports": [{"protocol": "TCP", "port": 5432}]}],
    },
    "podDisruptionBudget": {"enabled": True, "maxUnavailable": 1},
    "commonLabels": {"desk": "fx", "release": "not-this-one"},
    "extraObjects": [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .Release.Name }}-more", "labels": {}}}
    ],
    "tests": {"prometheusUrl": "http://prometheus.monitoring:9090"},
}
"""Every switch on."""

NOTHING: Final[Values] = {
    "serviceAccount": {"create": False, "name": "mine"},
    "service": _OFF,
    "monitoring": {"kind": "None", "expected": False},
    "rules": _OFF,
    "dashboards": _OFF,
    "tests": _OFF,
    "config": {"listen": {"tcp": None}},
}
"""Every switch off."""

CASES: Final[dict[str, Values]] = {
    "minimal": {},
    "everything": EVERYTHING,
    "nothing": NOTHING,
    "replicas": {"workload": {"replicas": 3, "strategy": "RollingUpdate"}},
    "statefulset": {"workload": {"kind": "StatefulSet"}},
    "statefulset-claim": {
        "workload": {"kind": "StatefulSet", "replicas": 3},
        "state": {"kind": "persistentVolumeClaim", "keep": False},
    },
    "statefulset-everything": merged(
        EVERYTHING, {"workload": {"kind": "StatefulSet", "spec": {"podManagementPolicy": "Parallel"}}}
    ),
    "job": {
        "workload": {
            "kind": "Job",
            "activeDeadlineSeconds": 3600,
            "ttlSecondsAfterFinished": 60,
            "spec": {"completions": 2},
        }
    },
    "job-everything": merged(EVERYTHING, {"workload": {"kind": "Job"}, "podDisruptionBudget": _OFF}),
    "cronjob": {
        "workload": {
            "kind": "CronJob",
            "schedule": "*/5 * * * *",
            "timeZone": "America/New_York",
            "spec": {"startingDeadlineSeconds": 60},
        }
    },
    "cronjob-claim": {
        "workload": {"kind": "CronJob", "schedule": "0 9 * * *"},
        "state": {"kind": "existingClaim", "existingClaim": "books"},
    },
    "none": {"workload": {"kind": "None"}, "bot": {"image": {"repository": ""}}},
    "none-everything": merged(EVERYTHING, {"workload": {"kind": "None"}}),
    "classic": {"sidecar": {"mode": "classic"}},
    "openshift": {
        "sidecar": {"securityContext": {"runAsUser": None, "runAsGroup": None}, "fsGroup": None},
        "state": {"kind": "persistentVolumeClaim"},
    },
    "classic-everything": merged(EVERYTHING, {"sidecar": {"mode": "classic"}}),
    "service-monitor": {"monitoring": {"kind": "ServiceMonitor"}},
    "annotations": {"monitoring": {"kind": "Annotations"}, "rules": {"kind": "ConfigMap"}},
    "budget": {"podDisruptionBudget": {"enabled": True, "minAvailable": "50%"}},
    "slack-only": {"alertmanager": _TOLD | {"slack": {"secretName": "slack", "channel": "#a"}}},
    "pagerduty-only": {"alertmanager": _TOLD | {"pagerduty": {"secretName": "pagerduty"}}},
    "socket-only": {
        "config": {"listen": {"tcp": None}},
        "credentials": {"binance": {"secretName": "b", "items": {"key": "k", "secret": "s"}}},
    },
    "long-names": {"fullnameOverride": "a" * 52, "config": {"brokers": {"b" * 41: _BINANCE}}},
    "ipv6": {"sidecar": {"scrape": {"host": "[::]", "port": 9999}}},
}


_LONG: Final = ("minimal", "everything")
QUIET: Final[Values] = {"rules": _OFF, "dashboards": _OFF}
"""Without what is long."""


def case(name: str) -> dict[str, Any]:
    """A case's values, with what has to be given. Only two cases have the rules and dashboards, which are long."""
    return merged(MINIMAL, CASES[name], {} if name in _LONG else QUIET)
