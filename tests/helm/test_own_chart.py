"""Somebody's own chart puts the sidecar into its workload by a dependency and one include."""

import json
import re
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from helm.generate import CHART, HERE, readme
from tests.helm import chart, schemas
from tests.helm.chart import PLACE

Own = Callable[[str], Path]

PAGE = re.MULTILINE | re.DOTALL

CLAIM = {"broker-sidecar": {"state": {"kind": "persistentVolumeClaim"}}}
CLAIM_EACH = {"broker-sidecar": {"state": {"kind": "volumeClaimTemplates"}}}

POD = "{containers: [{name: mine, image: x}, {name: second, image: y, env: [{name: A, value: b}]}]}"
NAMED = "metadata: {name: m}"
JOB = f"{{template: {{spec: {POD}}}}}"


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """The example chart, with another manifest where one is given; its dependency lies beside it as Helm wants it."""

    def make(manifest: str = "") -> Path:
        place = tmp_path / "own-chart"
        shutil.copytree(HERE / "examples/own-chart", place)
        shutil.copytree(CHART, place / "charts/broker-sidecar")
        if manifest:
            inject = '{{ include "broker-sidecar.inject" (list (index .Subcharts "broker-sidecar") (include "m" .)) }}'
            text = f'{{{{- define "m" }}}}\n{textwrap.dedent(manifest)}\n{{{{- end }}}}\n{inject}\n'
            (place / "templates/deployment.yaml").write_text(text)
        return place

    return make


def test_the_example_gets_everything(own: Own) -> None:
    objects = chart.render(chart=own(""))
    assert [schemas.complaint(one, schemas.VERSIONS[-1]) for one in objects if schemas.complaint(one, "1.37")] == []
    spec = chart.pod(objects)["spec"]
    assert chart.sidecar(objects)["restartPolicy"] == "Always"
    assert spec["terminationGracePeriodSeconds"] == 55
    assert {"ConfigMap", "Deployment", "PodMonitor", "Service"} <= chart.kinds(objects)


def test_its_pod_is_found_by_the_monitor_of_the_dependency(own: Own) -> None:
    objects = chart.render(chart=own(""))
    labels = chart.pod(objects)["metadata"]["labels"]
    selector = chart.only(objects, "PodMonitor")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    assert (labels["app"], labels["bot"]) == ("momentum", "momentum")


def test_the_page_followed_to_the_letter_gives_a_chart(tmp_path: Path) -> None:
    shutil.copytree(CHART, tmp_path / "broker-sidecar")
    place = tmp_path / "mine"
    (place / "templates").mkdir(parents=True)
    blocks = re.findall(r"^```yaml\n# (Chart.yaml|values.yaml|templates\S+yaml)\b.*?\n(.*?)```", readme(), PAGE)
    for title, text in blocks:
        (place / title).write_text(text.replace("…", f"kind: Job\nmetadata: {{name: mine}}\nspec: {JOB}"))
    about = place / "Chart.yaml"
    about.write_text(f"apiVersion: v2\nname: mine\nversion: 1.0.0\n{about.read_text()}")
    chart.run("dependency", "build", str(place))
    chart.run("lint", "--strict", "--quiet", str(place))
    assert chart.sidecar(chart.render(chart=place))["restartPolicy"] == "Always"

    # What it says about switching the sidecar off.
    (instead,) = re.findall(r"^```yaml\n# instead of the last line\n(.*?)```", readme(), PAGE)
    about.write_text(about.read_text().replace("version: 0.1.0,", "version: 0.1.0, condition: broker-sidecar.enabled,"))
    workload = place / "templates/deployment.yaml"
    workload.write_text("".join(workload.read_text().splitlines(keepends=True)[:-1]) + instead)
    assert chart.sidecar(chart.render(chart=place))["restartPolicy"] == "Always"
    without = chart.render({"broker-sidecar": {"enabled": False}}, chart=place)
    assert [one["kind"] for one in without] == ["Job"]
    assert "initContainers" not in chart.pod(without)["spec"]


