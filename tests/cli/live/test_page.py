"""The page fits its terminal and never lets the past look like the present."""

from dataclasses import replace

import pytest

from sidecar.cli.live.glance import ErrorLine, OrderLine
from sidecar.cli.live.page import page
from sidecar.cli.live.watch import Happened, View
from sidecar.telemetry.state import BrokerReading, DegradationReading
from sidecar.words import DegradationCause, DegradationLevel
from tests.cli.live.support import AUTH, AWAY, BROKEN, DOUBT, NOW, OPEN, QUIET, SHUT, STATUS, WELL, glance, printed

EVENTS = tuple(Happened(NOW - age, f"event number {age}") for age in range(60))
VIEW = View(glance(), "", ())
FULL = View(replace(glance(), orders=(DOUBT,), errors=(AUTH,)), "", EVENTS)
PROBLEM = "nothing listens at /run/s; start it with sidecar run --config FILE"


def row(view: View, start: str, under: str = "") -> str:
    """The line that starts so, in the table with this head."""
    lines = printed(page(view, NOW, 80))
    head = next(index for index, line in enumerate(lines) if line.startswith(under))
    return " ".join(next(line for line in lines[head:] if line.startswith(start)).split())


def test_the_first_line_tells_the_whole() -> None:
    first = printed(page(VIEW, NOW, 80))[0]
    assert first == "scalper: ready; up 1 d 2 h; 2 calls in flight; version 1.2.3  08:00:00Z"


def test_a_sidecar_that_is_not_ready_tells_why() -> None:
    status = STATUS.model_copy(update={"state": "not_ready", "detail": "reconciling"})
    first = printed(page(View(replace(glance(), status=status), "", ()), NOW, 80))[0]
    assert first.startswith("scalper: not ready (reconciling);")


@pytest.mark.parametrize(
    ("broker", "words"),
    [
        (WELL, "binance yes ok 2 10"),
        (BROKEN, "oanda no: breaker open probe in 1 min 1 s ok 2 10"),
        (SHUT, "kraken no: banned opens in 2 h ok 2 10"),
        (AWAY, "away no: maintenance asked again in 32 s maintenance 2 10"),
    ],
)
def test_each_broker_tells_whether_orders_go_and_what_comes_next(broker: BrokerReading, words: str) -> None:
    assert row(View(glance(broker), "", ()), broker.name, "BROKER") == words


def test_orders_that_are_alike_are_one_line_after_those_in_doubt() -> None:
    stop = OrderLine(broker="binance", state="working", client_id="stop", reason="NEW", created_at=NOW - 40)
    orders = (stop, stop.model_copy(update={"created_at": NOW - 90}), DOUBT)
    shown = replace(glance(WELL), orders=orders)
    lines = [" ".join(line.split()) for line in printed(page(View(shown, "", ()), NOW, 80))]
    first = lines.index("ORDER STATE AGE WHY")
    assert lines[first + 1 : first + 3] == [
        "oanda bot-7 in doubt 12 s no answer",
        "binance: 2 orders working 1 min 30 s NEW",
    ]


def test_errors_that_are_alike_are_one_line_the_worst_first() -> None:
    expired = ErrorLine(broker="binance", type="order_expired", severity="error", count=2)
    shown = replace(glance(WELL), errors=(expired, AUTH, expired))
    lines = [" ".join(line.split()) for line in printed(page(View(shown, "", ()), NOW, 80))]
    first = lines.index("ERROR SEVERITY TIMES")
    assert lines[first + 1 : first + 3] == ["oanda auth failed critical 4", "binance order expired error 4"]


def test_a_broker_of_which_less_than_all_may_be_used_is_told_with_the_reason() -> None:
    held = DegradationReading(
        DegradationLevel.READ_ONLY, NOW - 60, DegradationCause.MANUAL, "flat for the weekend", NOW + 3600, NOW + 3600
    )
    view = View(glance(replace(WELL, degradation=held)), "", ())
    assert row(view, "binance", "DEGRADED") == "binance read only 1 min in 1 h manual: flat for the weekend"
    assert row(view, "binance", "BROKER").startswith("binance no: read only eases in 1 h")
    assert "DEGRADED" not in "\n".join(printed(page(VIEW, NOW, 80)))


