"""Cut off before or after any write to the disk, an operation comes to the same end as if nothing had happened."""

import sys
from random import Random, SystemRandom

from tests.orders.operations.crashes import figures, sample

CUTS = 56
"""Some of the thousand; `make crashes` has all of them."""


def test_a_crash_at_any_checkpoint_changes_nothing() -> None:
    seed = SystemRandom().randrange(1_000_000)
    cuts = sample(Random(seed), CUTS)
    told = list(figures(cuts))
    sys.stdout.write("\n".join([f"seed {seed}", *told, ""]))
    assert len(told) == len({cut.story for cut in cuts})
