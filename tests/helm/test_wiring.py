"""What the rendered parts have to do with one another."""

import json
from pathlib import Path

import pytest
import yaml

from helm.generate import CHART, REPOSITORY
from sidecar.config.model import Stop
from tests.config.support import BINANCE, accepted
from tests.helm import chart
from tests.helm.cases import EVERYTHING, NOTHING, case
from tests.helm.chart import MINIMAL, Object


def wired(*values: chart.Values) -> list[Object]:
    return chart.render(MINIMAL, *values)


def test_a_native_sidecar_comes_before_everything_else_and_stays() -> None:
    spec = chart.pod(wired(EVERYTHING))["spec"]
    first, second = spec["initContainers"]
    assert (first["name"], first["restartPolicy"], second["name"]) == ("broker-sidecar", "Always", "warm-up")
    assert [container["name"] for container in spec["containers"]] == ["bot", "tail"]


def test_a_classic_sidecar_outlives_the_bot() -> None:
    spec = chart.pod(wired({"sidecar": {"mode": "classic"}, "bot": {"stopSeconds": 33}}))["spec"]
    assert "initContainers" not in spec
    sidecar = spec["containers"][0]
    assert "restartPolicy" not in sidecar
    assert "time.sleep(33)" in sidecar["lifecycle"]["preStop"]["exec"]["command"][-1]
    assert spec["terminationGracePeriodSeconds"] == 43


def test_the_grace_period_holds_the_bots_stop_and_the_sidecars() -> None:
    spec = chart.pod(wired({"bot": {"stopSeconds": 45}}))["spec"]
    assert spec["terminationGracePeriodSeconds"] == 45 + 10
    assert Stop().budget_seconds < 10, "the sidecar keeps its share"


