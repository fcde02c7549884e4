"""What follows from something else is up to date, and every value is told and checked."""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from helm import generate
from sidecar import __version__
from tests.helm import chart
from tests.helm.chart import MINIMAL, Values
from tests.helm.examples import EXAMPLES


def test_generated_files_are_up_to_date() -> None:
    """Otherwise: make reference."""
    stale = [path.name for path, text in generate.files().items() if not path.exists() or path.read_text() != text]
    assert stale == []


def test_nothing_is_copied_that_has_no_original() -> None:
    made = generate.files()
    copies = [path for folder in generate.COPIED.values() for path in (generate.CHART / folder).glob("*.*")]
    assert [path.name for path in copies if path not in made] == []


def test_every_value_is_documented() -> None:
    assert [key for key, _, words in generate.documented() if not words] == []


def test_the_schema_knows_every_value_and_no_other() -> None:
    values = yaml.safe_load((generate.CHART / "values.yaml").read_text())
    schema = generate.values_schema()
    assert _unlike(values, schema, schema["definitions"], "") == []


def test_a_default_that_null_takes_away_is_missed() -> None:
    """Otherwise a template would stumble over it, in Go's words."""
    values = yaml.safe_load((generate.CHART / "values.yaml").read_text())
    schema = Draft7Validator(generate.values_schema())
    assert not list(schema.iter_errors(values))
    unmissed = {".".join(path) for path in _paths(values) if not list(schema.iter_errors(_without(values, path)))}
    assert unmissed == {
        "sidecar.fsGroup",
        "config.brokers",
        "podDisruptionBudget.minAvailable",
        "podDisruptionBudget.maxUnavailable",
    }


def test_chart_image_and_sidecar_are_of_one_version() -> None:
    about = yaml.safe_load((generate.CHART / "Chart.yaml").read_text())
    assert about["appVersion"] == __version__
    assert f'image.version="{__version__}"' in (generate.REPOSITORY / "Dockerfile").read_text()


def test_the_notes_say_what_was_wired_and_what_was_not(tmp_path: Path) -> None:
    notes = _notes(tmp_path, MINIMAL, {"networkPolicy": {"enabled": True}, "podDisruptionBudget": {"enabled": False}})
    assert "yes  scraping          by PodMonitor, every 15s" in notes
    assert "yes  network policy" in notes
    assert "no   disruption budget podDisruptionBudget.enabled is false" in notes
    assert "ATTENTION: the state lies in an emptyDir." in notes


def test_the_notes_name_what_is_left_to_mount(tmp_path: Path) -> None:
    told = {"fragment": {"enabled": True}, "pagerduty": {"secretName": "p"}}
    notes = _notes(tmp_path, MINIMAL, {"rules": {"kind": "ConfigMap"}, "alertmanager": told})
    assert "yes  alert rules       ConfigMap demo-broker-sidecar-rules, for you to mount" in notes
    assert "yes  notifications     ConfigMap demo-broker-sidecar-alertmanager, for you to mount" in notes


def test_the_notes_do_not_warn_of_what_is_kept_and_found(tmp_path: Path) -> None:
    labels = {"additionalLabels": {"release": "prometheus"}}
    kept = {"state": {"kind": "persistentVolumeClaim"}, "monitoring": labels, "rules": labels}
    assert "ATTENTION" not in _notes(tmp_path, MINIMAL, kept)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "nothing is given as monitoring.additionalLabels and rules.additionalLabels."),
        ({"rules": {"enabled": False}}, "nothing is given as monitoring.additionalLabels."),
        ({"monitoring": {"kind": "None"}}, "nothing is given as rules.additionalLabels."),
    ],
    ids=["both", "monitor", "rules"],
)
def test_the_notes_say_that_prometheus_may_pass_over_what_has_no_label(
    tmp_path: Path, values: Values, told: str
) -> None:
    assert told in _notes(tmp_path, MINIMAL, values)


def test_the_notes_say_that_several_pods_are_several_bots(tmp_path: Path) -> None:
    notes = _notes(tmp_path, MINIMAL, {"workload": {"replicas": 3}})
    assert "ATTENTION: 3 pods are 3 bots that trade, and each sidecar counts the brokers' limits for itself." in notes


def test_the_notes_tell_another_charts_author_the_line_to_write(tmp_path: Path) -> None:
    notes = _notes(tmp_path, MINIMAL, {"workload": {"kind": "None"}})
    assert '{{ include "broker-sidecar.inject" (list (index .Subcharts "broker-sidecar")' in notes