@pytest.mark.parametrize(
    "manifest",
    [
        f"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: m}}\nspec: {JOB}",
        f"apiVersion: batch/v1\nkind: Job\nmetadata: {{name: m}}\nspec: {JOB}",
        f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: m}}\nspec: {{jobTemplate: {{spec: {JOB}}}}}",
    ],
    ids=["StatefulSet", "Job", "CronJob"],
)
def test_every_kind_of_workload_takes_it(own: Own, manifest: str) -> None:
    objects = chart.render(chart=own(manifest))
    spec = chart.pod(objects)["spec"]
    assert [one["name"] for one in spec["initContainers"]] == ["broker-sidecar"]
    assert [one["env"][0]["name"] for one in spec["containers"]] == ["BROKER_SIDECAR_SOCKET"] * 2
    assert spec["containers"][1]["env"][-1] == {"name": "A", "value": "b"}


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("kind: ConfigMap\nmetadata: {name: m}", "ConfigMap m has no pod with containers"),
        ("a: [", "the manifest is no YAML"),
        (
            "kind: Pod\nmetadata: {name: m}\nspec: {containers: [{name: broker-sidecar}]}",
            "Pod m has broker-sidecar already, among its containers; inject it once",
        ),
        (
            "kind: Pod\nmetadata: {name: m}\nspec: {terminationGracePeriodSeconds: 30, containers: [{name: a}]}",
            "is 30: the bot may take 45 s to end (bot.stopSeconds) and the sidecar 10 s after it (sidecar.stopSeconds)",
        ),
        (f"kind: Job\nspec: {JOB}\n---\nkind: Service", "the manifest holds 2 objects; give the workload alone"),
        ("kind: Deployment\nspec: {template: null}", "Deployment has no pod with containers"),
        ("kind: Pod\nspec: {containers: [mine]}", "spec.containers[0] is not an object, but: mine"),
        ("kind: Pod\nspec: {containers: [{name: a, env: [null]}]}", "spec.containers[0].env[0] is not an object"),
        (f"kind: Job\nmetadata: mine\nspec: {JOB}", "metadata is not an object, but: mine"),
        ("kind: Job\nspec: {template: {spec: {volumes: v}}}", "spec.template.spec.volumes is not a list, but: v"),
        (f"spec: {JOB}", "the manifest has no kind"),
        (
            "kind: Pod\nspec: {containers: [{name: a}], volumes: [{name: sidecar-socket, emptyDir: {}}]}",
            "Pod has sidecar-socket already, among its volumes",
        ),
        (
            "kind: Pod\nmetadata: {labels: {bot: other}}\nspec: {containers: [{name: a}]}",
            "its pods' label bot is other, and the sidecar's is momentum; give bot.name: other",
        ),
    ],
)
def test_what_cannot_be_done_is_said(own: Own, manifest: str, words: str) -> None:
    with pytest.raises(chart.Refused, match="Error") as refused:
        chart.render(chart=own(manifest))
    assert words in str(refused.value)


def test_each_pod_of_an_own_stateful_set_has_a_state_file_of_its_own(own: Own) -> None:
    mine = "[{metadata: {name: models}, spec: {}}]"
    manifest = f"kind: StatefulSet\nmetadata: {{name: m}}\nspec: {{replicas: 3, volumeClaimTemplates: {mine}, {JOB[1:]}"
    objects = chart.render(CLAIM_EACH, chart=own(manifest))
    claims = [one["metadata"]["name"] for one in chart.only(objects, "StatefulSet")["spec"]["volumeClaimTemplates"]]
    assert claims == ["models", "sidecar-state"]
    assert "sidecar-state" not in [volume["name"] for volume in chart.pod(objects)["spec"]["volumes"]]
    assert "sidecar-state" in [mount["name"] for mount in chart.sidecar(objects)["volumeMounts"]]
    assert "PersistentVolumeClaim" not in chart.kinds(objects)


