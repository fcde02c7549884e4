"""Somebody's own chart puts the sidecar into its workload by a dependency and one include."""

import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from helm.generate import CHART, HERE
from tests.helm import chart, schemas

Own = Callable[[str], Path]

POD = "{containers: [{name: mine, image: x}, {name: second, image: y, env: [{name: A, value: b}]}]}"
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
        ("kind: ConfigMap\nmetadata: {name: m}", "this ConfigMap has no pod with containers"),
        ("a: [", "the manifest is no YAML"),
        (
            "kind: Pod\nmetadata: {name: m}\nspec: {containers: [{name: broker-sidecar}]}",
            "has a container broker-sidecar already; inject it once",
        ),
        (
            "kind: Pod\nmetadata: {name: m}\nspec: {terminationGracePeriodSeconds: 30, containers: [{name: a}]}",
            "is 30: the bot may take 45 s to end (bot.stopSeconds) and the sidecar 10 s after it (sidecar.stopSeconds)",
        ),
    ],
    ids=["no pod", "no YAML", "twice", "too short"],
)
def test_what_cannot_be_done_is_said(own: Own, manifest: str, words: str) -> None:
    with pytest.raises(chart.Refused, match="Error") as refused:
        chart.render(chart=own(manifest))
    assert words in str(refused.value)