def test_the_values_that_the_page_shows_are_taken() -> None:
    shown = re.findall(r"```yaml\n(.*?)```", generate.readme(), re.DOTALL)
    values = [
        yaml.safe_load(textwrap.dedent(block))
        for block in shown
        if not block.startswith(("# Chart.yaml", "# values.yaml\nbroker-sidecar", "# templates/", "# instead"))
    ]
    assert len(values) == 3
    for one in values:
        chart.render(MINIMAL, one)


@pytest.mark.parametrize("name", ["ccxt-bot", "oanda-bot"])
def test_the_page_makes_every_secret_that_an_example_needs(name: str) -> None:
    values = yaml.safe_load((EXAMPLES / name / "values.yaml").read_text())
    objects = chart.render(values)
    sources = [
        one.get("valueFrom", {}).get("secretKeyRef") for one in chart.pod(objects)["spec"]["containers"][0]["env"]
    ]
    needed = {(source["name"], source["key"]) for source in sources if source}
    for volume in chart.pod(objects)["spec"]["volumes"]:
        secret = volume.get("secret", {"items": []})
        needed |= {(secret["secretName"], item["key"]) for item in secret["items"]}
    made = re.findall(r"create secret generic (\S+) (.*)", generate.readme())
    assert needed
    assert needed <= {(secret, key) for secret, given in made for key in re.findall(r"--from-literal=(\w+)=", given)}


def test_the_page_names_the_objects_that_its_commands_make() -> None:
    page = generate.readme()
    values = yaml.safe_load((EXAMPLES / "ccxt-bot/values.yaml").read_text())
    (release, switches) = re.search(r"helm install (\S+) .*ccxt-bot/values.yaml \\\n +--set (\S+)", page).groups()  # type: ignore[union-attr]
    shown = chart.run("template", release, str(generate.CHART), "--set", switches, values=json.dumps(values))
    objects = [one for one in yaml.safe_load_all(shown) if one]
    assert "monitoring.coreos.com" not in {one["apiVersion"].partition("/")[0] for one in objects}
    (deployment,) = re.findall(r"logs deployment/(\S+)", page)
    assert chart.only(objects, "Deployment")["metadata"]["name"] == deployment
    (removed,) = re.findall(r"broker-sidecar/test=(\S+)", page)
    momentum = chart.render(MINIMAL, release="momentum")
    assert {one["metadata"]["labels"]["broker-sidecar/test"] for one in momentum if chart.is_test(one)} == {removed}


def _paths(values: Values, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield (*above, key)
        # What is empty, or Kubernetes' own, is the user's to fill.
        if isinstance(value, dict) and key not in {"securityContext", "labels"}:
            yield from _paths(value, (*above, key))


def _without(values: Values, path: tuple[str, ...]) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {key: value for key, value in values.items() if key != first}
    return {**values, first: _without(values[first], tuple(rest))}


def _notes(folder: Path, *values: chart.Values) -> str:
    """Helm shows notes only with a cluster: here a template shows them."""
    copy = folder / "chart"
    copy.mkdir()
    for entry in generate.CHART.iterdir():
        if entry.name != "templates":
            (copy / entry.name).symlink_to(entry)
    (copy / "templates").mkdir()
    for entry in (generate.CHART / "templates").iterdir():
        (copy / "templates" / entry.name).symlink_to(entry)
    (copy / "templates/shown.yaml").write_text(
        "apiVersion: v1\nkind: Notes\nmetadata: {name: notes}\n"
        'text: {{ include (print .Template.BasePath "/NOTES.txt") . | quote }}\n'
    )
    text: str = chart.only(chart.render(*values, chart=copy), "Notes")["text"]
    return text


def _unlike(values: dict[str, Any], schema: dict[str, Any], definitions: dict[str, Any], path: str) -> list[str]:
    """Keys that only one of the two has."""
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    known = schema.get("properties")
    if known is None or path == "config.":
        return []
    differing = [f"{path}{key}" for key in (values.keys() ^ known.keys()) - {"global"}]
    for key in values.keys() & known.keys():
        # An empty object is the user's to fill, as Kubernetes knows it.
        if isinstance(values[key], dict) and values[key]:
            differing += _unlike(values[key], known[key], definitions, f"{path}{key}.")
    return differing


def test_the_schema_is_one_that_older_helms_read() -> None:
    text = json.dumps(generate.values_schema())
    assert "$defs" not in text
    assert "patternErrorMessage" not in text
