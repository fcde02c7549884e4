"""Whatever the stream does, operations end as they do by polling: it drops, repeats, reorders, lies and breaks."""

import itertools
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.orders.operations.runner import _TOLD_LOOK_SECONDS
from tests.orders.fills.stage import AWAY, TOO_MANY, Stage
from tests.orders.operations.exchange import shown
from tests.orders.operations.floor import BRACKET

SYMBOL = "BTCUSDT"
PRICES = (94, 100, 89, 111, 97)
SPOILT = ("drop", "repeat", "reorder", "lie", "garble", "fine")
BREAKS = ("lose", "end", "silence", "away", "limited", "nothing", "nothing")


class Spoiler:
    """Spoils what a stream says, by a seed."""

    def __init__(self, kinds: list[str], seed: int) -> None:
        self._kinds = kinds
        self._rng = Random(seed)
        self._held: list[bytes] = []

    def __call__(self, lines: list[bytes]) -> list[bytes]:
        said = []
        for line in lines:
            match self._rng.choice(self._kinds):
                case "drop":
                    continue
                case "repeat":
                    said += [line] * 3
                case "reorder":
                    self._held.append(line)
                    continue
                case "lie":
                    said.append(b'{"type":"HEARTBEAT","lastTransactionID":"%d"}\n' % self._rng.randrange(10**6))
                case "garble":
                    said.append(line[: len(line) // 2])
                case _:
                    said.append(line)
        self._rng.shuffle(self._held)
        while self._held and self._rng.random() < 0.5:
            said.append(self._held.pop())
        return said


def ends(folder: Path, moves: list[tuple[float, int]], spoiler: Spoiler | None, breaks: list[str]) -> dict[str, str]:
    """How the orders of a bracket stand when the market has moved so, and everybody has had the time to see it."""
    stage = Stage(folder)
    stage.follows = spoiler is not None
    broadcast = stage.broadcast
    if spoiler is not None:
        broadcast.tell = spoiler

    async def life() -> None:
        await stage.ask(BRACKET, price="95", fill_seconds=1e6)
        for number, (pause, price) in enumerate(moves):
            await stage.clock.sleep(pause)
            stage.exchange.move(SYMBOL, price)
            if spoiler is not None:
                _break(stage, breaks[number % len(breaks)])
            await stage.clock.sleep(_TOLD_LOOK_SECONDS + 10)

    stage.live(life)
    assert stage.exchange.twice == [], shown(stage.exchange)
    assert all(pause >= 0.5 for pause in _pauses(broadcast.asked))
    return {name.partition("-")[2].rpartition("-")[2]: order.status for name, order in stage.exchange.orders.items()}


def _break(stage: Stage, how: str) -> None:
    broadcast = stage.broadcast
    broadcast.beats = how != "silence"
    match how:
        case "lose":
            broadcast.lose()
        case "end":
            broadcast.end()
        case "away":
            broadcast.verdicts = [AWAY] * 3
            broadcast.lose()
        case "limited":
            broadcast.verdicts = [TOO_MANY]
            broadcast.end()


def _pauses(moments: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(moments)]


@settings(max_examples=8, deadline=None)
@given(
    moves=st.lists(st.tuples(st.floats(0, 40), st.sampled_from(PRICES)), min_size=1, max_size=5),
    kinds=st.lists(st.sampled_from(SPOILT), min_size=1, max_size=6),
    breaks=st.lists(st.sampled_from(BREAKS), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
)
def test_operations_end_as_by_polling(
    moves: list[tuple[float, int]], kinds: list[str], breaks: list[str], seed: int
) -> None:
    with TemporaryDirectory() as followed, TemporaryDirectory() as polled:
        by_stream = ends(Path(followed), moves, Spoiler(kinds, seed), breaks)
        assert by_stream == ends(Path(polled), moves, None, breaks)
