"""The screen fits its terminal and says what matters, and lines say no less."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from sidecar.demo.chronicle import Happening
from sidecar.demo.narrator import Narrator
from sidecar.demo.plain import PlainShow
from sidecar.demo.promises import Promises
from sidecar.demo.screen import draw
from sidecar.demo.stage import Stage, Tone
from sidecar.demo.troupe import bot_views

SHUT = {"shut": True, "outcome": "rate_limited", "until": 103.0}
OPEN = {"shut": False, "outcome": "", "until": None}


def broker(name: str, gate: dict[str, Any], state: str = "closed", **limits: float) -> dict[str, Any]:
    return {
        "name": name,
        "gate": gate,
        "condition": {"state": "ok", "next_probe": 700.0},
        "breakers": [{"group": "pricing", "state": state, "retry_at": 107.0 if state == "open" else None}],
        "limits": [{"limit": limit, "used": used, "capacity": 100.0} for limit, used in limits.items()],
    }


def stage() -> Stage:
    made = Stage(bot_views(), now=lambda: 61.0, unix_now=lambda: 100.0)
    made.brokers = [
        broker("binance", SHUT, weight_1m=34, orders_10s=2),
        broker("oanda", OPEN, "open", **{"global": 1, "orders": 90}),
    ]
    made.addresses = (("metrics", "http://127.0.0.1:9464/metrics"), ("files", "f" * 200))
    made.commands = ("sidecar status --socket .demo/sidecar.sock", "c" * 200)
    made.announcement = "Something is about to go wrong, and this sentence is longer than a line of eighty columns is."
    return made


class Told:
    """A narrator before plain lines."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.stage = stage()
        self.deaf = False
        self.narrator = Narrator(self.stage, PlainShow(self.stage, self.out), Promises(), self._deafened)

    def _deafened(self) -> None:
        self.deaf = True

    def bot(self, **note: Any) -> None:
        self.narrator.bot("ccxt")(json.dumps(note))

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (100, 30), (200, 60), (80, 12), (60, 20)])
def test_the_screen_fits_its_terminal(width: int, height: int) -> None:
    told = Told()
    for number in range(40):
        told.narrator.say(f"news number {number} " + "which is long " * 8)
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None)
    lines = console.render_lines(draw(told.stage, width, height), pad=False)
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)
    assert len(lines) <= height
    text = "\n".join("".join(segment.text for segment in line) for line in lines)
    for shown in ("gate shut 3 s", "pricing open 7 s", " 34%", "oandapyV20", "news number 39"):
        assert shown in text
    assert ("http://127.0.0.1:9464" in text) == (height >= 20)


def test_the_first_order_of_a_bot_is_told_and_the_others_only_counted() -> None:
    told = Told()
    for number in range(3):
        told.bot(text="buy it", order=f"o{number}", told="sending")
        told.bot(text="bought it", order=f"o{number}", told="executed")
    assert [line for line in told.lines if "first order: bought it" in line] == told.lines
    assert told.stage.bots["ccxt"].orders == 3


def test_a_failure_that_repeats_is_told_once_until_something_works_again() -> None:
    told = Told()
    for left in (3, 2, 1):
        told.bot(text=f"no price: probe in {left} s", failed=True)
    assert len(told.lines) == 1
    told.bot(text="price is 7")
    told.bot(text="no price: probe in 3 s", failed=True)
    assert len(told.lines) == 2


def test_every_order_in_doubt_is_told_with_what_was_found() -> None:
    told = Told()
    for number in range(2):
        told.bot(text="sale may have been executed: timeout", order=f"o{number}", told="unknown", failed=True)
        told.bot(text=f"looked o{number} up: filled", order=f"o{number}", told="found")
    assert len(told.lines) == 4
    assert told.narrator.looked_up == {"o0": "filled", "o1": "filled"}


def test_verdicts_and_chapters_stay_when_the_screen_is_gone() -> None:
    told = Told()
    told.narrator.chapter("1/5 A reset", "the broker hangs up.")
    told.narrator.say("passing", Tone.QUIET)
    told.narrator.say("all is well", Tone.VERDICT)
    assert [line.text for line in told.stage.told] == ["1/5 A reset: the broker hangs up.", "all is well"]


def test_calls_and_retries_are_counted_as_the_sidecar_tells_them() -> None:
    told = Told()
    facts = {"broker": "oanda", "endpoint": "get_pricing", "reason": "reset", "attempt": 1, "delay": 1.0}
    told.narrator.sidecar(Happening("RetryScheduled", 0.0, facts))
    told.narrator.sidecar(Happening("CallFinished", 0.0, {}))
    assert (told.stage.calls, told.stage.retries) == (1, 1)
    assert "attempt 2 follows in 1 s" in told.lines[0]


def test_a_reader_who_has_gone_ends_the_telling_and_not_the_demo() -> None:
    class Closed(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError(text)

    told = Told()
    narrator = Narrator(told.stage, PlainShow(told.stage, Closed()), Promises(), told._deafened)
    narrator.say("one")
    narrator.say("two")
    assert told.deaf
    assert narrator.deaf