def test_probes_ask_the_scrape_port_for_what_they_mean() -> None:
    sidecar = chart.sidecar(wired({"sidecar": {"scrape": {"port": 9999}}}))
    assert sidecar["ports"] == [{"name": "sidecar-scrape", "containerPort": 9999, "protocol": "TCP"}]
    asked = {probe: sidecar[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")}
    assert {probe: get["path"] for probe, get in asked.items()} == {
        "startup": "/startupz",
        "liveness": "/livez",
        "readiness": "/readyz",
    }
    assert {get["port"] for get in asked.values()} == {"sidecar-scrape"}


def test_bot_and_sidecar_share_the_socket_and_nothing_else_but_the_token() -> None:
    objects = wired(EVERYTHING)
    bot, *_ = chart.pod(objects)["spec"]["containers"]
    bots = {mount["name"] for mount in bot["volumeMounts"]}
    own = {mount["name"] for mount in chart.sidecar(objects)["volumeMounts"]}
    assert bots & own == {"sidecar-socket", "sidecar-token", "models"}
    assert {"sidecar-keys-oanda", "sidecar-keys-binance", "sidecar-state"} <= own - bots


def test_every_mount_has_its_volume() -> None:
    spec = chart.pod(wired(EVERYTHING))["spec"]
    volumes = {volume["name"] for volume in spec["volumes"]}
    mounted = {mount["name"] for one in spec["initContainers"] + spec["containers"] for mount in one["volumeMounts"]}
    assert mounted == volumes


def test_another_configuration_is_another_pod() -> None:
    def checksum(*values: chart.Values) -> str:
        found: str = chart.pod(wired(*values))["metadata"]["annotations"]["checksum/sidecar-config"]
        return found

    assert checksum() == checksum({"bot": {"args": ["--other"]}})
    assert checksum() != checksum({"config": {"log": {"level": "debug"}}})


def test_another_job_has_another_name_because_none_can_be_changed() -> None:
    def name(*values: chart.Values) -> str:
        found: str = chart.only(wired({"workload": {"kind": "Job"}}, *values), "Job")["metadata"]["name"]
        return found

    assert name() == name()
    others: list[chart.Values] = [
        {"bot": {"image": {"tag": "2"}}},
        {"config": {"log": {"level": "debug"}}},
        # These reach the pod by the sidecar's hands.
        {"bot": {"name": "other"}},
        {"bot": {"stopSeconds": 21}},
        {"sidecar": {"fsGroup": 7}},
        {"workload": {"spec": {"completions": 2}}},
    ]
    assert len({name(), *map(name, others)}) == 1 + len(others)
    may_change = {
        "backoffLimit": 1,
        "ttlSecondsAfterFinished": 60,
        "activeDeadlineSeconds": 60,
        "spec": {"suspend": True},
    }
    assert name({"workload": may_change}) == name()


def test_a_job_that_is_tried_again_never_has_two_bots() -> None:
    def policy(*values: chart.Values) -> str:
        found: str = chart.only(wired({"workload": {"kind": "Job", "backoffLimit": 3}}, *values), "Job")["spec"][
            "podReplacementPolicy"
        ]
        return found

    assert policy() == "Failed"
    assert policy({"workload": {"spec": {"podReplacementPolicy": "TerminatingOrFailed"}}}) == "TerminatingOrFailed"


def test_the_configuration_names_the_places_that_are_mounted() -> None:
    objects = wired(EVERYTHING)
    config = chart.configuration(objects)
    mounts = [mount["mountPath"] for mount in chart.sidecar(objects)["volumeMounts"]]
    keys = [value for broker in config["brokers"].values() for value in broker.get("credentials", {}).values()]
    places = [
        config["listen"]["unix"],
        config["listen"]["token_file"],
        config["state"]["path"],
        config["audit"]["directory"],
        *(value for value in keys if value.startswith("/")),
    ]
    assert len(places) == 7
    assert [place for place in places if not any(place.startswith(f"{mount}/") for mount in mounts)] == []


def test_the_sidecars_own_alerts_link_the_same_runbooks_as_the_rules() -> None:
    def told(*values: chart.Values) -> str:
        config = chart.configuration(wired({"rules": {"runbookUrl": "https://wiki.example/sidecar/"}}, *values))
        found: str = config["alerting"]["alertmanager"]["runbook_url"]
        return found

    own: chart.Values = {"config": {"alerting": {"alertmanager": {"runbook_url": "https://own.example"}}}}
    assert told() == "https://wiki.example/sidecar"
    assert told(own) == "https://own.example"


def test_no_tcp_is_said_to_the_sidecar_and_to_the_bot() -> None:
    objects = chart.render(case("socket-only"))
    assert chart.configuration(objects)["listen"]["tcp"] is None
    (bot,) = chart.pod(objects)["spec"]["containers"]
    assert [variable["name"] for variable in bot["env"]] == ["BROKER_SIDECAR_SOCKET"]


def test_every_key_of_the_reference_configuration_reaches_the_sidecar() -> None:
    reference = yaml.safe_load((REPOSITORY / "examples/reference.yaml").read_text())
    for key in ("bot", "scrape.address", "listen.unix", "listen.token_file", "state.path", "audit.directory"):
        section, _, last = key.rpartition(".")
        del (reference[section] if section else reference)[last]
    del reference["scrape"]
    rendered = chart.configuration(wired({"config": reference}))
    assert chart.merged(rendered, reference) == rendered


def test_figures_keep_their_form() -> None:
    assert chart.configuration(wired(EVERYTHING))["brokers"]["paper"]["max_answer_bytes"] == 67108864


def test_who_the_pod_is_comes_from_the_pod() -> None:
    sidecar = chart.sidecar(wired({"bot": {"name": "momentum"}}))
    fields = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in sidecar["env"] if "valueFrom" in one}
    assert fields == {
        "SIDECAR_BOT": "metadata.labels['bot']",
        "POD_NAME": "metadata.name",
        "POD_NAMESPACE": "metadata.namespace",
        "NODE_NAME": "spec.nodeName",
        "SIDECAR_ALERTING__ALERTMANAGER__LABELS__NAMESPACE": "metadata.namespace",
    }


def test_a_namespace_of_the_users_takes_the_place_of_the_pods() -> None:
    alertmanager = {"url": "http://alertmanager:9093", "labels": {"namespace": "desk"}}
    objects = wired({"config": {"alerting": {"alertmanager": alertmanager}}})
    assert chart.configuration(objects)["alerting"]["alertmanager"]["labels"] == {"namespace": "desk"}
    names = [one["name"] for one in chart.sidecar(objects)["env"]]
    assert "POD_NAMESPACE" in names
    assert [name for name in names if name.startswith("SIDECAR_ALERTING")] == []


def test_the_sidecar_tells_alertmanager_its_namespace_from_its_environment(tmp_path: Path) -> None:
    (name,) = (one["name"] for one in chart.sidecar(wired())["env"] if one["name"].endswith("__NAMESPACE"))
    config = accepted(tmp_path, BINANCE, {name: "trading"}).config
    assert config.alerting.alertmanager.labels == {"namespace": "trading"}


def test_a_variable_of_the_users_takes_the_place_of_the_charts() -> None:
    mine = {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "mine=yes"}
    env = chart.sidecar(wired({"sidecar": {"env": [mine]}}))["env"]
    assert [one for one in env if one["name"] == mine["name"]] == [mine]


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_the_monitor_finds_the_pod_and_tells_whose_it_is(kind: str) -> None:
    objects = wired({"monitoring": {"kind": kind}})
    labels = chart.pod(objects)["metadata"]["labels"]
    monitor = chart.only(objects, kind)["spec"]
    found = labels if kind == "PodMonitor" else chart.only(objects, "Service")["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= found.items()
    assert {name: labels[name] for name in monitor["podTargetLabels"]} == {"bot": "demo", "broker_sidecar": "expected"}


def test_monitors_and_policies_go_by_labels_that_no_gitops_tool_overwrites() -> None:
    """Argo CD sets app.kubernetes.io/instance of every object to its application's name."""
    objects = wired(EVERYTHING, {"monitoring": {"kind": "ServiceMonitor"}})
    selectors = [
        chart.only(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"],
        chart.only(objects, "Service")["spec"]["selector"],
        chart.only(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        chart.only(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    assert {key for selector in selectors for key in selector} == {"broker-sidecar/instance"}


def test_common_labels_are_everywhere_and_a_monitors_own_go_before() -> None:
    objects = wired(EVERYTHING)
    extra = [one for one in objects if one["kind"] == "Secret"]
    assert [one["kind"] for one in objects if one["metadata"].get("labels", {}).get("desk") != "fx"] == ["Secret"]
    assert [one["metadata"]["name"] for one in extra] == ["demo-more"]
    assert chart.pod(objects)["metadata"]["labels"]["desk"] == "fx"
    assert chart.only(objects, "PodMonitor")["metadata"]["labels"]["release"] == "prometheus"


def test_what_the_chart_has_no_value_of_its_own_for_can_be_given_as_kubernetes_knows_it() -> None:
    objects = wired(EVERYTHING, {"workload": {"spec": {"revisionHistoryLimit": 3}}})
    spec = chart.pod(objects)["spec"]
    assert spec["runtimeClassName"] == "gvisor"
    assert spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["/flatten"]
    assert chart.only(objects, "Deployment")["spec"]["revisionHistoryLimit"] == 3


def test_each_pod_of_a_stateful_set_has_a_state_file_of_its_own() -> None:
    objects = chart.render(case("statefulset-claim"))
    (claim,) = chart.only(objects, "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "sidecar-state"
    assert "sidecar-state" not in [volume["name"] for volume in chart.pod(objects)["spec"]["volumes"]]
    assert "PersistentVolumeClaim" not in chart.kinds(objects)
    # Kubernetes adds these to it, and a GitOps tool would put them back for ever.
    assert (claim["apiVersion"], claim["kind"]) == ("v1", "PersistentVolumeClaim")


@pytest.mark.parametrize(("keep", "then"), [(True, "Retain"), (False, "Delete")])
def test_a_stateful_sets_claims_are_kept_or_not_as_state_keep_says(keep: bool, then: str) -> None:
    objects = chart.render(case("statefulset-claim"), {"state": {"keep": keep}})
    policy = chart.only(objects, "StatefulSet")["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert policy == {"whenDeleted": then, "whenScaled": "Retain"}


def test_the_service_finds_the_pod() -> None:
    objects = wired()
    service = chart.only(objects, "Service")["spec"]
    assert service["selector"].items() <= chart.pod(objects)["metadata"]["labels"].items()
    assert service["ports"][0]["targetPort"] == chart.sidecar(objects)["ports"][0]["containerPort"]


def test_nobody_misses_a_job_that_has_ended() -> None:
    assert "broker_sidecar" not in chart.pod(wired({"workload": {"kind": "Job"}}))["metadata"]["labels"]


def test_annotations_say_where_to_scrape() -> None:
    annotations = chart.pod(chart.render(case("annotations")))["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "9464"


def test_the_network_policy_lets_out_to_what_the_configuration_names() -> None:
    spec = chart.only(wired(EVERYTHING), "NetworkPolicy")["spec"]
    ports = [[port["port"] for port in rule["ports"]] for rule in spec["egress"]]
    assert ports == [[53, 53], [443, 8080], [4318], [9093, 443], [5432]]
    (scrape,) = spec["ingress"]
    assert scrape["ports"] == [{"protocol": "TCP", "port": 9464}]


def test_the_network_policy_lets_out_to_brokers_anywhere_unless_addresses_are_named() -> None:
    def peers(*cidrs: str) -> list[Object]:
        policy = chart.only(wired({"networkPolicy": {"enabled": True, "brokerCidrs": cidrs}}), "NetworkPolicy")
        (rule,) = (rule for rule in policy["spec"]["egress"] if rule["ports"][0]["port"] == 443)
        found: list[Object] = rule.get("to", [])
        return found

    assert peers() == []
    assert peers("203.0.113.0/24", "2001:db8::/32") == [
        {"ipBlock": {"cidr": "203.0.113.0/24"}},
        {"ipBlock": {"cidr": "2001:db8::/32"}},
    ]


def test_a_variable_of_the_bots_own_takes_the_place_of_the_charts() -> None:
    """Server-side apply refuses two of one name."""
    bot, *_ = chart.pod(wired({"bot": {"env": [{"name": "BROKER_SIDECAR_URL", "value": "http://mine"}]}}))["spec"][
        "containers"
    ]
    assert {one["name"]: one["value"] for one in bot["env"]} == {
        "BROKER_SIDECAR_SOCKET": "/run/sidecar/sidecar.sock",
        "BROKER_SIDECAR_URL": "http://mine",
    }
    assert len(bot["env"]) == 2


def test_names_that_yaml_takes_for_something_else_stay_names() -> None:
    objects = wired(EVERYTHING, {"fullnameOverride": "on", "serviceAccount": {"name": "1e3"}})
    assert {one["metadata"]["name"] for one in objects if one["kind"] in {"Deployment", "Service"}} == {"on"}
    assert chart.pod(objects)["spec"]["serviceAccountName"] == "1e3"


def test_the_test_of_another_charts_pod_has_no_mounts_of_that_charts_volumes() -> None:
    objects = wired({"workload": {"kind": "None"}, "sidecar": {"volumeMounts": [{"name": "ca", "mountPath": "/ca"}]}})
    spec = chart.only(objects, "Pod", "-test")["spec"]
    assert "ca" not in [mount["name"] for mount in spec["containers"][0]["volumeMounts"]]
    assert "serviceAccountName" not in spec


@pytest.mark.parametrize(("expected", "places"), [(True, 2), (False, 1)])
def test_helm_test_looks_for_a_pod_only_where_one_is_expected(expected: bool, places: int) -> None:
    objects = wired({"workload": {"kind": "None"}, "monitoring": {"expected": expected}})
    plan = json.loads(chart.only(objects, "ConfigMap", "-test")["data"]["plan.json"])
    assert len(plan["scrape"]) == places
    assert bool(plan["up"]) is expected


def test_what_helm_test_leaves_behind_has_a_label_to_remove_it_by() -> None:
    left = [one for one in wired() if chart.is_test(one)]
    assert [one["metadata"]["labels"]["broker-sidecar/test"] for one in left] == ["demo-broker-sidecar"] * 2
    assert left[-1]["spec"]["serviceAccountName"] == "demo-broker-sidecar"


def test_every_switch_that_is_off_leaves_nothing_behind() -> None:
    assert chart.kinds(wired(NOTHING)) == {"ConfigMap", "Deployment"}
    assert [one for one in wired(NOTHING) if chart.is_test(one)] == []


def test_a_claim_outlives_its_release_unless_told_otherwise() -> None:
    claim = {"state": {"kind": "persistentVolumeClaim"}}
    kept = chart.only(wired(claim), "PersistentVolumeClaim")["metadata"]["annotations"]
    assert kept == {"helm.sh/resource-policy": "keep"}
    loose = chart.only(wired(claim, {"state": {"keep": False}}), "PersistentVolumeClaim")
    assert "annotations" not in loose["metadata"]


def test_every_rule_of_the_chart_is_rendered_with_the_runbooks_that_were_named() -> None:
    rules = [one for one in wired(EVERYTHING) if one["kind"] == "PrometheusRule"]
    rendered = [rule for one in rules for group in one["spec"]["groups"] for rule in group["rules"]]
    shipped = [
        rule
        for file in (CHART / "files/rules").glob("*.yaml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]
    assert sorted(rule["expr"] for rule in rendered) == sorted(rule["expr"] for rule in shipped)
    runbooks = [rule["annotations"]["runbook_url"] for rule in rendered if "alert" in rule]
    assert [url for url in runbooks if not url.startswith("https://wiki.example.com/runbooks/Sidecar")] == []


def test_every_dashboard_of_the_chart_is_rendered_as_it_is() -> None:
    shipped = {file.name: file.read_text() for file in (CHART / "files/dashboards").glob("*.json")}
    maps = [one for one in wired(EVERYTHING) if one["metadata"]["labels"].get("grafana_dashboard") == "1"]
    assert {name: text for one in maps for name, text in one["data"].items()} == shipped
