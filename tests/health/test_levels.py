"""What each level lets pass, for everything that a call can be."""

import json
from itertools import pairwise, product
from pathlib import Path

import pytest

from sidecar.brokers.binance_spot import BinanceSpot
from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.brokers.oanda import Oanda
from sidecar.brokers.openalgo import OpenAlgo
from sidecar.brokers.profile import Endpoint, Intent, Profile
from sidecar.brokers.projectx import ProjectX
from sidecar.health.levels import TABLE, Kind, kind_of, treatment
from sidecar.wire import Request
from sidecar.words import DegradationLevel, Effect, Priority

DOCS = Path(__file__).parents[2] / "docs" / "degradation.md"
NONE, RATE_LIMITED, CACHED_DATA, READ_ONLY, EMERGENCY = DegradationLevel

PASSES = {
    (NONE, Effect.READ): "passes",
    (NONE, Effect.OPENS_RISK): "passes",
    (NONE, Effect.REDUCES_RISK): "passes",
    (NONE, Effect.OTHER): "passes",
    (RATE_LIMITED, Effect.READ): "held back",
    (RATE_LIMITED, Effect.OPENS_RISK): "passes",
    (RATE_LIMITED, Effect.REDUCES_RISK): "passes",
    (RATE_LIMITED, Effect.OTHER): "passes",
    (CACHED_DATA, Effect.READ): "held back, may be stale",
    (CACHED_DATA, Effect.OPENS_RISK): "passes",
    (CACHED_DATA, Effect.REDUCES_RISK): "passes",
    (CACHED_DATA, Effect.OTHER): "passes",
    (READ_ONLY, Effect.READ): "held back, may be stale",
    (READ_ONLY, Effect.OPENS_RISK): "refused",
    (READ_ONLY, Effect.REDUCES_RISK): "passes",
    (READ_ONLY, Effect.OTHER): "refused",
    (EMERGENCY, Effect.READ): "refused, may be stale",
    (EMERGENCY, Effect.OPENS_RISK): "refused",
    (EMERGENCY, Effect.REDUCES_RISK): "passes",
    (EMERGENCY, Effect.OTHER): "refused",
}
"""Of a read of market data, where the effect is a read."""

_PRIORITIES = {
    Effect.READ: Priority.MARKET_DATA,
    Effect.OPENS_RISK: Priority.ORDER,
    Effect.REDUCES_RISK: Priority.REDUCE,
    Effect.OTHER: Priority.ACCOUNT,
}


def intent(effect: Effect, priority: Priority, group: str = "accounts", *, stream: bool = False) -> Intent:
    return Intent(Endpoint("any", group, effect, priority, stream=stream), effect, priority)


@pytest.mark.parametrize(("level", "effect"), list(PASSES), ids=str)
def test_every_effect_is_treated_at_every_level_as_the_table_says(level: DegradationLevel, effect: Effect) -> None:
    assert str(treatment(level, intent(effect, _PRIORITIES[effect]))) == PASSES[level, effect]


def test_no_level_and_no_effect_is_left_out() -> None:
    assert set(PASSES) == set(product(DegradationLevel, Effect))


def test_the_table_knows_every_kind_at_every_level() -> None:
    assert {(level, kind) for level, row in TABLE.items() for kind in row} == set(product(DegradationLevel, Kind))


@pytest.mark.parametrize("kind", Kind)
def test_a_higher_level_never_allows_what_a_lower_one_forbids(kind: Kind) -> None:
    for lower, higher in pairwise(DegradationLevel):
        before, after = TABLE[lower][kind], TABLE[higher][kind]
        assert after.refused >= before.refused
        assert after.refused or after.held_back >= before.held_back
        assert after.may_be_stale >= before.may_be_stale


@pytest.mark.parametrize("level", DegradationLevel)
@pytest.mark.parametrize("kind", [Kind.CANCEL, Kind.REDUCE, Kind.SESSION])
def test_the_way_out_of_risk_passes_at_every_level(level: DegradationLevel, kind: Kind) -> None:
    assert str(TABLE[level][kind]) == "passes"


