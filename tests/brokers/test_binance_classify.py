import gzip
import json

import pytest

from sidecar.brokers._binance import BinanceProfile
from sidecar.brokers.binance_spot import BinanceSpot
from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.brokers.profile import REASONS, Verdict
from sidecar.wire import Answer, Request
from sidecar.words import Effect, Outcome
from tests.brokers.support import JSON, ORDER, READ, answer, error, intent

USDM = BinanceUsdm()
SPOT = BinanceSpot()
CANCEL = intent(Effect.REDUCES_RISK, "cancel_order")
SETTING = intent(Effect.OTHER, "set_leverage")
UNKNOWN_TEXT = "Unknown error, please check your request or try again later."
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"

ON_AN_ORDER = [
    ("an accepted order is ok", answer(200, {"orderId": 1}), Outcome.OK, "", ""),
    ("cancelling all answers code 200", answer(200, {"code": 200, "msg": "done"}), Outcome.OK, "", ""),
    ("an answer that is no JSON leaves an order in doubt", answer(200, b"{"), Outcome.UNKNOWN, "bad_answer", ""),
    ("an empty answer leaves an order in doubt", answer(200, b""), Outcome.UNKNOWN, "bad_answer", ""),
    ("no content is content enough", answer(204, b""), Outcome.OK, "", ""),
    ("an error under status 200 is an error", error(200, -2019), Outcome.REJECTED, "declined", "-2019"),
    ("the ambiguous 503 is unknown", answer(503, {"msg": UNKNOWN_TEXT}), Outcome.UNKNOWN, "unclear", ""),
    ("its text wins over a code", error(503, -1001, UNKNOWN_TEXT), Outcome.UNKNOWN, "unclear", "-1001"),
    ("its text is enough without JSON", answer(503, UNKNOWN_TEXT.encode()), Outcome.UNKNOWN, "unclear", ""),
    (
        "'Service Unavailable.' is definite",
        answer(503, {"msg": "Service Unavailable."}),
        Outcome.TRANSIENT,
        "server_error",
        "",
    ),
    ("it is definite without JSON", answer(503, b"Service Unavailable."), Outcome.TRANSIENT, "server_error", ""),
    (
        "a gateway's page with nearly those words is not",
        answer(503, b"<h1>503 Service Unavailable</h1>"),
        Outcome.UNKNOWN,
        "server_error",
        "",
    ),
    ("-1008 is definite", error(503, -1008), Outcome.TRANSIENT, "throttled", "-1008"),
    ("-1001 is definite", error(503, -1001), Outcome.TRANSIENT, "server_error", "-1001"),
    ("-1000 may have executed", error(400, -1000), Outcome.UNKNOWN, "unclear", "-1000"),
    ("-1006 may have executed", error(400, -1006), Outcome.UNKNOWN, "unclear", "-1006"),
    ("-1007 may have executed", error(408, -1007), Outcome.UNKNOWN, "timeout", "-1007"),
    ("408 may have executed", answer(408, b""), Outcome.UNKNOWN, "timeout", ""),
    ("504 may have executed", answer(504, HTML), Outcome.UNKNOWN, "timeout", ""),
    ("an HTML error page may have executed", answer(502, HTML), Outcome.UNKNOWN, "server_error", ""),
    ("an unlisted code under 500 may have executed", error(500, -9999), Outcome.UNKNOWN, "server_error", "-9999"),
    (
        "the maintenance text is maintenance",
        answer(503, {"success": False, "msg": "System is under maintenance."}),
        Outcome.MAINTENANCE,
        "maintenance",
        "",
    ),
    ("429 is a rate limit", answer(429, HTML), Outcome.RATE_LIMITED, "rate_limit", ""),
    ("-1003 is a rate limit", error(429, -1003), Outcome.RATE_LIMITED, "rate_limit", "-1003"),
    ("-1015 is a rate limit", error(400, -1015), Outcome.RATE_LIMITED, "rate_limit", "-1015"),
    ("418 is a ban", answer(418, b""), Outcome.BANNED, "ban", ""),
    ("the firewall's 403 is a ban", answer(403, b"<html>Forbidden</html>"), Outcome.BANNED, "ban", ""),
    ("a place that is not served is fatal", answer(451, {"code": 0, "msg": "…"}), Outcome.FATAL, "auth", ""),
    ("401 without a code is about the key", answer(401, b""), Outcome.FATAL, "auth", ""),
    ("404 without a code is a bad request", answer(404, HTML), Outcome.FATAL, "bad_request", ""),
    ("a redirect is a wrong base URL", answer(302, b""), Outcome.FATAL, "bad_request", ""),
    *(
        (f"{code} is about the clock", error(400, code), Outcome.FATAL, "clock_skew", str(code))
        for code in (-1021, -5028)
    ),
    *(
        (f"{code} is about the key", error(401, code), Outcome.FATAL, "auth", str(code))
        for code in (-1002, -1022, -2014, -2015)
    ),
    *(
        (f"{code} is a bad request", error(400, code), Outcome.FATAL, "bad_request", str(code))
        for code in (-1102, -1125, -1130, -4120)
    ),
    *(
        (f"{code} is the broker's business no", error(400, code), Outcome.REJECTED, "declined", str(code))
        for code in (-1013, -1111, -1121, -2010, -2013, -2018, -2019, -2022, -4116, -4164, -4400, -5021)
    ),
]


