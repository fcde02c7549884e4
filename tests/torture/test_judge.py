"""What is held against the sidecar, and what is not."""

import json
from typing import Any

import pytest

from tests.torture.judge import Evidence, Promise, judge
from tests.torture.story import Life, Plan, Then, Way, Word


def life(way: Way, *words: Word, client_id: str = "a", bot: int = 0) -> Life:
    plan = Plan(client_id, "binance", "BTCUSDT", "market", "buy", way, Then.NOTHING)
    return Life(bot, plan, list(words))


def view(state: str, client_id: str = "a", **more: Any) -> dict[str, Any]:
    open_ = state in {"queued", "in_doubt", "sending"}
    told = {"id": f"id-{client_id}", "kind": "order", "client_id": client_id, "state": state, "reason": "because"}
    flags = {"settled": not open_, "final": not open_ and state != "working", "may_have_been_executed": False}
    return told | flags | more


def word(about: str = "place", status: int = 202, fate: str = "", **told: Any) -> Word:
    return Word(1.0, about, status, fate, json.dumps(told).encode())


def entry(status: str = "FILLED", client_id: str = "a") -> dict[str, Any]:
    return {"client_id": client_id, "status": status}


def broken(lives: list[Life], book: list[dict[str, Any]], *accounts: dict[str, Any], audit: Any = ()) -> list[Promise]:
    told = {account["id"]: account for account in accounts}
    return [breach.promise for breach in judge(Evidence(lives, {"binance": book}, told, audit))]


TAKEN = word(**view("queued"))
NEUTRAL = [life(Way.NEUTRAL, TAKEN)]


@pytest.mark.parametrize(
    ("state", "book"),
    [
        ("filled", ["FILLED"]),
        ("working", ["NEW"]),
        ("cancelled", ["CANCELED"]),
        ("cancelled", []),
        ("expired", []),
        ("rejected", []),
        ("dead", []),
    ],
)
def test_a_true_state_is_no_lie(state: str, book: list[str]) -> None:
    assert broken(NEUTRAL, [entry(status) for status in book], view(state)) == []


@pytest.mark.parametrize(
    ("state", "book"),
    [
        ("filled", []),
        ("filled", ["NEW"]),
        ("working", []),
        ("working", ["FILLED"]),
        ("cancelled", ["FILLED"]),
        ("cancelled", ["NEW"]),
        ("expired", ["FILLED"]),
        ("rejected", ["NEW"]),
        ("dead", ["FILLED"]),
    ],
)
def test_a_state_that_the_book_contradicts_is_a_lie(state: str, book: list[str]) -> None:
    assert broken(NEUTRAL, [entry(status) for status in book], view(state)) == [Promise.TRUE]


def test_dead_and_perhaps_executed_is_no_lie() -> None:
    assert broken(NEUTRAL, [entry()], view("dead", may_have_been_executed=True)) == []


def test_cancelled_before_it_was_sent_must_not_be_in_the_book_at_all() -> None:
    account = view("cancelled", reason="cancelled before it was sent")
    assert broken(NEUTRAL, [entry("CANCELED")], account) == [Promise.TRUE]


def test_executed_twice_is_found_however_the_order_was_sent() -> None:
    for way, told in ((Way.NEUTRAL, TAKEN), (Way.PLAIN, word(status=200, fate="ok; attempts=1"))):
        accounts = [view("filled")] if way.carried else []
        assert broken([life(way, told)], [entry(), entry()], *accounts) == [Promise.ONCE]


def test_an_accepted_order_that_nobody_knows_is_lost() -> None:
    assert broken(NEUTRAL, []) == [Promise.KEPT]


def test_an_order_that_was_executed_and_that_nobody_knows_is_lost() -> None:
    assert broken([life(Way.NEUTRAL, word(status=0))], [entry()]) == [Promise.KEPT]


def test_an_accepted_order_that_never_settles_is_lost() -> None:
    assert broken(NEUTRAL, [], view("in_doubt")) == [Promise.KEPT]