@pytest.mark.parametrize("level", DegradationLevel)
def test_what_must_be_known_to_get_out_of_risk_is_never_refused(level: DegradationLevel) -> None:
    assert not TABLE[level][Kind.ACCOUNT_DATA].refused
    assert not TABLE[level][Kind.STREAM].refused


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (intent(Effect.REDUCES_RISK, Priority.CANCEL), Kind.CANCEL),
        (intent(Effect.REDUCES_RISK, Priority.REDUCE), Kind.REDUCE),
        (intent(Effect.REDUCES_RISK, Priority.ORDER), Kind.REDUCE),
        (intent(Effect.OTHER, Priority.REDUCE), Kind.REDUCE),
        (intent(Effect.OPENS_RISK, Priority.ORDER), Kind.NEW_RISK),
        (intent(Effect.OTHER, Priority.ACCOUNT), Kind.CHANGE),
        (intent(Effect.OTHER, Priority.ACCOUNT, "streaming"), Kind.SESSION),
        (intent(Effect.READ, Priority.ACCOUNT), Kind.ACCOUNT_DATA),
        (intent(Effect.READ, Priority.MARKET_DATA, "pricing"), Kind.MARKET_DATA),
        (intent(Effect.READ, Priority.MARKET_DATA, "streaming", stream=True), Kind.STREAM),
    ],
)
def test_a_call_is_known_by_what_it_does(given: Intent, kind: Kind) -> None:
    assert kind_of(given) is kind


_BINANCE = "/fapi/v1/order?symbol=BTCUSDT&side=SELL&type=MARKET&quantity=1"
_OANDA = "/v3/accounts/1/orders"


@pytest.mark.parametrize(
    ("profile", "request_", "passes"),
    [
        (BinanceUsdm(), Request("POST", _BINANCE, ()), False),
        (BinanceUsdm(), Request("POST", f"{_BINANCE}&reduceOnly=true", ()), True),
        (BinanceUsdm(), Request("DELETE", "/fapi/v1/order?symbol=BTCUSDT&orderId=1", ()), True),
        (BinanceUsdm(), Request("DELETE", "/fapi/v1/allOpenOrders?symbol=BTCUSDT", ()), True),
        (BinanceUsdm(), Request("POST", "/fapi/v1/leverage?symbol=BTCUSDT&leverage=5", ()), False),
        (BinanceUsdm(), Request("PUT", "/fapi/v1/listenKey", ()), True),
        (BinanceUsdm(), Request("GET", "/fapi/v2/positionRisk", ()), True),
        (BinanceUsdm(), Request("POST", "/fapi/v1/unheardOf", ()), False),
        (BinanceSpot(), Request("POST", "/api/v3/order?symbol=BTCUSDT&side=BUY", ()), False),
        (BinanceSpot(), Request("DELETE", "/api/v3/openOrders?symbol=BTCUSDT", ()), True),
        (Oanda(), Request("POST", _OANDA, (), b'{"order":{"type":"MARKET","units":"1"}}'), False),
        (Oanda(), Request("POST", _OANDA, (), b'{"order":{"type":"STOP_LOSS","tradeID":"7"}}'), True),
        (Oanda(), Request("PUT", "/v3/accounts/1/trades/7/close", ()), True),
        (Oanda(), Request("GET", "/v3/accounts/1/transactions/stream", ()), True),
        (ProjectX(), Request("POST", "/api/Order/place", (), json.dumps({"accountId": 1}).encode()), False),
        (ProjectX(), Request("POST", "/api/Position/closeContract", (), b"{}"), True),
        (ProjectX(), Request("POST", "/api/Auth/logout", ()), True),
        (OpenAlgo(), Request("POST", "/api/v1/placeorder", (), b"{}"), False),
        (OpenAlgo(), Request("POST", "/api/v1/cancelorder", (), b"{}"), True),
    ],
    ids=lambda value: value.target if isinstance(value, Request) else None,
)
def test_in_an_emergency_only_what_gets_out_of_risk_passes_at_real_brokers(
    profile: Profile, request_: Request, passes: bool
) -> None:
    assert treatment(EMERGENCY, profile.understand(request_)).refused is not passes


def test_the_page_for_people_shows_this_table() -> None:
    head = ["call", *(f"`{level}`" for level in DegradationLevel)]
    rows = [[kind, *(str(TABLE[level][kind]) for level in DegradationLevel)] for kind in Kind]
    for row in (head, *rows):
        assert f"| {' | '.join(row)} |\n" in DOCS.read_text()
