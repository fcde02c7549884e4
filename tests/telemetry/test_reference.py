"""The page that lists what can be seen is the one that the code would write."""

from pathlib import Path

from sidecar.telemetry import reference


def test_the_committed_reference_is_what_the_code_would_write() -> None:
    committed = Path(__file__).parents[2] / reference.FILE
    assert committed.read_text() == reference.text(), "run `make reference`"
