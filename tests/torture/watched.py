"""The sidecar as it is, watched so that its power can be cut."""

import sys

from sidecar.cli import main
from tests.torture.powercut import run_watched

if __name__ == "__main__":
    sys.exit(run_watched(main))
