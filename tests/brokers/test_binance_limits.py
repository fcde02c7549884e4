import gzip
import json

import pytest

from sidecar.brokers.binance_spot import BinanceSpot
from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.brokers.limits import Reading, Scope, WindowSpec
from sidecar.wire import Answer
from tests.brokers.support import JSON, answer, query

USDM = BinanceUsdm()
SPOT = BinanceSpot()

ANNOUNCED = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 4800},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 500},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 2000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
    {"rateLimitType": "ORDERS", "interval": "HOUR", "intervalNum": 7, "limit": 9},
]
EXCHANGE_INFO = {"timezone": "UTC", "rateLimits": ANNOUNCED, "symbols": [{"symbol": f"S{n}"} for n in range(9000)]}
LEARNT = {"weight_1m": 4800, "orders_10s": 500, "orders_1m": 2000}


def test_futures_weight_counts_for_the_address_and_orders_for_the_account() -> None:
    assert {(spec.name, spec.scope) for spec in USDM.limits} == {
        ("weight_1m", Scope.ADDRESS),
        ("orders_10s", Scope.ACCOUNT),
        ("orders_1m", Scope.ACCOUNT),
    }


@pytest.mark.parametrize("spelling", [bytes.lower, bytes.upper, bytes.title])
def test_usage_headers_are_read_in_any_casing(spelling: object) -> None:
    names = [b"x-mbx-used-weight-1m", b"x-mbx-order-count-10s", b"x-mbx-order-count-1m"]
    headers = tuple((spelling(name), b"%d" % (7 + index)) for index, name in enumerate(names))  # type: ignore[operator]

    assert USDM.readings(headers) == (Reading("weight_1m", 7), Reading("orders_10s", 8), Reading("orders_1m", 9))


@pytest.mark.parametrize("value", [b"", b"many", b"-1", b"nan", b"1e5", b"9" * 400])
def test_a_usage_header_that_is_no_count_tells_nothing(value: bytes) -> None:
    assert USDM.readings(((b"X-MBX-USED-WEIGHT-1M", value),)) == ()


def test_headers_of_other_intervals_tell_nothing() -> None:
    assert USDM.readings(((b"X-MBX-USED-WEIGHT", b"5"), (b"X-MBX-USED-WEIGHT-5M", b"5"))) == ()


def test_spot_reads_the_headers_of_sapi_as_limits_of_their_own() -> None:
    headers = (
        (b"x-mbx-used-weight-1m", b"1"),
        (b"x-mbx-order-count-1d", b"2"),
        (b"X-SAPI-USED-IP-WEIGHT-1M", b"3"),
        (b"X-SAPI-USED-UID-WEIGHT-1M", b"4"),
    )

    told = {reading.limit: reading.used for reading in SPOT.readings(headers)}

    assert told == {"weight_1m": 1, "orders_1d": 2, "sapi_ip_weight_1m": 3, "sapi_uid_weight_1m": 4}


def learnt(given: Answer) -> dict[str, float]:
    specs = USDM.learn(USDM.understand(query("GET", "/fapi/v1/exchangeInfo")), given)
    assert all(isinstance(spec, WindowSpec) for spec in specs)
    return {spec.name: spec.capacity for spec in specs if isinstance(spec, WindowSpec)}


def test_exchange_info_announces_the_capacities() -> None:
    assert learnt(answer(200, EXCHANGE_INFO)) == LEARNT


def test_a_gzipped_exchange_info_announces_them_too() -> None:
    packed = gzip.compress(json.dumps(EXCHANGE_INFO).encode())

    assert learnt(Answer(200, (*JSON, (b"Content-Encoding", b"gzip")), packed)) == LEARNT


def test_what_is_learnt_keeps_header_window_and_scope() -> None:
    specs = USDM.learn(USDM.understand(query("GET", "/fapi/v1/exchangeInfo")), answer(200, EXCHANGE_INFO))

    assert WindowSpec("weight_1m", 4800, 60, Scope.ADDRESS, b"x-mbx-used-weight-1m") in specs


def test_the_account_announces_its_own_order_limits() -> None:
    intent = USDM.understand(query("GET", "/fapi/v1/rateLimit/order"))

    names = [spec.name for spec in USDM.learn(intent, answer(200, ANNOUNCED[1:3]))]

    assert names == ["orders_10s", "orders_1m"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b'{"rateLimits":',
        {"rateLimits": []},
        {"rateLimits": [1, None]},
        {"rateLimits": [{**ANNOUNCED[0], "limit": 0}]},
        {"rateLimits": [{**ANNOUNCED[0], "limit": "many"}]},
        {"rateLimits": [{**ANNOUNCED[0], "intervalNum": 10**30}]},
    ],
)
def test_an_announcement_without_a_usable_limit_teaches_nothing(payload: object) -> None:
    assert learnt(answer(200, payload)) == {}


def test_other_endpoints_teach_nothing() -> None:
    assert USDM.learn(USDM.understand(query("GET", "/fapi/v1/depth")), answer(200, EXCHANGE_INFO)) == ()