BY_HAND = """
{{- $sidecar := index .Subcharts "broker-sidecar" }}
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: m, namespace: trading}
spec:
  serviceName: m
  selector: {matchLabels: {app: m}}
  template:
    metadata:
      labels:
        app: m
        {{- include "broker-sidecar.podLabels" $sidecar | nindent 8 }}
      annotations: {{- include "broker-sidecar.podAnnotations" $sidecar | nindent 8 }}
    spec:
      terminationGracePeriodSeconds: {{ include "broker-sidecar.graceSeconds" $sidecar }}
      securityContext: {fsGroup: 10001}
      initContainers:
        - {{- include "broker-sidecar.container" $sidecar | nindent 10 }}
      containers:
        - name: mine
          image: x
          env: {{- include "broker-sidecar.botEnv" $sidecar | nindent 12 }}
          volumeMounts: {{- include "broker-sidecar.botVolumeMounts" $sidecar | nindent 12 }}
      volumes: {{- include "broker-sidecar.volumes" $sidecar | nindent 8 }}
  volumeClaimTemplates: {{- include "broker-sidecar.volumeClaimTemplates" $sidecar | nindent 4 }}
"""


@pytest.mark.parametrize("state", ["volumeClaimTemplates", "emptyDir"])
def test_the_pieces_put_in_place_by_hand_make_the_same_workload(own: Own, state: str) -> None:
    values = {"broker-sidecar": {"state": {"kind": state}, "sidecar": {"token": {"secretName": "t"}}}}
    pod = "{metadata: {labels: {app: m}}, spec: {containers: [{name: mine, image: x}]}}"
    place = own(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: m, namespace: trading}\n"
        f"spec: {{serviceName: m, selector: {{matchLabels: {{app: m}}}}, template: {pod}}}"
    )
    injected = chart.only(chart.render(values, chart=place), "StatefulSet")
    (place / "templates/deployment.yaml").write_text(BY_HAND)
    chart.run("lint", "--strict", "--quiet", str(place))
    by_hand = yaml.safe_load(
        chart.run("template", "demo", str(place), *PLACE, "-s", "templates/deployment.yaml", values=json.dumps(values))
    )
    assert schemas.complaint(by_hand, schemas.VERSIONS[-1]) == ""
    injected["spec"].pop(KEPT, None)
    by_hand["spec"].setdefault("volumeClaimTemplates", [])
    assert injected["spec"].setdefault("volumeClaimTemplates", []) == by_hand["spec"]["volumeClaimTemplates"]
    assert injected == by_hand


def test_an_annotation_that_prometheus_goes_by_is_not_taken_from_the_bot(own: Own) -> None:
    manifest = (
        f"kind: Job\nspec: {{template: {{metadata: {{annotations: {{prometheus.io/port: '80'}}}}, spec: {POD}}}}}"
    )
    chart_of_ones_own = own(manifest)
    assert chart.render(chart=chart_of_ones_own)
    with pytest.raises(chart.Refused, match="Prometheus can go by one only"):
        chart.render({"broker-sidecar": {"monitoring": {"kind": "Annotations"}}}, chart=chart_of_ones_own)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (f"kind: Job\n{NAMED}\nspec: {JOB}", False),
        (f"kind: CronJob\n{NAMED}\nspec: {{jobTemplate: {{spec: {JOB}}}}}", False),
        (f"kind: Deployment\n{NAMED}\nspec: {JOB}", True),
    ],
    ids=["Job", "CronJob", "Deployment"],
)
def test_nobody_misses_an_own_job_that_has_ended(own: Own, manifest: str, expected: bool) -> None:
    labels = chart.pod(chart.render(chart=own(manifest)))["metadata"]["labels"]
    assert ("broker_sidecar" in labels) is expected


def test_a_separator_and_a_comment_make_no_second_object(own: Own) -> None:
    objects = chart.render(chart=own(f"---\n# mine\n---\nkind: Job\nmetadata: {{name: m}}\nspec: {JOB}\n--- # end"))
    assert chart.sidecar(objects)["restartPolicy"] == "Always"


