"""The rendered chart and the Dockerfiles, held against checkov."""

import subprocess

import pytest

from helm.generate import REPOSITORY

pytestmark = pytest.mark.e2e


def test_checkov_finds_nothing_that_is_not_explained() -> None:
    """The first time, checkov is installed by this."""
    done = subprocess.run(  # noqa: S603 - the project's own script
        [REPOSITORY / "scripts/check-posture"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
