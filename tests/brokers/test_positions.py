"""What is held is read from what the brokers answer, and closed by a request that can open nothing."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.brokers.positions import Position, TellsPositions
from sidecar.brokers.profile import Inexpressible
from sidecar.wire import Answer
from sidecar.words import Effect, Side
from tests.brokers.test_profiles_hold_for_any_bytes import PROFILES, any_json

ACCOUNT = "101-001-1-001"
SYMBOL = {"symbol": "BTCUSDT", "positionSide": "BOTH"}
OANDA_ACCOUNTS = {"accounts": [{"id": ACCOUNT, "tags": []}]}
PROJECTX_ACCOUNTS = {"success": True, "errorCode": 0, "accounts": [{"id": 7, "name": "a"}]}
EURUSD = {"instrument": "EUR_USD", "long": {"units": "100"}, "short": {"units": "0"}}
CONTRACT = {"contractId": "CON.F.US.MES.U25", "type": 2, "size": 3}

HELD: dict[str, tuple[list[Any], tuple[Position, ...]]] = {
    "one way": ([[SYMBOL | {"positionAmt": "0.500"}]], (Position("BTCUSDT", Side.BUY, Decimal("0.500")),)),
    "short": ([[SYMBOL | {"positionAmt": "-2"}]], (Position("BTCUSDT", Side.SELL, Decimal(2)),)),
    "nothing": ([[SYMBOL | {"positionAmt": "0.000"}]], ()),
    "empty": ([[]], ()),
    "hedged": (
        [
            [
                SYMBOL | {"positionAmt": "1", "positionSide": "LONG"},
                SYMBOL | {"positionAmt": "-3", "positionSide": "SHORT"},
            ]
        ],
        (
            Position("BTCUSDT", Side.BUY, Decimal(1), leg="LONG"),
            Position("BTCUSDT", Side.SELL, Decimal(3), leg="SHORT"),
        ),
    ),
    "oanda": ([OANDA_ACCOUNTS, {"positions": [EURUSD]}], (Position("EUR_USD", Side.BUY, Decimal(100), ACCOUNT),)),
    "oanda both": (
        [OANDA_ACCOUNTS, {"positions": [EURUSD | {"short": {"units": "-5"}}]}],
        (
            Position("EUR_USD", Side.BUY, Decimal(100), ACCOUNT),
            Position("EUR_USD", Side.SELL, Decimal(5), ACCOUNT),
        ),
    ),
    "oanda none": ([OANDA_ACCOUNTS, {"positions": []}], ()),
    "projectx": (
        [PROJECTX_ACCOUNTS, {"success": True, "errorCode": 0, "positions": [CONTRACT]}],
        (Position("CON.F.US.MES.U25", Side.SELL, Decimal(3), "7"),),
    ),
}
UNCLEAR: dict[str, list[Any]] = {
    "one way": [[SYMBOL | {"positionAmt": "much"}]],
    "short": [[SYMBOL | {"positionAmt": "1", "positionSide": "UP"}]],
    "hedged": [{"code": -1, "msg": "no"}],
    "oanda": [OANDA_ACCOUNTS, {"errorMessage": "no"}],
    "oanda both": [OANDA_ACCOUNTS, {"positions": [{"instrument": "EUR_USD", "long": {"units": "1"}}]}],
    "oanda none": [{"accounts": [{}]}],
    "projectx": [PROJECTX_ACCOUNTS, {"success": False, "errorCode": 1, "positions": []}],
}


def named(story: str) -> str:
    name = story.split(maxsplit=1)[0]
    return name if name in PROFILES else "binance-usdm"


def profile(story: str) -> TellsPositions:
    found = PROFILES[named(story)]
    assert isinstance(found, TellsPositions)
    return found


def told(asked: TellsPositions, answers: Iterable[Any], status: int = 200) -> tuple[Position, ...] | None:
    """What the profile makes of a broker's answers, the last of which is given to whatever it asks besides."""
    asking = asked.positions()
    next(asking)
    try:
        for said in answers:
            asking.send(Answer(status, (), json.dumps(said).encode()))
    except StopIteration as end:
        found: tuple[Position, ...] | None = end.value
        return found
    raise AssertionError("it asks for more")


@pytest.mark.parametrize("story", HELD)
def test_what_is_held_is_read(story: str) -> None:
    answers, held = HELD[story]
    assert told(profile(story), answers) == held


@pytest.mark.parametrize("story", UNCLEAR)
def test_an_answer_that_cannot_be_read_is_not_taken_for_nothing(story: str) -> None:
    assert told(profile(story), UNCLEAR[story]) is None


@pytest.mark.parametrize("story", ["one way", "oanda", "projectx"])
def test_neither_is_a_refusal(story: str) -> None:
    assert told(profile(story), HELD[story][0], status=500) is None


@given(st.sampled_from(["binance-usdm", "oanda", "projectx"]), any_json, any_json)
def test_whatever_a_broker_answers_nothing_raises(name: str, first: object, second: object) -> None:
    accounts = {"binance-usdm": list[Any](), "oanda": [OANDA_ACCOUNTS], "projectx": [PROJECTX_ACCOUNTS]}[name]
    wrapped = {"success": True, "positions": [first, second]}
    assert told(profile(name), [*accounts, [first, second]]) is None
    found = told(profile(name), [*accounts, wrapped])
    assert found is None or all(held.quantity > 0 for held in found)


@pytest.mark.parametrize("story", [name for name, (_, held) in HELD.items() if held])
def test_what_closes_a_position_can_only_reduce(story: str) -> None:
    understand = PROFILES[named(story)].understand
    for position in HELD[story][1]:
        intent = understand(profile(story).closing(position, "bs-1"))
        assert intent.effect is Effect.REDUCES_RISK
        assert intent.client_id == ("" if story == "projectx" else "bs-1")


def test_binance_is_told_the_leg_in_hedge_mode_and_else_to_reduce() -> None:
    asked = profile("one way")
    one_way = asked.closing(Position("BTCUSDT", Side.BUY, Decimal("0.5")), "bs-1")
    assert one_way.body.decode() == (
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.5&reduceOnly=true&newClientOrderId=bs-1&newOrderRespType=RESULT"
    )
    hedged = asked.closing(Position("BTCUSDT", Side.SELL, Decimal(2), leg="SHORT"), "bs-1")
    assert "side=BUY" in hedged.body.decode()
    assert "positionSide=SHORT" in hedged.body.decode()
    assert "reduceOnly" not in hedged.body.decode()


def test_projectx_closes_a_contract_as_a_whole() -> None:
    request = profile("projectx").closing(HELD["projectx"][1][0], "bs-1")
    assert (request.path, json.loads(request.body)) == (
        "/api/Position/closeContract",
        {"accountId": 7, "contractId": "CON.F.US.MES.U25"},
    )


def test_an_account_that_cannot_be_one_is_refused() -> None:
    for story in ("oanda", "projectx"):
        with pytest.raises(Inexpressible):
            profile(story).closing(Position("X", Side.BUY, Decimal(1), "../7"), "bs-1")


@pytest.mark.parametrize("name", ["binance-spot", "openalgo", "generic"])
def test_where_positions_cannot_be_told_apart_from_anything_else_nobody_asks(name: str) -> None:
    assert not isinstance(PROFILES[name], TellsPositions)