def test_an_order_told_as_not_taken_must_not_be_kept() -> None:
    refused = word(status=429, detail="not taken: full")
    assert broken([life(Way.NEUTRAL, refused)], [], view("expired")) == [Promise.TRUE]
    again = word("repeat", 202, **view("queued"))
    assert broken([life(Way.NEUTRAL, refused, again)], [], view("expired")) == []
    perhaps = word(status=503, detail="perhaps taken: ask")
    assert broken([life(Way.NEUTRAL, perhaps)], [], view("expired")) == []


def test_a_final_state_that_changes_is_a_lie() -> None:
    told = [life(Way.NEUTRAL, word(**view("rejected")))]
    assert broken(told, [entry()], view("filled")) == [Promise.TRUE]


def test_a_refusal_that_a_crash_took_away_is_no_lie() -> None:
    told = [life(Way.NEUTRAL, word(**view("rejected")))]
    assert broken(told, [], view("dead", may_have_been_executed=True)) == []


@pytest.mark.parametrize(
    ("fate", "book", "breaches"),
    [
        ("ok; attempts=1", [entry()], []),
        ("ok; attempts=1", [], [Promise.TRUE]),
        ("rejected; attempts=1", [], []),
        ("rejected; attempts=1", [entry()], [Promise.TRUE]),
        ("transient; attempts=0", [entry()], [Promise.TRUE]),
        ("maintenance; attempts=0", [entry()], [Promise.TRUE]),
        ("unknown; attempts=1", [entry()], []),
        ("unknown; attempts=1", [], []),
    ],
)
def test_the_fate_of_a_plain_call_is_held_against_the_book(
    fate: str, book: list[dict[str, Any]], breaches: list[Promise]
) -> None:
    assert broken([life(Way.PLAIN, word(status=200, fate=fate))], book) == breaches


def test_a_refusal_says_nothing_of_what_was_sent_after_it() -> None:
    refused, lost = word(status=507, fate="transient; attempts=0"), word(status=0)
    assert broken([life(Way.KEYED, refused, lost)], [entry()]) == []
    assert broken([life(Way.KEYED, lost, refused)], [entry()]) == [Promise.TRUE]


def test_a_replay_must_be_the_same() -> None:
    first, other = word(status=200, fate="ok", a=1), word("repeat", 200, "ok; from=store", a=2)
    doubt = word("repeat", 504, "unknown; attempts=1; from=store")
    assert broken([life(Way.KEYED, first, first, doubt)], [entry()]) == []
    assert broken([life(Way.KEYED, first, other)], [entry()]) == [Promise.TRUE]


def test_a_cancel_that_was_told_as_done_must_be_done() -> None:
    cancel = view("cancelled", kind="cancel", id="id-cancel")
    told = [life(Way.NEUTRAL, TAKEN, word("take back", **cancel))]
    assert broken(told, [entry("NEW")], view("working"), cancel) == [Promise.TRUE]
    assert broken(told, [entry("CANCELED")], view("cancelled"), cancel) == []
    assert broken(told, [entry("NEW")], view("working")) == [Promise.KEPT]
    plain = [life(Way.PLAIN, word(status=200, fate="ok"), word("cancel", 200, "ok; attempts=1"))]
    assert broken(plain, [entry("NEW")]) == [Promise.TRUE]


def test_orders_of_one_instrument_are_executed_in_turn() -> None:
    lives = [life(Way.NEUTRAL, word(**view("queued", name)), client_id=name) for name in ("a", "b")]
    book = [entry(client_id="b"), entry(client_id="a")]
    accounts = [view("filled", name) for name in ("a", "b")]
    assert broken(lives, book, *accounts) == [Promise.IN_TURN]
    assert broken(lives, book[::-1], *accounts) == []
    accounts[0]["changes"] = [{"state": "in_doubt"}]
    assert broken(lives, book, *accounts) == []


def test_the_audit_log_must_agree() -> None:
    line = {"event": "carried_order_changed", "order": "id-a", "to_state": "expired"}
    assert broken(NEUTRAL, [entry()], view("filled"), audit=[line]) == [Promise.AUDITED]
    assert broken(NEUTRAL, [], view("expired"), audit=[line]) == []
