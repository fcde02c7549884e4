import json
from typing import Any

import pytest

from sidecar.brokers.limits import Reading, Scope, WindowSpec
from sidecar.brokers.profile import REASONS, Profile, Refusal
from sidecar.brokers.registry import build
from sidecar.config.model import Broker
from sidecar.wire import Answer, Headers, Request, header
from sidecar.words import Effect, Outcome, Priority, RefusalKind
from tests.brokers.support import ORDER, READ, answer

DATE = (b"Date", b"Tue, 14 Nov 2023 22:13:20 GMT")
NOW = 1_700_000_000


def generic(**settings: Any) -> Profile:
    return build(
        Broker.model_validate({"profile": "generic", "base_url": "https://broker.example", "generic": settings})
    )


CONFIGURED = generic(
    endpoints={
        "place_order": {
            "method": "POST",
            "path": "/v1/accounts/*/orders",
            "group": "orders",
            "effect": "opens_risk",
            "priority": "order",
            "cost": 3,
        },
        "cancel_order": {
            "method": "DELETE",
            "path": "/v1/accounts/*/orders/*",
            "group": "orders",
            "effect": "reduces_risk",
            "priority": "cancel",
        },
        "get_market": {"path": "/v1/market/**", "group": "pricing", "effect": "read", "priority": "market_data"},
        "get_special": {"path": "/v1/market/special/*", "group": "pricing", "effect": "read", "cost": 0},
    },
    transient_statuses=[520],
    maintenance_statuses=[503],
)

PATHS = [
    ("POST", "/v1/accounts/7/orders", "place_order", Effect.OPENS_RISK, Priority.ORDER, 3),
    ("DELETE", "/v1/accounts/7/orders/9", "cancel_order", Effect.REDUCES_RISK, Priority.CANCEL, 1),
    ("GET", "/v1/market/a/b/c", "get_market", Effect.READ, Priority.MARKET_DATA, 1),
    ("GET", "/v1/market", "get_market", Effect.READ, Priority.MARKET_DATA, 1),
    ("GET", "/v1/market/special/7", "get_special", Effect.READ, Priority.ACCOUNT, 0),
    ("GET", "/v1/market/special", "get_market", Effect.READ, Priority.MARKET_DATA, 1),
    ("GET", "/v1/accounts/7/orders", "other_read", Effect.READ, Priority.ACCOUNT, 1),
    ("POST", "/v1/accounts//orders", "other", Effect.OTHER, Priority.ORDER, 1),
    ("PATCH", "/v2/anything", "other", Effect.OTHER, Priority.ORDER, 1),
]


@pytest.mark.parametrize("line", PATHS, ids=[f"{p[0]} {p[1]} is {p[2]}" for p in PATHS])
def test_a_path_means_what_the_configuration_says(line: tuple[str, str, str, Effect, Priority, float]) -> None:
    method, path, name, effect, priority, cost = line

    intent = CONFIGURED.understand(Request(method, f"{path}?a=/b", ()))

    assert (intent.endpoint.name, intent.effect, intent.priority) == (name, effect, priority)
    assert dict(intent.costs).get("requests", 0) == cost
    assert intent.endpoint in CONFIGURED.endpoints


STATUSES = [
    (200, Outcome.OK, ""),
    (204, Outcome.OK, ""),
    (304, Outcome.OK, ""),
    (400, Outcome.REJECTED, "declined"),
    (401, Outcome.FATAL, "auth"),
    (403, Outcome.FATAL, "auth"),
    (405, Outcome.FATAL, "bad_request"),
    (408, Outcome.UNKNOWN, "timeout"),
    (418, Outcome.BANNED, "ban"),
    (422, Outcome.REJECTED, "declined"),
    (429, Outcome.RATE_LIMITED, "rate_limit"),
    (500, Outcome.UNKNOWN, "server_error"),
    (503, Outcome.MAINTENANCE, "maintenance"),
    (504, Outcome.UNKNOWN, "timeout"),
    (520, Outcome.TRANSIENT, "server_error"),
]


@pytest.mark.parametrize(("status", "outcome", "reason"), STATUSES)
def test_the_status_of_an_order_means(status: int, outcome: Outcome, reason: str) -> None:
    verdict = CONFIGURED.classify(ORDER, Answer(status, ()))

    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.reason in {"", *REASONS}


def test_nothing_about_a_read_is_in_doubt() -> None:
    assert CONFIGURED.classify(READ, Answer(500, ())).outcome is Outcome.TRANSIENT


def test_retry_after_is_kept() -> None:
    assert CONFIGURED.classify(ORDER, answer(429, {}, (b"Retry-After", b"3"))).retry_after == 3


