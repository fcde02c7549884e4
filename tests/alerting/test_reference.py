"""The table from event to phone has no gap, and the page shows it."""

import re
from pathlib import Path

import pytest

from sidecar.alerting import reference
from sidecar.alerting.alertmanager import advice
from sidecar.alerting.routes import pauses
from sidecar.alerting.types import TYPES, ErrorType
from sidecar.config.model import Throttle
from sidecar.telemetry.metrics import Metrics
from tests.telemetry.seen_samples import SHAPE

ROOT = Path(__file__).parents[2]
RULES = reference.rules()
PAGE = (ROOT / reference.FILE).read_text()


def test_the_committed_page_is_what_the_code_would_write() -> None:
    assert reference.text() == PAGE, "run `make reference`"


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


HAPPENS = [kind for kind in ErrorType if reference.causes(kind)]


@pytest.mark.parametrize("kind", HAPPENS)
def test_every_type_that_happens_has_its_rule_with_the_same_labels(kind: ErrorType) -> None:
    labels = RULES[TYPES[kind].alert]["labels"]
    assert (labels["error_type"], labels["severity"]) == (str(kind), str(TYPES[kind].severity))


@pytest.mark.parametrize("kind", [kind for kind in HAPPENS if TYPES[kind].push])
def test_a_pushed_alert_says_the_same_as_its_rule(kind: ErrorType) -> None:
    """They are one alert, and whoever spoke last is read: its end must look like its beginning."""
    runbooks, _, _ = RULES[TYPES[kind].alert]["annotations"]["runbook_url"].rpartition("/")
    fixed = {name: words for name, words in RULES[TYPES[kind].alert]["annotations"].items() if name != "description"}
    assert advice(kind, runbooks) == fixed


@pytest.mark.parametrize("alert", RULES)
def test_every_alert_is_on_the_page_once_with_its_type_its_severity_and_its_runbook(alert: str) -> None:
    (row,) = re.findall(rf"^\|.*\[`{alert}`\].*$", PAGE, re.MULTILINE)
    labels = RULES[alert]["labels"]
    cells = [cell.strip() for cell in row.split("|")]
    assert f"`{labels['error_type']}`" in cells
    assert labels["severity"] in cells
    (linked,) = re.findall(r"\]\((.+?)\)", row)
    assert (ROOT / reference.FILE.parent / linked).resolve() == ROOT / "alerts" / "runbooks" / f"{alert}.md"
    assert (ROOT / "alerts" / "runbooks" / f"{alert}.md").exists()