@pytest.mark.parametrize(
    ("given", "outcome", "reason", "code"), [line[1:] for line in ON_AN_ORDER], ids=[line[0] for line in ON_AN_ORDER]
)
def test_on_an_order(given: Answer, outcome: Outcome, reason: str, code: str) -> None:
    verdict = USDM.classify(ORDER, given)

    assert (verdict.outcome, verdict.reason, verdict.code) == (outcome, reason, code)
    assert verdict.reason in {"", *REASONS}


def test_a_refused_cancel_is_a_business_no() -> None:
    assert USDM.classify(CANCEL, error(400, -2011)).outcome is Outcome.REJECTED


def test_no_need_to_change_the_margin_type_is_success() -> None:
    assert USDM.classify(SETTING, error(400, -4046)) == Verdict(Outcome.OK)


def test_on_spot_4046_is_another_error() -> None:
    assert SPOT.classify(SETTING, error(400, -4046)).outcome is Outcome.REJECTED


ON_A_READ = [
    ("an object is ok", answer(200, {"a": 1}), Outcome.OK, ""),
    ("a list is ok", answer(200, []), Outcome.OK, ""),
    ("a list with a last line feed is ok", answer(200, b"[]\n"), Outcome.OK, ""),
    ("not modified is ok", answer(304, b""), Outcome.OK, ""),
    ("a page instead of JSON is a failure to repeat", answer(200, HTML), Outcome.TRANSIENT, "bad_answer"),
    ("JSON that is cut short is a failure to repeat", answer(200, b'[{"a":1},{"a'), Outcome.TRANSIENT, "bad_answer"),
    ("an HTML 502 is a failure to repeat", answer(502, HTML), Outcome.TRANSIENT, "server_error"),
    ("the ambiguous 503 leaves nothing in doubt", answer(503, {"msg": UNKNOWN_TEXT}), Outcome.TRANSIENT, "unclear"),
    ("-1007 leaves nothing in doubt", error(408, -1007), Outcome.TRANSIENT, "timeout"),
]


@pytest.mark.parametrize("profile", [USDM, SPOT], ids=["on futures", "on spot"])
@pytest.mark.parametrize(
    ("given", "outcome", "reason"), [line[1:] for line in ON_A_READ], ids=[line[0] for line in ON_A_READ]
)
def test_on_a_read(profile: BinanceProfile, given: Answer, outcome: Outcome, reason: str) -> None:
    verdict = profile.classify(READ, given)

    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_gzipped_answers_are_read() -> None:
    packed = gzip.compress(json.dumps({"code": -2019, "msg": "Margin is insufficient."}).encode())
    given = Answer(400, (*JSON, (b"Content-Encoding", b"gzip")), packed)

    assert USDM.classify(ORDER, given).code == "-2019"


def test_a_gzipped_read_is_ok_without_being_unpacked() -> None:
    assert (
        USDM.classify(READ, Answer(200, ((b"content-encoding", b"gzip"),), gzip.compress(b"[]"))).outcome is Outcome.OK
    )


def test_an_accepted_order_in_an_encoding_that_only_the_bot_undoes_is_ok() -> None:
    assert USDM.classify(ORDER, Answer(200, ((b"Content-Encoding", b"br"),), b"\x0b\x02")).outcome is Outcome.OK


def test_the_head_of_an_unknown_path_has_no_body_to_miss() -> None:
    head = USDM.understand(Request("HEAD", "/fapi/v1/ping", ()))

    assert USDM.classify(head, Answer(200, JSON)).outcome is Outcome.OK


