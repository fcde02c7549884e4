"""Whatever a bot sends and whatever a broker answers: no profile raises, and no secret stays."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.brokers.profile import REASONS, Profile
from sidecar.brokers.registry import build
from sidecar.config.model import Broker
from sidecar.wire import Answer, Headers, Request
from sidecar.words import Effect, OrderState, Outcome
from tests.brokers.support import API_KEY, SIGNATURE

PROFILES: dict[str, Profile] = {
    name: build(Broker.model_validate({"profile": name, "base_url": "https://broker.example"}))
    for name in ("binance-usdm", "binance-spot", "oanda", "projectx", "openalgo", "generic")
}
every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)

PATHS = [
    "/fapi/v1/order",
    "/fapi/v1/batchOrders",
    "/fapi/v1/depth",
    "/fapi/v1/exchangeInfo",
    "/api/v3/order",
    "/api/v3/ticker",
    "/sapi/v1/x",
    "/v3/accounts/1/orders",
    "/v3/accounts/1/orders/@x/cancel",
    "/v3/accounts/1/trades/7/orders",
    "/v3/accounts/1/positions/EUR_USD/close",
    "/api/Order/place",
    "/api/Order/cancel",
    "/api/Auth/loginKey",
    "/api/Position/closeContract",
    *(f"/api/v1/{name}" for name in ("placeorder", "placesmartorder", "basketorder", "cancelallorder", "quotes")),
]
NAMES = [
    "symbol",
    "symbols",
    "limit",
    "timestamp",
    "recvWindow",
    "reduceOnly",
    "side",
    "positionSide",
    "newClientOrderId",
    "origClientOrderId",
    "batchOrders",
]

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TRANSACTIONS = [
    "orderCancelTransaction",
    "orderCreateTransaction",
    "orderFillTransaction",
    "orderRejectTransaction",
]
KEYS = [
    "code",
    "msg",
    "rateLimits",
    "limit",
    "order",
    "clientExtensions",
    "id",
    "errorCode",
    "errorMessage",
    "orderId",
    "algoId",
]
GATEWAY = ["success", "customTag", "accountId", "contractId", "orders"]
OPENALGO = ["orderid", "results", "message", "apikey", "data", "order_status"]
OTHERS = ["status", "algoStatus", "stopLoss", "type"]
known_keys = st.sampled_from([*KEYS, *TRANSACTIONS, *GATEWAY, *OPENALGO, *OTHERS])
near_json = st.dictionaries(known_keys, any_json | st.dictionaries(known_keys, any_json, max_size=3), max_size=5)
bodies = st.one_of(
    st.binary(max_size=200),
    any_json.map(lambda value: json.dumps(value).encode()),
    near_json.map(lambda value: json.dumps(value).encode()),
    st.lists(near_json, max_size=3).map(lambda value: json.dumps(value).encode()),
    st.just(b"[" * 100_000),
    st.just(b'{"code":' + b"9" * 5000 + b"}"),
)
header_names = st.sampled_from(
    b"Retry-After Date Content-Encoding X-MBX-USED-WEIGHT-1M x-mbx-order-count-10s RateLimit RateLimit-Policy "
    b"X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset".split()
)
ODD_VALUES = [
    *b"gzip br deflate -5 1e400 nan".split(),
    b"limit=1, remaining=2",
    b'"a";q=1;w=0',
    b'"a";r=1;t=2',
    b"Thu, 01 Jan 1970 00:00:00 GMT",
    b"Fri, 31 Dec 9999 23:59:59 -2359",
    b" " * 1000,
    b'"' * 1000,
    b";a=" * 300,
]
header_values = st.binary(max_size=40) | st.sampled_from(ODD_VALUES)
headers_: st.SearchStrategy[Headers] = st.lists(
    st.tuples(header_names | st.binary(max_size=20), header_values), max_size=6
).map(tuple)
text = st.text(st.characters(codec="utf-8"), max_size=30)
parameters = st.lists(st.tuples(st.sampled_from(NAMES) | text, text.map(quote) | text), max_size=6).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
requests_ = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "BREW"]),
    target=st.builds(lambda path, query: f"{path}?{query}", st.sampled_from(PATHS) | text, parameters),
    headers=headers_,
    body=bodies | parameters.map(str.encode),
)
answers = st.builds(Answer, st.integers(100, 599), headers_, bodies)
ok_answers = st.builds(Answer, st.just(200), headers_, bodies)


@every_profile
@settings(deadline=None, max_examples=150)
@given(request=requests_, answer=answers | ok_answers)
def test_no_bytes_make_a_profile_raise(profile: Profile, request: Request, answer: Answer) -> None:
    intent = profile.understand(request)
    verdict = profile.classify(intent, answer)
    facts = profile.facts(request, answer)
    readings = profile.readings(answer.headers)
    learnt = profile.learn(intent, answer)
    essence = profile.essence(request)

    assert essence == profile.essence(request)
    assert intent.endpoint in profile.endpoints
    assert all(cost > 0 for _, cost in intent.costs)
    assert verdict.reason in {"", *REASONS}
    assert (verdict.reason == "") == (verdict.outcome is Outcome.OK)
    assert verdict.retry_after is None or verdict.retry_after >= 0
    assert all(isinstance(kept, str) for fields in (facts.request, facts.response) for kept in fields.values())
    assert all(reading.used is None or reading.used >= 0 for reading in readings)
    assert {spec.name for spec in learnt} <= {limit.name for limit in profile.limits}


@every_profile
@settings(deadline=None, max_examples=150)
@given(request=requests_, answer=answers | ok_answers)
def test_no_bytes_make_a_profile_raise_when_it_carries_an_order(
    profile: Profile, request: Request, answer: Answer
) -> None:
    profile.unsigned(request)
    profile.lane(request)
    progress = profile.progress(request, answer)
    cancel = profile.cancellation(request)
    look = profile.look(request, profile.understand(request), lambda: 0.0)

    assert progress is None or len(progress.detail) <= 200
    assert progress is None or progress.state.final or progress.state is OrderState.WORKING
    assert cancel is None or cancel.target.isascii()
    assert cancel is None or cancel.target.isprintable()
    assert look is None or next(look).target


@every_profile
@settings(deadline=None, max_examples=100)
@given(request=requests_, answer=answers)
def test_a_read_is_never_left_in_doubt(profile: Profile, request: Request, answer: Answer) -> None:
    intent = profile.understand(request)
    outcome = profile.classify(intent, answer).outcome

    assert not (outcome is Outcome.UNKNOWN and intent.effect is Effect.READ)


@every_profile
@settings(deadline=None, max_examples=100)
@given(request=requests_, status=st.integers(500, 599), body=st.binary(max_size=100))
def test_a_server_error_without_a_known_text_never_lets_an_order_be_resent(
    profile: Profile, request: Request, status: int, body: bytes
) -> None:
    intent = profile.understand(request)
    outcome = profile.classify(intent, Answer(status, (), b"<html>" + body)).outcome

    assert intent.effect is Effect.READ or outcome is Outcome.UNKNOWN


@every_profile
@settings(deadline=None, max_examples=100)
@given(request=requests_, answer=answers, at_the_front=st.booleans())
def test_secrets_of_the_query_and_the_headers_are_never_kept(
    profile: Profile, request: Request, answer: Answer, at_the_front: bool
) -> None:
    secrets = f"signature={SIGNATURE}&apiKey={API_KEY}"
    query = f"{secrets}&{request.query}" if at_the_front else f"{request.query}&{secrets}"
    headers: Headers = ((b"X-MBX-APIKEY", API_KEY.encode()), (b"Authorization", b"Bearer " + API_KEY.encode()))
    signed = Request(request.method, f"{request.path}?{query}", headers, request.body)

    kept = repr(profile.understand(signed)) + repr(profile.facts(signed, answer))

    assert SIGNATURE not in kept
    assert API_KEY not in kept
