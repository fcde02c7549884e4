"""What the chart renders is taken by every Kubernetes that it is for, and is the same each time."""

import json
import os
from pathlib import Path

import pytest

from helm.generate import CHART
from tests.helm import chart, schemas
from tests.helm.cases import CASES, case
from tests.helm.chart import MINIMAL, PLACE, Object

GOLDEN = Path(__file__).parent / "golden"
SHOWN = ("minimal", "cronjob", "statefulset-everything", "none")


def strictly(objects: list[Object], *versions: str) -> list[str]:
    found = (schemas.complaint(one, version) for one in objects for version in versions)
    return sorted({complaint for complaint in found if complaint})


def test_lint_finds_nothing_with_defaults() -> None:
    chart.run("lint", "--strict", "--quiet", str(CHART))


@pytest.mark.parametrize("name", ["everything", "cronjob", "none"])
def test_lint_finds_nothing_with_values(name: str) -> None:
    chart.run("lint", "--strict", "--quiet", str(CHART), values=json.dumps(case(name)))


@pytest.mark.parametrize("name", CASES)
def test_every_object_is_valid_in_the_oldest_and_the_newest_kubernetes(name: str) -> None:
    assert strictly(chart.render(case(name)), schemas.VERSIONS[0], schemas.VERSIONS[-1]) == []


@pytest.mark.parametrize("name", ["minimal", "everything"])
def test_every_object_is_valid_in_all_versions_between(name: str) -> None:
    objects = chart.render(case(name), {"dashboards": {"enabled": False}})
    assert strictly(objects, *schemas.VERSIONS) == []


def test_an_older_kubernetes_takes_the_classic_container() -> None:
    assert strictly(chart.render(case("classic"), kubernetes="1.25.0"), "1.25") == []


@pytest.mark.parametrize("kind", ["Deployment", "PodMonitor"])
def test_a_key_that_nobody_knows_would_have_been_found(kind: str) -> None:
    spoilt = chart.only(chart.render(case("minimal")), kind)
    spoilt["spec"]["replica"] = 1
    assert "replica" in schemas.complaint(spoilt, schemas.VERSIONS[-1])


@pytest.mark.parametrize("name", ["everything", "job-everything"])
def test_rendering_is_deterministic(name: str) -> None:
    again = chart.run("template", "demo", str(CHART), *PLACE, values=json.dumps(case(name)))
    assert again == chart.text(case(name))


@pytest.mark.parametrize("name", CASES)
def test_no_two_objects_share_a_name(name: str) -> None:
    named = [(one["kind"], one["metadata"]["name"]) for one in chart.render(case(name))]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", SHOWN)
def test_the_main_cases_look_as_they_were_agreed_on(name: str) -> None:
    """After a change that is meant: GOLDEN=write make test ARGS=tests/helm, and read the difference."""
    off = {"rules": {"enabled": False}, "dashboards": {"enabled": False}, "tests": {"enabled": False}}
    shown = chart.text(case(name), off)
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


def test_the_package_holds_all_that_it_needs(tmp_path: Path) -> None:
    chart.run("package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    assert chart.text(MINIMAL, chart=package) == chart.text(MINIMAL)
    # A release, its chart included, must fit into a Secret.
    assert package.stat().st_size < 400_000
