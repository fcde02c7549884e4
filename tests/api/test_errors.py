"""What the control API tells of errors."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.alerting.ledger import Ledger
from sidecar.alerting.registry import Registry
from sidecar.alerting.types import ErrorType
from sidecar.api.error_routes import ErrorRoutes
from sidecar.clock import VirtualClock
from sidecar.telemetry.events import Bus
from tests.api.support import House, get, house, post

START = 1_800_000_000.0


class Kept:
    """A house with a registry."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.registry = Registry(Bus(self.clock), self.clock, Ledger(None, self.clock))
        self.house: House

    async def get(self, target: str) -> Any:
        told = await self.house.ask(get(target))
        assert told.status == 200, told.body
        return json.loads(told.body)

    async def refusal(self, target: str) -> tuple[int, str]:
        told = await self.house.ask(get(target))
        return told.status, json.loads(told.body)["detail"]


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    made = Kept()
    async with house(tmp_path, more=ErrorRoutes(made.registry, made.clock).routes()) as made.house:
        yield made


async def test_an_error_is_told_with_all_that_helps(kept: Kept) -> None:
    kept.registry.happened(ErrorType.AUTH_FAILED, "binance", "orders", {"code": "-2015"})

    told = await kept.get("/v1/errors")

    assert told["summary"] == {
        "total": 1,
        "unresolved": 1,
        "unresolved_by_severity": {"critical": 1, "error": 0, "warning": 0, "info": 0},
        "by_type": {"auth_failed": 1},
        "by_broker": {"binance": 1},
    }
    (error,) = told["errors"]
    assert {name: error[name] for name in ("type", "severity", "category", "broker", "subject", "count")} == {
        "type": "auth_failed",
        "severity": "critical",
        "category": "permanent",
        "broker": "binance",
        "subject": "orders",
        "count": 1,
    }
    assert (error["first"], error["last"], error["resolved"], error["resolved_at"]) == (START, START, False, None)
    assert error["context"] == {"code": "-2015"}
    assert error["suggestion"].startswith("Check the key")
    assert await kept.get(f"/v1/errors/{error['id']}") == error


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["limit_near", "stream_lost"]),
        ("?type=stream_lost", ["stream_lost"]),
        ("?type=stream_lost&type=limit_near", ["limit_near", "stream_lost"]),
        ("?broker=oanda", ["limit_near"]),
        ("?severity=error", ["stream_lost"]),
        ("?resolved=true", ["limit_near"]),
        ("?resolved=false", ["stream_lost"]),
        ("?since=5m", ["limit_near"]),
        ("?since=1800000500", ["limit_near"]),
        ("?since=2027-01-15T08:05:00", ["limit_near"]),
        ("?limit=1", ["limit_near"]),
    ],
)
async def test_the_filters(kept: Kept, query: str, found: list[str]) -> None:
    kept.registry.happened(ErrorType.STREAM_LOST, "binance", "prices")
    kept.clock.advance(600)
    kept.registry.happened(ErrorType.LIMIT_NEAR, "oanda", "weight")
    kept.registry.ended(ErrorType.LIMIT_NEAR, "oanda", "weight")

    assert [error["type"] for error in (await kept.get(f"/v1/errors{query}"))["errors"]] == found


@pytest.mark.parametrize(
    ("target", "detail"),
    [
        ("/v1/errors?type=nonsense", "no such type: nonsense; there are auth_failed, "),
        ("/v1/errors?severity=bad", "no such severity: bad; there are critical, error, warning, info"),
        ("/v1/errors?resolved=maybe", "resolved takes true or false"),
        ("/v1/errors?since=yesterday", "since takes Unix seconds, ISO 8601, or how long ago"),
        ("/v1/errors?since=nan", "since takes Unix seconds, ISO 8601, or how long ago"),
        ("/v1/errors?limit=0", "limit must be a whole number from 1 to 1000"),
        ("/v1/errors/patterns?within=-1", "within takes seconds"),
        ("/v1/errors/patterns?within=nan", "within takes seconds"),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_what_would(kept: Kept, target: str, detail: str) -> None:
    status, said = await kept.refusal(target)
    assert status == 400
    assert said.startswith(detail)


async def test_a_person_says_that_it_is_over(kept: Kept) -> None:
    kept.registry.happened(ErrorType.ORDER_DEAD, "binance", "order-7")
    (record,) = kept.registry.all()

    told = await kept.house.ask(post(f"/v1/errors/{record.id}/resolve", b'{"reason": "it was filled"}'))

    assert told.status == 200
    answered = json.loads(told.body)
    assert (answered["resolved"], answered["resolution"], answered["note"]) == (True, "manual", "it was filled")
    assert kept.registry.lasting() == []


@pytest.mark.parametrize("body", [b"{}", b'{"reason": ""}', b'{"reason": "x", "more": 1}'])
async def test_an_error_is_not_resolved_without_a_reason(kept: Kept, body: bytes) -> None:
    kept.registry.happened(ErrorType.ORDER_DEAD, "binance", "order-7")
    (record,) = kept.registry.all()

    assert (await kept.house.ask(post(f"/v1/errors/{record.id}/resolve", body))).status == 400
    assert record.resolved is None


async def test_an_error_that_is_not_there(kept: Kept) -> None:
    assert (await kept.refusal("/v1/errors/0123456789abcdef"))[0] == 404
    told = await kept.house.ask(post("/v1/errors/0123456789abcdef/resolve", b'{"reason": "x"}'))
    assert told.status == 404


async def test_patterns(kept: Kept) -> None:
    for _ in range(2):
        kept.registry.happened(ErrorType.BROKER_DOWN, "binance")
        kept.clock.advance(2)
        kept.registry.happened(ErrorType.STREAM_LOST, "binance", "prices")
        kept.registry.ended(ErrorType.BROKER_DOWN, "binance")
        kept.registry.ended(ErrorType.STREAM_LOST, "binance")
        kept.clock.advance(100)

    told = await kept.get("/v1/errors/patterns?within=5")

    assert told["correlated"] == [{"first": "broker_down", "then": "stream_lost", "times": 2, "share": 1.0}]
    assert told["most_frequent"] == [["broker_down", 2], ["stream_lost", 2]]
    assert [rate["last_hour"] for rate in told["rates"]] == [2, 2]


async def test_the_description_has_all_four(kept: Kept) -> None:
    paths = (await kept.get("/v1/openapi.json"))["paths"]
    assert {path for path in paths if "errors" in path} == {
        "/v1/errors",
        "/v1/errors/patterns",
        "/v1/errors/{id}",
        "/v1/errors/{id}/resolve",
    }
