"""Values at random, drawn from the schema that Helm holds them against, a few at a time."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hypothesis import strategies as st

from helm.generate import CHART
from tests.helm.cases import EVERYTHING
from tests.helm.chart import Values

Path = tuple[str, ...]

RELEASES: Final = ("demo", "broker-sidecar", "my.bot", "true", "a" * 53)
TEXTS: Final = ("", "on", "123", "1e3", "007", "a-name", 'it\'s "so": {{ .Values }}')
"""Words that YAML, or a template, could take for something else."""

_SECRETS: Final = {
    "binance": {"secretName": "123", "items": {"key": "on", "secret": "s"}},
    "oanda": {"secretName": "oanda", "use": "lookup", "items": {"token": "t"}},
}
_BROKERS: Final = {
    "binance": {"profile": "binance-usdm", "base_url": "https://fapi.binance.com"},
    "oanda": {"profile": "oanda", "base_url": "https://api-fxpractice.oanda.com"},
    "paper-8": {"profile": "generic", "base_url": "http://paper.example:8080"},
}
_PROBE: Final = {"tcpSocket": {"port": 8080}, "periodSeconds": 5}
_KUBERNETES: Final[Mapping[str, tuple[Any, ...]]] = {
    "affinity": ({"nodeAffinity": {}},),
    "config": (
        {"brokers": _BROKERS},
        {"brokers": {}},
        {"listen": {"tcp": None}},
        {"listen": {"tcp": "[::1]:8787"}},
        {"listen": {"tcp": "0.0.0.0:8787"}},
        {"listen": {"tcp": "127.0.0.1:9464", "allowed_uids": [1000680000]}},
        {"stop": {"budget_seconds": 12}, "log": {"level": "debug"}},
        {"telemetry": {"otlp": {"endpoint": "http://collector:4317", "protocol": "grpc"}}},
        {"alerting": {"alertmanager": {"url": "https://am.example", "labels": {"namespace": "desk"}}}},
    ),
    "containers": ([{"name": "tail", "image": "tail:1"}], [], [{"name": "bot", "image": "x:1"}]),
    "credentials": (_SECRETS, {"binance": _SECRETS["binance"]}, {"oanda": _SECRETS["binance"]}),
    "endpoint": ({"metricRelabelings": []}, {"interval": "5s"}, {"honorLabels": False}),
    "env": (
        [{"name": "A", "value": "1"}],
        [{"name": "BROKER_SIDECAR_URL", "value": "http://x"}],
        [{"name": "POD_NAME", "value": "x"}],
        [{"name": "SIDECAR_STATE__PATH", "value": "/x"}],
    ),
    "envFrom": ([{"secretRef": {"name": "more"}}],),
    "extraEgress": ([{"ports": [{"protocol": "TCP", "port": 5432}]}],),
    "extraIngress": ([{"ports": [{"protocol": "TCP", "port": 8080}]}],),
    "extraObjects": tuple([one] for one in EVERYTHING["extraObjects"]),
    "imagePullSecrets": ([{"name": "pull"}],),
    "initContainers": ([{"name": "first", "image": "x:1"}], [{"name": "broker-sidecar", "image": "x:1"}]),
    "lifecycle": ({"preStop": {"exec": {"command": ["/flatten"]}}},),
    "livenessProbe": (_PROBE,),
    "ports": ([{"name": "web", "containerPort": 8080}], [{"containerPort": 9464}]),
    "readinessProbe": (_PROBE,),
    "runbookUrl": ("", 'https://wiki.example:8443/it\'s-"so"/', "http://wiki"),
    "scrapeFrom": ([{"namespaceSelector": {}}],),
    "pod.securityContext": ({"runAsUser": 1000680000, "fsGroup": 7},),
    "pod.spec": ({"hostAliases": []}, {"terminationGracePeriodSeconds": 5}, {"volumes": []}),
    "securityContext": ({"runAsUser": 1000680000}, {"runAsUser": None}),
    "workload.spec": ({"revisionHistoryLimit": 3}, {}, {"replicas": 2}),
    "startupProbe": (_PROBE,),
    "tolerations": ([{"operator": "Exists"}],),
    "topologySpreadConstraints": ([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],),
    "volumeMounts": ([{"name": "models", "mountPath": "/models"}],),
    "volumes": ([{"name": "models", "emptyDir": {}}], [{"name": "sidecar-state", "emptyDir": {}}]),
}
"""What is not the chart's own but Kubernetes' or the sidecar's: good values and bad ones, by the last keys."""
_NAMED: Final[Mapping[str, tuple[Any, ...]]] = {
    "resources": ({"limits": {"memory": "256Mi"}, "requests": {"cpu": 1}},),
    "texts": ({"team": "a", "example.com/yes": "true"}, {"bot": "other"}, {"app.kubernetes.io/name": "other"}),
    "words": (["--fast", "123"],),
}
_ASCII: Final = st.characters(min_codepoint=32, max_codepoint=126)


def values() -> st.SearchStrategy[Values]:
    """A handful of values, each allowed by itself."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    leaves = dict(_leaves(schema, schema["definitions"], ()))
    paths = st.lists(st.sampled_from(sorted(leaves)), max_size=8, unique=True)
    given = paths.flatmap(lambda chosen: st.fixed_dictionaries({path: leaves[path] for path in chosen}))
    return given.map(_nested)


def _leaves(
    node: Mapping[str, Any], known: Mapping[str, Any], path: Path
) -> Iterator[tuple[Path, st.SearchStrategy[Any]]]:
    name = node.get("$ref", "").rpartition("/")[2]
    node = known[name] if name else node
    if pool := _KUBERNETES.get(".".join(path)) or _KUBERNETES.get("".join(path[-1:])) or _NAMED.get(name):
        yield path, st.sampled_from(pool)
    elif "properties" in node:
        for key, inner in node["properties"].items():
            yield from _leaves(inner, known, (*path, key))
    else:
        yield path, _single(node)


def _single(node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "enum" in node:
        return st.sampled_from(node["enum"])
    kinds = node.get("type", "object")
    match kinds if isinstance(kinds, str) else kinds[0]:
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(node.get("minimum", 0), node.get("maximum", 100_000))
        case "array":
            return st.lists(_single(node["items"]), max_size=2)
        case "string" if "pattern" in node:
            return st.from_regex(node["pattern"], fullmatch=True, alphabet=_ASCII).filter(lambda text: len(text) < 53)
        case "string":
            return st.sampled_from(TEXTS[1:] if "minLength" in node else TEXTS)
        case _:
            return st.just({})


def _nested(flat: Mapping[Path, Any]) -> Values:
    found: dict[str, Any] = {}
    for path, value in flat.items():
        place = found
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return found
