"""What a person is shown of a sidecar's state."""

import json
from dataclasses import replace

import pytest

from sidecar.api.models import Status
from sidecar.cli.board import as_json, board, can_trade
from sidecar.telemetry.state import (
    BreakerReading,
    BrokerReading,
    CacheReading,
    ConditionReading,
    DegradationReading,
    GateReading,
    LimitState,
)
from sidecar.words import BreakerMode, BreakerState, BrokerState, DegradationCause, DegradationLevel

NOW = 1_800_000_000.0
STATUS = Status(
    bot="scalper", version="1.2.3", uptime_seconds=93_784, state="ready", detail="", calls_in_flight=2, brokers=[]
)
ORDERS = BreakerReading("orders", BreakerState.CLOSED, BreakerMode.AUTO, NOW - 60, 0, 0.0, 0.0, None)
PRICING = replace(ORDERS, group="pricing")
OPEN = replace(ORDERS, state=BreakerState.OPEN, consecutive_failures=5, failure_rate=0.5, retry_at=NOW + 61)
WEIGHT = LimitState("weight_1m", 1800.0, 2400.0, NOW - 1, 90.0, 3)
QUIET = LimitState("orders_10s", 0.5, 300.0, None, None, 0)
BROKER = BrokerReading(
    "binance",
    "binance-usdm",
    "https://x",
    ConditionReading(BrokerState.OK, True, NOW, 0, NOW + 600, False),
    (ORDERS, PRICING),
    (WEIGHT, QUIET),
    GateReading(False, "", None),
    2,
    9.6,
    DegradationReading(DegradationLevel.NONE, NOW, None, "", None, None),
    CacheReading(0, 0),
)
HELD = DegradationReading(
    DegradationLevel.READ_ONLY, NOW - 60, DegradationCause.MANUAL, "flat for the weekend", NOW + 3600, NOW + 3600
)


AWAY = ConditionReading(BrokerState.MAINTENANCE, False, NOW, 1, NOW + 32, False)


def rows(*brokers: BrokerReading, status: Status = STATUS) -> list[str]:
    return [" ".join(line.split()) for line in board(status, brokers, NOW).splitlines()]


def test_the_first_line_tells_the_whole() -> None:
    assert rows(BROKER)[0] == "scalper: ready; up 1 d 2 h; 2 calls in flight; version 1.2.3"


def test_a_sidecar_that_is_not_ready_tells_why() -> None:
    status = STATUS.model_copy(update={"state": "not_ready", "detail": "waiting", "uptime_seconds": 0.2})

    assert rows(BROKER, status=status)[0] == ("scalper: not ready (waiting); up 0 s; 2 calls in flight; version 1.2.3")


def test_a_broker_that_is_well_is_one_line() -> None:
    told = rows(BROKER)

    assert "binance binance-usdm yes ok in 10 min open 2 10" in told
    assert "every breaker is closed" in told


def test_a_breaker_that_is_not_closed_is_told_with_its_next_probe() -> None:
    told = rows(replace(BROKER, breakers=(OPEN, PRICING)))

    (line,) = (row for row in told if row.startswith("binance orders open"))
    assert line == "binance orders open 2027-01-15 07:59:00Z 5 50 % 0 % in 1 min 1 s"
    assert not any(row.startswith("binance pricing") for row in told)


def test_a_broker_of_which_less_than_all_may_be_used_is_told_with_the_reason() -> None:
    told = rows(replace(BROKER, degradation=HELD))

    assert "binance read only 2027-01-15 07:59:00Z in 1 h manual: flat for the weekend" in told
    assert not any(row.startswith("DEGRADATION") for row in rows(BROKER))


def test_limits_are_told_with_their_share_and_forecast() -> None:
    told = rows(BROKER)

    assert "binance weight_1m 1800 2400 75 % 3 1 min 30 s 2027-01-15 07:59:59Z" in told
    assert "binance orders_10s 0.5 300 0.2 % 0 - -" in told


def test_a_shut_gate_is_told_with_its_end() -> None:
    told = rows(replace(BROKER, gate=GateReading(True, "banned", NOW + 7200)))

    assert "binance binance-usdm no: banned ok in 10 min shut for 2 h 2 10" in told


@pytest.mark.parametrize(
    ("broker", "words"),
    [
        (BROKER, "yes"),
        (replace(BROKER, gate=GateReading(True, "rate_limited", NOW)), "no: rate limited"),
        (replace(BROKER, condition=AWAY), "no: maintenance"),
        (replace(BROKER, degradation=HELD), "no: read only"),
        (replace(BROKER, held="authentication: the broker refuses the key"), "no: not ready"),
        (replace(BROKER, degradation=replace(HELD, level=DegradationLevel.CACHED_DATA)), "yes"),
        (replace(BROKER, breakers=(OPEN, PRICING)), "no: breaker open"),
        (replace(BROKER, breakers=(replace(OPEN, state=BreakerState.FORCED_OPEN),)), "no: breaker open"),
        (replace(BROKER, breakers=(replace(OPEN, state=BreakerState.HALF_OPEN),)), "trying: breaker half open"),
        (replace(BROKER, breakers=(ORDERS, replace(OPEN, group="pricing"))), "yes"),
        (replace(BROKER, breakers=(PRICING, replace(OPEN, group="trades"))), "no: breaker open"),
        (replace(BROKER, breakers=()), "yes"),
    ],
)
def test_whether_orders_would_be_sent_is_one_word(broker: BrokerReading, words: str) -> None:
    assert can_trade(broker) == words


def test_columns_are_aligned() -> None:
    table = board(STATUS, [BROKER, replace(BROKER, name="a-much-longer-name")], NOW).split("\n\n")[1].splitlines()

    assert len({line.index("binance-usdm") for line in table[1:]} | {table[0].index("PROFILE")}) == 1


def test_nothing_that_is_shown_can_command_a_terminal() -> None:
    shown = board(STATUS, [replace(BROKER, name="\x1b[2Jä")], NOW)

    assert shown.isascii()
    assert "\x1b" not in shown


def test_json_holds_every_reading() -> None:
    told = json.loads(as_json(STATUS, [BROKER]))

    assert (told["bot"], told["state"], told["uptime_seconds"]) == ("scalper", "ready", 93_784)
    assert told["brokers"][0]["limits"][0] == {
        "limit": "weight_1m",
        "used": 1800.0,
        "capacity": 2400.0,
        "read_at": NOW - 1,
        "exhaustion_seconds": 90.0,
        "waiting": 3,
    }
