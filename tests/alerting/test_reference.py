"""The table from event to phone has no gap, and the page shows it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.alerting import reference
from sidecar.alerting.routes import pauses
from sidecar.alerting.types import TYPES, ErrorType
from sidecar.config.model import Throttle
from sidecar.telemetry.metrics import Metrics
from tests.telemetry.seen_samples import SHAPE

ROOT = Path(__file__).parents[2]
RULES = ROOT / "alerts" / "rules"


def test_the_committed_page_is_what_the_code_would_write() -> None:
    assert (ROOT / reference.FILE).read_text() == reference.text(), "run `make reference`"


def test_every_type_is_known_in_full() -> None:
    assert set(TYPES) == set(ErrorType)
    for known in TYPES.values():
        assert known.suggestion.endswith((".", "?"))
        assert not known.meaning.endswith(".")
        assert known.alert.startswith("Sidecar")
        assert known.topic in pauses(Throttle())
    assert len({known.alert for known in TYPES.values()}) == len(TYPES)


@pytest.mark.parametrize("kind", ErrorType)
def test_every_type_reaches_somebody_and_ends(kind: ErrorType) -> None:
    assert reference.route(TYPES[kind].severity).endswith("log")
    assert reference.ends(kind)


@pytest.mark.parametrize("kind", ErrorType)
def test_every_type_is_a_series_before_it_happens(kind: ErrorType) -> None:
    families = {family.name: family for family in Metrics([SHAPE], bot="b", version="1").families}
    for broker in ("", SHAPE.name):
        labels = (broker, str(kind), str(TYPES[kind].severity))
        assert labels in families["sidecar_errors_total"]
        assert labels in families["sidecar_errors_unresolved"]


def rules() -> dict[str, dict[str, Any]]:
    files = [yaml.safe_load(file.read_text()) for file in sorted(RULES.glob("*.yaml"))]
    found = [rule for file in files for group in file["groups"] for rule in group["rules"] if "alert" in rule]
    return {rule["alert"]: rule for rule in found}


@pytest.mark.parametrize("kind", [kind for kind in ErrorType if reference.causes(kind)])
def test_every_type_that_happens_has_its_rule_with_the_same_labels(kind: ErrorType) -> None:
    labels = rules()[TYPES[kind].alert]["labels"]
    assert (labels["error_type"], labels["severity"]) == (str(kind), str(TYPES[kind].severity))
