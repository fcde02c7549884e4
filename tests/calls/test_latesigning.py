"""A sidecar with keys of its own signs each transmission afresh, by the broker's clock."""

import json
from typing import Any

import pytest

from sidecar.brokers._binance_rules import value
from sidecar.calls.transport import MaybeSent
from sidecar.telemetry.events import ClockOffsetLearnt, RetryScheduled
from sidecar.wire import Request
from sidecar.words import ClockSource, Outcome
from tests.calls.scripted import DEFINITE, FILLED, READ, Bench, Step, answer, order

SIGN = {"key": "k", "secret": "s"}
STALE = answer(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})


def bench(*script: Step, **settings: Any) -> Bench:
    return Bench(script, **{"credentials": SIGN, "retry": {"jitter": 0}, **settings})


def stamps(world: Bench) -> list[float]:
    """The timestamps of the orders sent, in seconds since the start."""
    sent = [request for request in world.wire.requests if request.method == "POST"]
    return [int(value(request.query, "timestamp=")) / 1000 - 1_800_000_000 for request in sent]


def test_each_attempt_is_signed_when_it_leaves() -> None:
    world = bench(DEFINITE, DEFINITE, FILLED)
    assert world.call(order()).fate.outcome is Outcome.OK
    assert stamps(world) == pytest.approx([0.0, 1.1, 3.2], abs=0.002)


def test_the_bots_own_window_does_not_end_the_retries() -> None:
    world = bench(DEFINITE, DEFINITE, DEFINITE, FILLED)
    long_ago = str(int(world.clock.now() * 1000) - 60_000)
    assert world.call(order(timestamp=long_ago, recvWindow="2000", signature="dummy")).fate.outcome is Outcome.OK
    assert world.attempts == 4


def test_an_order_without_an_id_leaves_with_one_that_stays_the_same_and_is_on_the_record() -> None:
    world = bench(DEFINITE, FILLED)
    world.call(order())
    first, second = (value(request.query, "newClientOrderId=") for request in world.wire.requests)
    assert first == second
    assert first.startswith("bs-")
    assert len(first) == 23
    assert ("newClientOrderId", first) in world.finished.request


def test_two_orders_never_share_an_id() -> None:
    world = bench(FILLED)
    for _ in range(50):
        world.call(order())
    assert len({value(request.query, "newClientOrderId=") for request in world.wire.requests}) == 50


def test_ids_are_left_out_when_the_configuration_says_so() -> None:
    world = bench(FILLED, credentials={**SIGN, "add_client_ids": False})
    world.call(order())
    assert "newClientOrderId" not in world.wire.requests[0].query


def test_a_stale_signature_is_made_anew_once_by_the_brokers_clock() -> None:
    world = bench(STALE, answer(200, {"serverTime": 1_800_000_030_150}), FILLED)
    result = world.call(order())
    assert (result.fate.outcome, result.fate.attempts) == (Outcome.OK, 2)
    assert [request.path for request in world.wire.requests][1] == "/fapi/v1/time"
    assert 30 <= stamps(world)[1] <= 30.4
    assert [event.source for event in world.events(ClockOffsetLearnt)] == [ClockSource.SERVER_TIME]
    assert [event.reason for event in world.events(RetryScheduled)] == ["clock_skew"]


def test_a_signature_that_stays_stale_is_told_to_the_bot() -> None:
    world = bench(STALE, answer(200, {"serverTime": 1_800_000_030_150}), STALE)
    result = world.call(order())
    assert result.answer is STALE
    assert world.attempts == 3


def test_without_the_brokers_time_nothing_is_sent_again() -> None:
    world = bench(STALE, answer(503, "<html>"))
    assert world.call(order()).answer is STALE
    assert stamps(world) == [0.0]


def test_a_lookup_key_leaves_the_bots_signature_alone() -> None:
    world = bench(FILLED, credentials={**SIGN, "use": "lookup"})
    request = order(timestamp="1", signature="the-bots")
    world.call(request)
    assert world.wire.requests == [request]


def test_a_public_read_is_not_signed() -> None:
    world = bench(FILLED)
    world.call(READ)
    assert world.wire.requests[0].target == READ.target


def test_oanda_is_shown_the_sidecars_token_and_orders_get_an_id() -> None:
    world = bench(answer(201, {"orderCreateTransaction": {}}), profile="oanda", credentials={"token": "real"})
    body = b'{"order": {"units": 1.10, "instrument": "EUR_USD", "type": "MARKET"}}'
    world.call(Request("POST", "/v3/accounts/1/orders", ((b"Authorization", b"Bearer dummy"),), body))
    (sent,) = world.wire.requests
    assert sent.headers == ((b"Authorization", b"Bearer real"),)
    assert b'"units": 1.10,' in sent.body
    assert json.loads(sent.body)["order"]["clientExtensions"]["id"].startswith("bs-")


def test_an_order_that_the_sidecar_signed_is_found_by_the_id_that_it_added() -> None:
    truth = answer(200, {"status": "NEW", "side": "BUY", "time": 1_800_000_000_000})
    world = bench(MaybeSent("reset", "x"), truth)
    assert world.call(order()).answer is truth
    placed, asked = world.wire.requests
    assert value(asked.query, "origClientOrderId=") == value(placed.query, "newClientOrderId=")