KEPT = "persistentVolumeClaimRetentionPolicy"
OTHER = "volumeClaimTemplates: [{metadata: {name: models}, spec: {}}]"


@pytest.mark.parametrize(
    ("keep", "more", "policy"),
    [
        ("true", "", {"whenDeleted": "Retain", "whenScaled": "Retain"}),
        ("false", "", {"whenDeleted": "Delete", "whenScaled": "Retain"}),
        ("true", f"{OTHER},", {"whenDeleted": "Retain", "whenScaled": "Retain"}),
        (
            "false",
            f"{OTHER}, {KEPT}: {{whenDeleted: Delete, whenScaled: Delete}},",
            {"whenDeleted": "Delete", "whenScaled": "Delete"},
        ),
    ],
)
def test_an_own_stateful_sets_claims_are_kept_or_not_as_state_keep_says(
    own: Own, keep: str, more: str, policy: dict[str, str]
) -> None:
    manifest = f"kind: StatefulSet\nmetadata: {{name: m}}\nspec: {{{more} {JOB[1:]}"
    kept = {"broker-sidecar": {"state": {"keep": keep == "true"}}}
    objects = chart.render(CLAIM_EACH, kept, chart=own(manifest))
    assert chart.only(objects, "StatefulSet")["spec"][KEPT] == policy


@pytest.mark.parametrize(
    ("keep", "more", "words"),
    [
        ("false", f"{OTHER},", "state.keep is false, and its other claims would go with the sidecar's"),
        ("true", f"{KEPT}: {{whenDeleted: Delete}},", "whenDeleted is Delete, and state.keep is true"),
        ("false", f"{KEPT}: {{whenDeleted: Retain}},", "whenDeleted is Retain, and state.keep is false"),
    ],
)
def test_claims_are_never_deleted_against_somebodys_word(own: Own, keep: str, more: str, words: str) -> None:
    manifest = f"kind: StatefulSet\nspec: {{{more} {JOB[1:]}"
    kept = {"broker-sidecar": {"state": {"keep": keep == "true"}}}
    with pytest.raises(chart.Refused, match="StatefulSet") as refused:
        chart.render(CLAIM_EACH, kept, chart=own(manifest))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("values", "manifest", "words"),
    [
        (
            CLAIM,
            f"kind: Deployment\nspec: {{replicas: 2, {JOB[1:]}",
            "replicas is 2, and these pods cannot share one state",
        ),
        (CLAIM, f"kind: StatefulSet\nspec: {{replicas: 2, {JOB[1:]}", "use 1, or state.kind: volumeClaimTemplates"),
        (CLAIM, f"kind: DaemonSet\nspec: {JOB}", "its pods cannot share one state file"),
        (CLAIM, f"kind: Deployment\nspec: {JOB}", "give strategy: { type: Recreate }"),
        (CLAIM, f"kind: Job\nspec: {{parallelism: 2, {JOB[1:]}", "parallelism is 2"),
        (CLAIM, f"kind: CronJob\nspec: {{jobTemplate: {{spec: {JOB}}}}}", "give concurrencyPolicy: Forbid"),
        (CLAIM_EACH, f"kind: Deployment\nspec: {JOB}", "only a StatefulSet has a claim a pod"),
    ],
    ids=["replicas", "a set", "every node", "rolling", "parallel", "cron", "no set"],
)
def test_two_sidecars_never_share_a_state_file(own: Own, values: chart.Values, manifest: str, words: str) -> None:
    with pytest.raises(chart.Refused, match="Error") as refused:
        chart.render(values, chart=own(manifest))
    assert words in str(refused.value)


def test_one_pod_after_another_may_use_one_claim(own: Own) -> None:
    manifest = f"kind: Deployment\nmetadata: {{name: m}}\nspec: {{strategy: {{type: Recreate}}, {JOB[1:]}"
    assert "PersistentVolumeClaim" in chart.kinds(chart.render(CLAIM, chart=own(manifest)))
