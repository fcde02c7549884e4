"""Events become sentences that a person understands."""

from typing import Any

import pytest

from sidecar.demo import telling
from sidecar.demo.chronicle import Chronicle, Happening, Record


def happening(kind: str, at: float = 0.0, **facts: Any) -> Happening:
    return Happening(kind, at, {"broker": "binance", **facts})


def call(**facts: Any) -> Happening:
    usual = {"endpoint": "get_ticker", "outcome": "ok", "attempts": 1, "waited": 0.0, "why": None, "request": {}}
    return happening("CallFinished", **{**usual, **facts})


def transition(state: str, at: float = 0.0, reason: str = "failures") -> Happening:
    return happening("BreakerTransition", at, group="pricing", to_state=state, reason=reason, retry_in=3.04)


def turned(state: str, at: float = 0.0) -> Happening:
    return happening("BrokerStateChanged", at, to_state=state, reason="503", probe_in=3.04)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            happening("GateShut", outcome="rate_limited", seconds=2.9996),
            "binance said too many requests (429): gate shut for 3 s",
        ),
        (turned("maintenance"), "binance is under maintenance (503); next look in 3 s"),
        (turned("ok"), "binance is back"),
        (happening("GateShut", outcome="banned", seconds=120.0), "binance banned this address: gate shut for 120 s"),
        (transition("open"), "binance pricing breaker OPEN, too many failures in a row; next probe in 3 s"),
        (transition("half_open", reason="recovery"), "binance pricing breaker half open: one call may probe"),
        (
            happening("RetryDenied", endpoint="place_order", reason="reset", why="unsafe"),
            "binance place_order: the connection was reset; not resent, because the broker may have executed it",
        ),
        (
            happening("RetryScheduled", endpoint="get_ticker", reason="maintenance", attempt=1, delay=1.234),
            "binance get_ticker: the broker is under maintenance; attempt 2 follows in 1.2 s",
        ),
        (happening("RetryDenied", endpoint="place_order", reason="declined", why="fatal"), ""),
        (call(), ""),
    ],
)
def test_an_event_is_told_in_one_sentence(event: Happening, words: str) -> None:
    assert telling.sentence(event) == words


def test_a_rate_limit_is_summed_up_by_what_it_cost_the_bots() -> None:
    record = Record(
        [
            happening("GateShut", outcome="rate_limited", seconds=3.0),
            call(waited=3.1),
            call(waited=1.0),
            call(),
            call(attempts=0, why="rate_limited"),
        ]
    )
    assert telling.rate_limit(record, "binance") == (
        "429 from binance: gate shut for 3 s; 2 calls waited (the longest for 3.1 s); 1 was refused"
    )


def test_an_outage_is_summed_up_by_what_the_broker_did_not_have_to_hear() -> None:
    refused = [call(attempts=0, why="maintenance")] * 4
    away = [turned("maintenance", 10.0), turned("ok", 13.5)]
    told = telling.outage(Record([*away, *refused]), "binance", hits=3)
    assert "it was away for 3.5 s and saw only 3 requests in that time" in told
    assert "4 calls heard `not sent` at once" in told


def test_an_order_in_doubt_is_told_with_what_the_book_says() -> None:
    order = call(endpoint="place_order", outcome="unknown", request={"newClientOrderId": "mine-1"})
    assert telling.doubt(order, "filled", 1) == (
        "order mine-1: the broker may have executed it: not resent; the bot was told `unknown` and looked it up: "
        "filled; the book says: executed once"
    )
    assert telling.doubt(order, "filled", 2).endswith("EXECUTED 2 TIMES")


def test_an_order_that_the_sidecar_looked_up_is_told_with_what_the_book_says() -> None:
    order = call(endpoint="place_order", outcome="ok", request={"clientExtensions.id": "mine-1"})
    assert telling.found_out(order, 1) == (
        "order mine-1: the broker may have executed it: not resent; the sidecar asked the broker by the order's id and "
        "told the bot `ok`; the book says: executed once"
    )


def test_the_chronicle_keeps_a_chapters_events_and_counts_all() -> None:
    chronicle = Chronicle(lambda: 7.0)
    facts = {"broker": "oanda", "endpoint": "place_order", "why": "unsafe"}
    with chronicle.recorded() as record:
        chronicle.hear("RetryDenied", facts)
    chronicle.hear("RetryDenied", facts)
    chronicle.hear("dropped", {"count": 5})
    assert [event.at for event in record.of("RetryDenied", "oanda", why="unsafe")] == [7.0]
    assert record.of("RetryDenied", "binance") == []
    assert (chronicle.counts["RetryDenied"], chronicle.denied["unsafe"], chronicle.missed) == (2, 2, 5)