BYBIT = generic(
    rate_limit_headers={
        "remaining": "X-Bapi-Limit-Status",
        "limit": "X-Bapi-Limit",
        "reset": "X-Bapi-Limit-Reset-Timestamp",
    }
)
USED = generic(rate_limit_headers={"used": "X-Used"})

READINGS: list[tuple[str, Profile, Headers, tuple[Reading, ...]]] = [
    (
        "the usual X-RateLimit headers with a reset in Unix seconds",
        CONFIGURED,
        ((b"x-ratelimit-limit", b"200"), (b"X-RateLimit-Remaining", b"150"), (b"X-RateLimit-Reset", b"1700000060")),
        (Reading("requests", 50, 200, NOW + 60),),
    ),
    (
        "a reset in milliseconds",
        BYBIT,
        (
            (b"X-Bapi-Limit", b"10"),
            (b"X-Bapi-Limit-Status", b"9"),
            (b"X-Bapi-Limit-Reset-Timestamp", b"1700000001500"),
        ),
        (Reading("requests", 1, 10, NOW + 1.5),),
    ),
    (
        "a reset in seconds from the date of the answer",
        CONFIGURED,
        (DATE, (b"X-RateLimit-Limit", b"10"), (b"X-RateLimit-Remaining", b"4"), (b"X-RateLimit-Reset", b"30")),
        (Reading("requests", 6, 10, NOW + 30),),
    ),
    ("what is used", USED, ((b"X-Used", b"12"),), (Reading("requests", 12),)),
    (
        "the RateLimit field with its policy",
        CONFIGURED,
        (DATE, (b"RateLimit-Policy", b'"burst";q=100;w=60'), (b"RateLimit", b'"burst";r=25;t=30')),
        (Reading("requests", 75, 100, NOW + 30),),
    ),
    (
        "the nearest of several limits",
        CONFIGURED,
        (
            (b"RateLimit-Policy", b'"minute";q=100;w=60, "day";q=1000;w=86400'),
            (b"RateLimit", b'"minute";r=90;t=30, "day";r=10;t=3000'),
        ),
        (Reading("requests", 990, 1000),),
    ),
    (
        "the RateLimit field as it was spelt before",
        CONFIGURED,
        (DATE, (b"RateLimit", b"limit=100, remaining=50, reset=5"), (b"RateLimit-Policy", b"100;w=10")),
        (Reading("requests", 50, 100, NOW + 5),),
    ),
    ("headers that tell nothing", CONFIGURED, (DATE, (b"Content-Type", b"text/html")), ()),
    ("a remainder without a limit", CONFIGURED, ((b"X-RateLimit-Remaining", b"4"),), ()),
    ("numbers that are none", USED, ((b"X-Used", b"nan"),), ()),
]


@pytest.mark.parametrize(
    ("profile", "headers", "readings"), [line[1:] for line in READINGS], ids=[line[0] for line in READINGS]
)
def test_readings_of(profile: Profile, headers: Headers, readings: tuple[Reading, ...]) -> None:
    assert tuple(profile.readings(headers)) == readings


def test_a_policy_teaches_the_window() -> None:
    given = answer(200, {}, (b"RateLimit-Policy", b'"burst";q=100;w=10'), (b"RateLimit", b'"burst";r=25;t=3'))

    assert CONFIGURED.learn(READ, given) == (WindowSpec("requests", 100, 10, Scope.ACCOUNT),)


def test_without_a_policy_nothing_is_learnt() -> None:
    assert CONFIGURED.learn(READ, answer(200, {}, (b"X-RateLimit-Limit", b"10"))) == ()


@pytest.mark.parametrize("kind", RefusalKind)
def test_a_refusal_is_a_problem_document(kind: RefusalKind) -> None:
    given = CONFIGURED.refuse(Refusal(kind, "it rained"))

    told = json.loads(given.body)

    assert header(given.headers, b"content-type") == b"application/problem+json"
    assert told["status"] == given.status
    assert told["type"] == f"urn:broker-sidecar:{kind}"
    assert told["detail"].startswith("it rained (broker-sidecar: ")


@pytest.mark.parametrize("kind", RefusalKind)
def test_only_an_unknown_outcome_is_refused_with_504(kind: RefusalKind) -> None:
    assert (CONFIGURED.refuse(Refusal(kind, "it rained")).status == 504) == (kind is RefusalKind.UNKNOWN)


def test_a_status_of_no_special_meaning_that_asks_to_wait_is_heard() -> None:
    profile = build(Broker.model_validate({"profile": "generic", "base_url": "http://127.0.0.1:1"}))
    assert profile.classify(READ, answer(503, b"", (b"Retry-After", b"30"))).retry_after == 30
