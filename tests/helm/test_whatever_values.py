"""Whatever values are given: what is rendered fits together, or is refused in words."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helm import chart, schemas
from tests.helm.cases import CASES, QUIET, case
from tests.helm.chart import MINIMAL, Object, Values
from tests.helm.coherence import complaints
from tests.helm.drawn import RELEASES, values

WORDS = re.compile(
    r"these values do not work together|don't meet the specifications|: broker-sidecar\.inject: |PeriodSeconds of "
)
STUMBLE = re.compile(r"nil pointer|interface conversion|error calling|can't evaluate|wrong type|YAML parse error|panic")


def rendered(drawn: Values, release: str) -> tuple[list[Object], str]:
    """The objects, and, where there are none, why."""
    try:
        return chart.render(MINIMAL, QUIET, drawn, release=release), ""
    except chart.Refused as refused:
        return [], str(refused)


@given(drawn=values(), release=st.sampled_from(RELEASES))
@settings(max_examples=25)
def test_whatever_is_given_fits_together_or_is_refused_in_words(drawn: Values, release: str) -> None:
    """More of them: --hypothesis-seed begins with others."""
    objects, refused = rendered(drawn, release)
    assert objects or WORDS.search(refused)
    assert not STUMBLE.search(refused)
    if objects:
        with tempfile.TemporaryDirectory() as folder:
            assert complaints(objects, Path(folder)) == []
    assert [found for one in objects if (found := schemas.complaint(one, schemas.VERSIONS[-1]))] == []


@pytest.mark.parametrize("name", CASES)
def test_every_case_fits_together(name: str, tmp_path: Path) -> None:
    assert complaints(chart.render(case(name)), tmp_path) == []