def test_what_comes_next_for_orders_is_the_probe_of_their_own_breaker() -> None:
    pricing = replace(OPEN, group="pricing", retry_at=NOW + 5)
    broker = replace(WELL, breakers=(pricing, OPEN))
    assert row(View(glance(broker), "", ()), "binance", "BROKER").startswith("binance no: breaker open probe in 1 min")


def test_a_long_table_leaves_room_for_those_after_it() -> None:
    doubts = tuple(DOUBT.model_copy(update={"client_id": f"bot-{number}"}) for number in range(40))
    view = View(replace(glance(WELL), orders=doubts, errors=(AUTH,)), "", EVENTS)
    lines = printed(page(view, NOW, 80, 30))
    heads = [line.split()[0] for line in lines if line[:1].isupper()]
    assert heads == ["BROKER", "ORDER", "ERROR", "LIMIT", "LAST"]
    assert len(lines) <= 30


def test_breakers_that_are_not_closed_are_told() -> None:
    assert row(VIEW, "oanda", "BREAKER NOT") == "oanda orders open 50% 0% in 1 min 1 s"
    assert "NOT CLOSED" not in "\n".join(printed(page(View(glance(WELL), "", ()), NOW, 80)))


def test_the_fullest_limit_comes_first_with_its_bar_and_forecast() -> None:
    words = "binance weight_1m [############....] 75% 1800 of 2400 1 min 30 s 3"
    assert row(View(glance(WELL), "", ()), "binance", "LIMIT") == words


def test_a_limit_without_capacity_is_no_division_by_zero() -> None:
    limitless = replace(WELL, limits=(replace(QUIET, capacity=0.0),))
    assert (
        row(View(glance(limitless), "", ()), "binance", "LIMIT")
        == "binance orders_10s [................] 0% 0.5 of 0 0"
    )


def test_orders_in_doubt_and_errors_are_told_where_there_are_any() -> None:
    assert row(FULL, "oanda bot-7") == "oanda bot-7 in doubt 12 s no answer"
    assert row(FULL, "oanda auth") == "oanda auth failed critical 4"
    assert not any(line.startswith(("ORDER ", "ERROR ")) for line in printed(page(VIEW, NOW, 80)))


def test_the_past_is_not_shown_as_the_present() -> None:
    lines = printed(page(View(glance(), PROBLEM, ()), NOW + 30, 80))
    told = " ".join(lines)
    assert f"no answer for 30 s, what follows is the past: {PROBLEM}" in told
    assert "was yes" in told
    assert "was no: maintenance" in told
    assert "asked again" not in told


def test_before_the_first_answer_it_says_what_is_wrong() -> None:
    assert PROBLEM.split(";", maxsplit=1)[0] in " ".join(printed(page(View(None, PROBLEM, ()), NOW, 80)))
    assert "asking ..." in printed(page(View(None, "", ()), NOW, 80))[0]


def test_an_event_that_happened_often_is_counted() -> None:
    view = replace(FULL, events=(Happened(NOW, "gate open again", 12),))
    assert row(view, "08:00:00Z") == "08:00:00Z gate open again (12 times)"


@pytest.mark.parametrize("height", [3, 8, 12, 24, 50, 200])
@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_is_never_larger_than_the_terminal(width: int, height: int) -> None:
    lines = printed(page(FULL, NOW, width, height), width)
    assert len(lines) <= max(height, 2)
    assert max(map(len, lines)) <= width


def test_at_24_lines_of_80_columns_events_keep_their_place() -> None:
    lines = printed(page(FULL, NOW, 80, 24))
    assert "LAST EVENTS" in lines
    assert len(lines) == 24
    assert all(any(line.startswith(name) for line in lines) for name in ("binance", "oanda", "kraken", "away"))


def test_rows_that_are_left_out_are_counted() -> None:
    crowd = View(glance(*(replace(WELL, name=f"broker{number}") for number in range(30))), "", ())
    lines = printed(page(crowd, NOW, 80, 12))
    assert lines[-1] == "... 22 more"


def test_nothing_that_is_shown_can_command_a_terminal() -> None:
    evil = "\x1b[2J\u00e4[bold]"
    order, error = DOUBT.model_copy(update={"client_id": evil}), AUTH.model_copy(update={"type": evil})
    view = View(replace(glance(replace(WELL, name=evil)), orders=(order,), errors=(error,)), evil, ())
    text = "\n".join(printed(page(view, NOW, 120), 120))
    assert text.isascii()
    assert "\x1b" not in text