BATCHES = [
    ("all accepted is ok", [{"orderId": 1}, {"orderId": 2}], Outcome.OK),
    ("some accepted is ok", [{"orderId": 1}, {"code": -2019, "msg": "…"}], Outcome.OK),
    ("none accepted is rejected", [{"code": -2019, "msg": "…"}, {"code": -2022, "msg": "…"}], Outcome.REJECTED),
    ("all throttled may be sent again", [{"code": -1008, "msg": "…"}, {"code": -1008, "msg": "…"}], Outcome.TRANSIENT),
    (
        "throttled and declined is rejected",
        [{"code": -1008, "msg": "…"}, {"code": -2019, "msg": "…"}],
        Outcome.REJECTED,
    ),
    ("one in doubt leaves all in doubt", [{"orderId": 1}, {"code": -1007, "msg": "…"}], Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("items", "outcome"), [line[1:] for line in BATCHES], ids=[line[0] for line in BATCHES])
def test_a_batch_with(items: list[object], outcome: Outcome) -> None:
    assert USDM.classify(ORDER, answer(200, items)).outcome is outcome


def test_a_ban_ends_when_the_text_says() -> None:
    msg = "Way too many requests; IP(192.0.2.7) banned until 1700000123456. Please use the websocket."

    verdict = USDM.classify(READ, error(418, -1003, msg))

    assert (verdict.outcome, verdict.until) == (Outcome.BANNED, 1_700_000_123.456)


def test_the_text_of_a_ban_counts_under_429_too() -> None:
    assert USDM.classify(READ, error(429, -1003, "banned until 1700000123456")).outcome is Outcome.BANNED


def test_the_firewall_shuts_out_for_five_minutes() -> None:
    assert USDM.classify(READ, answer(403, HTML)).retry_after == 300


def test_retry_after_in_seconds_is_kept() -> None:
    assert USDM.classify(READ, error(429, -1003, "…", (b"Retry-After", b"7"))).retry_after == 7


def test_retry_after_as_a_date_counts_from_the_date_of_the_answer() -> None:
    headers = (
        (b"Date", b"Tue, 14 Nov 2023 22:13:20 GMT"),
        (b"Retry-After", b"Tue, 14 Nov 2023 22:13:32 GMT"),
    )

    assert USDM.classify(READ, error(429, -1003, "…", *headers)).retry_after == 12


def test_retry_after_as_a_date_without_a_date_is_a_point_in_time() -> None:
    verdict = USDM.classify(READ, error(429, -1003, "…", (b"Retry-After", b"Tue, 14 Nov 2023 22:13:20 GMT")))

    assert (verdict.retry_after, verdict.until) == (None, 1_700_000_000)


def test_retry_after_that_is_nonsense_is_not_kept() -> None:
    verdict = USDM.classify(READ, error(429, -1003, "…", (b"Retry-After", b"later")))

    assert (verdict.retry_after, verdict.until) == (None, None)


SPOT_5XX = [
    ("-1001", error(500, -1001)),
    ("-1008", error(503, -1008)),
    ("a listed refusal", error(500, -2010)),
    ("'Service Unavailable.'", answer(503, b"Service Unavailable.")),
    ("an HTML page", answer(502, HTML)),
]


@pytest.mark.parametrize("given", [line[1] for line in SPOT_5XX], ids=[line[0] for line in SPOT_5XX])
def test_on_spot_every_5xx_leaves_an_order_in_doubt(given: Answer) -> None:
    assert SPOT.classify(ORDER, given).outcome is Outcome.UNKNOWN


def test_on_spot_a_4xx_is_definite() -> None:
    assert SPOT.classify(ORDER, error(400, -1008)).outcome is Outcome.TRANSIENT


@pytest.mark.parametrize(
    ("profile", "text", "limits"),
    [
        (USDM, "Too many new orders; current limit is 300 orders per TEN_SECONDS.", ("orders_10s",)),
        (USDM, "Too many new orders; current limit is 300 orders per 10 SECOND.", ("orders_10s",)),
        (USDM, "Too many new orders; current limit is 1200 orders per MINUTE.", ("orders_1m",)),
        (USDM, "Too many new orders.", ("orders_10s", "orders_1m")),
        (SPOT, "Too many new orders; current limit is 160000 orders per DAY.", ("orders_1d",)),
        (SPOT, "Too many new orders.", ("orders_10s",)),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 429])
def test_too_many_orders_names_the_limit_of_the_account_that_is_used_up(
    profile: BinanceProfile, text: str, limits: tuple[str, ...], status: int
) -> None:
    verdict = profile.classify(ORDER, error(status, -1015, text))
    assert (verdict.outcome, verdict.limits) == (Outcome.RATE_LIMITED, limits)


def test_too_many_requests_is_the_addresss_business_and_names_no_limit() -> None:
    assert USDM.classify(ORDER, error(429, -1003, "Too many requests.")).limits == ()


@pytest.mark.parametrize("items", [[None], ["x"], [{"orderId": 1}, 7], []], ids=str)
def test_a_batch_of_which_something_is_not_told_is_in_doubt(items: list[object]) -> None:
    assert USDM.classify(ORDER, answer(200, items)).outcome is Outcome.UNKNOWN


def test_nothing_to_cancel_is_no_failure() -> None:
    assert USDM.classify(CANCEL, answer(200, [])).outcome is Outcome.OK
