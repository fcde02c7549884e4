"""Judges the rendered chart and the Dockerfiles by checkov: `make posture`. Each finding is explained here, or a fault.

A program of its own, because checkov and its hundred packages live in another environment than the tests.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from helm.generate import HERE, REPOSITORY
from tests.helm import chart
from tests.helm.cases import EVERYTHING, QUIET
from tests.helm.chart import MINIMAL, Values, merged

_IMAGE: Final = {"digest": "sha256:" + "0" * 64, "pullPolicy": "Always"}
_SIZE: Final = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}
_NO_BUDGET: Final = {"podDisruptionBudget": {"enabled": False}}
_PROBE: Final = {"tcpSocket": {"port": 8080}}

CAREFUL: Final[Values] = merged(
    MINIMAL,
    EVERYTHING,
    {
        "bot": {
            "image": _IMAGE,
            "resources": _SIZE,
            "livenessProbe": _PROBE,
            "readinessProbe": _PROBE,
            # Keys as files: by `credentials`.
            "env": [],
            "envFrom": [],
        },
        "pod": {"initContainers": [], "containers": [], "securityContext": {"runAsUser": 10002}},
        "sidecar": {"image": _IMAGE, "resources": _SIZE},
        "extraObjects": [],
    },
)
"""What a careful person gives."""

CASES: Final[Mapping[str, Values]] = {
    "defaults": MINIMAL,
    "careful": CAREFUL,
    "careful-statefulset": merged(CAREFUL, {"workload": {"kind": "StatefulSet"}}),
    "careful-job": merged(CAREFUL, {"workload": {"kind": "Job"}} | _NO_BUDGET),
    "careful-cronjob": merged(CAREFUL, {"workload": {"kind": "CronJob", "schedule": "0 9 * * 1-5"}} | _NO_BUDGET),
}

EXPLAINED: Final[Mapping[tuple[str, str], str]] = {
    ("*", "CKV_K8S_11"): "a CPU limit throttles the process that orders wait for; requests and a memory limit suffice",
    ("Pod", "CKV_K8S_8"): "the pod of `helm test` runs once and ends",
    ("Pod", "CKV_K8S_9"): "likewise",
    ("Pod", "CKV2_K8S_6"): "likewise; it must reach the Service and Prometheus, too",
    ("defaults", "CKV_K8S_8"): "only the author of a bot knows how to see that it lives",
    ("defaults", "CKV_K8S_9"): "likewise, that it is ready",
    ("defaults", "CKV_K8S_10"): "only the author of a bot knows its size; the sidecar's is suggested in values.yaml",
    ("defaults", "CKV_K8S_12"): "likewise",
    ("defaults", "CKV_K8S_13"): "likewise",
    ("defaults", "CKV_K8S_15"): "a tag that never moves need not be pulled each time; pullPolicy can say otherwise",
    ("defaults", "CKV_K8S_40"): "which user a bot runs as is its image's affair; root is refused",
    ("defaults", "CKV_K8S_43"): "image.digest is there for who wants it",
    ("Dockerfile", "CKV_DOCKER_7"): "the tag is in the ARG, into which checkov does not look",
}
"""Why a check may fail: by the kind of object or the case, and the check."""


def written(folder: Path) -> None:
    """Every case rendered into a file, and the Dockerfiles beside it."""
    for name, values in CASES.items():
        (folder / f"{name}.yaml").write_text(chart.text(values, QUIET))
    for number, file in enumerate([REPOSITORY / "Dockerfile", *HERE.glob("examples/*/Dockerfile")]):
        place = folder / str(number)
        place.mkdir()
        (place / "Dockerfile").write_text(file.read_text())


def findings(checkov: str, folder: Path) -> Iterator[dict[str, Any]]:
    """What checkov does not like."""
    frameworks = ["--framework", "kubernetes", "dockerfile"]
    asked = [checkov, "--directory", str(folder), *frameworks, "--output", "json", "--skip-download", "--quiet"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool
    try:
        reports = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"checkov said nothing that can be read:\n{done.stdout}{done.stderr}") from None
    assert {report["check_type"] for report in reports} == {"kubernetes", "dockerfile"}
    for report in reports:
        assert report["summary"]["parsing_errors"] == 0
        yield from report["results"]["failed_checks"]


def excuse(finding: Mapping[str, Any]) -> tuple[str, str] | None:
    """The explanation's key; None where there is none."""
    case = Path(finding["file_path"]).stem
    kind = finding["resource"].partition(".")[0]
    places = ("*", case, "Dockerfile" if case == "Dockerfile" else kind)
    return next((key for place in places if (key := (place, finding["check_id"])) in EXPLAINED), None)


def main(checkov: str) -> int:
    """1 when there is a finding without an explanation, or an explanation without a finding."""
    used, wrong = set(), []
    with tempfile.TemporaryDirectory() as place:
        written(Path(place))
        for finding in findings(checkov, Path(place)):
            key = excuse(finding)
            used.add(key)
            if key is None:
                wrong.append(" · ".join(finding[what] for what in ("check_id", "check_name", "resource", "file_path")))
    wrong += [f"explained, and not found any more: {' '.join(key)}" for key in EXPLAINED.keys() - used]
    told = "\n".join(sorted(set(wrong))) or f"every finding is one of {len(EXPLAINED)} that are explained"
    sys.stdout.write(f"{told}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
