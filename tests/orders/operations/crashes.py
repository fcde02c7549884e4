"""`make crashes`: operations of every type, cut off at every write to the disk, and at as many pairs of writes."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random, SystemRandom

from tests.orders.operations.stories import STORIES, Cut, every_cut, played


def sample(rng: Random, number: int) -> list[Cut]:
    """Some cuts of each story; about as many of each, and one in four dies twice."""
    cuts: list[Cut] = []
    whole = list(every_cut())
    for story in range(len(STORIES)):
        mine = [cut for cut in whole if cut.story == story]
        cuts += rng.sample(mine, number // len(STORIES))
        cuts += [twice(rng, rng.choice(mine)) for _ in range(number // len(STORIES) // 4)]
    return cuts


def twice(rng: Random, cut: Cut) -> Cut:
    """The same, and its second life dies as well: while it takes up what the first one left."""
    return Cut(cut.story, (*cut.writes, rng.randint(1, 12)), cut.before)


def figures(cuts: list[Cut]) -> Iterator[str]:
    """Play them all; a line for each story."""
    for story in sorted({cut.story for cut in cuts}):
        mine = [cut for cut in cuts if cut.story == story]
        began, count = time.perf_counter(), Counter[str]()
        for cut in mine:
            told = played(cut)
            count.update(deaths=told.died, lost=told.lost)
        took = time.perf_counter() - began
        yield (
            f"{STORIES[story].name}: {len(mine)} times, {count['deaths']} deaths, {count['lost']} orders in doubt "
            f"for good, {took:.1f} s"
        )


def main() -> int:
    """All of them; an assertion tells what went wrong."""
    parser = argparse.ArgumentParser(prog="make crashes", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the pairs (default: any)")
    seed = parser.parse_args().seed
    seed = SystemRandom().randrange(1_000_000) if seed is None else seed
    sys.stdout.write(f"seed {seed}\n")
    rng = Random(seed)
    whole = list(every_cut())
    for line in figures([*whole, *(twice(rng, cut) for cut in whole)]):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
