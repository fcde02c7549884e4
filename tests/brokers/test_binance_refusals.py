"""The sidecar's own answers, held against what real clients make of them."""

import json

import ccxt
import pytest
import requests
from binance.api import API
from binance.error import ClientError, ServerError

from sidecar.brokers._binance import BinanceProfile
from sidecar.brokers.binance_spot import BinanceSpot
from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.brokers.profile import Refusal
from sidecar.wire import Answer, header
from sidecar.words import Outcome, RefusalKind
from tests.brokers.support import ORDER

PROFILES = [BinanceUsdm(), BinanceSpot()]
LOCAL = "http://127.0.0.1:8787/binance"
REAL = {
    "binance-usdm": "https://fapi.binance.com/fapi/v1/order",
    "binance-spot": "https://api.binance.com/api/v3/order",
}
NOT_SENT = (RefusalKind.BREAKER_OPEN, RefusalKind.DEADLINE, RefusalKind.UNREACHABLE, RefusalKind.DEGRADED)
every_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


def refused(profile: BinanceProfile, kind: RefusalKind, retry_after: float | None = None) -> Answer:
    return profile.refuse(Refusal(kind, "it rained", retry_after))


def raised_by_ccxt(profile: BinanceProfile, answer: Answer, url: str) -> Exception:
    exchange = ccxt.binanceusdm() if profile.name == "binance-usdm" else ccxt.binance()
    text = answer.body.decode()

    def handle() -> None:
        """What ccxt does with every answer: its exchange's table first, the status next."""
        exchange.handle_errors(answer.status, answer.reason, url, "POST", {}, text, json.loads(text), {}, None)
        exchange.handle_http_status_code(answer.status, answer.reason, url, "POST", text)

    with pytest.raises(ccxt.BaseError) as caught:
        handle()
    found: Exception = caught.value
    return found


def raised_by_connector(answer: Answer) -> Exception:
    response = requests.Response()
    response.status_code = answer.status
    response._content = answer.body
    with pytest.raises((ClientError, ServerError)) as caught:
        API()._handle_exception(response)
    found: Exception = caught.value
    return found


@every_profile
@pytest.mark.parametrize("kind", RefusalKind)
def test_every_refusal_is_an_error_envelope_that_names_the_sidecar(profile: BinanceProfile, kind: RefusalKind) -> None:
    answer = refused(profile, kind)

    told = json.loads(answer.body)

    assert set(told) == {"code", "msg"}
    assert told["code"] < 0
    assert f", {kind})" in told["msg"]
    assert "it rained (broker-sidecar: " in told["msg"]
    assert header(answer.headers, b"content-type") == b"application/json"


@every_profile
@pytest.mark.parametrize("kind", [kind for kind in RefusalKind if kind is not RefusalKind.BAD_ANSWER])
def test_only_an_unknown_outcome_reads_as_maybe_executed(profile: BinanceProfile, kind: RefusalKind) -> None:
    """`BAD_ANSWER` is left out: only reads are refused so, and nothing about a read is ever in doubt."""
    outcome = profile.classify(ORDER, refused(profile, kind)).outcome

    assert (outcome is Outcome.UNKNOWN) == (kind is RefusalKind.UNKNOWN)


@every_profile
@pytest.mark.parametrize("kind", NOT_SENT)
@pytest.mark.parametrize("redirected", [True, False], ids=["redirected", "real host"])
def test_ccxt_takes_what_was_not_sent_for_a_passing_failure(
    profile: BinanceProfile, kind: RefusalKind, redirected: bool
) -> None:
    caught = raised_by_ccxt(profile, refused(profile, kind), LOCAL if redirected else REAL[profile.name])

    assert isinstance(caught, ccxt.OperationFailed)
    assert not isinstance(caught, ccxt.RequestTimeout)


@every_profile
@pytest.mark.parametrize("kind", [RefusalKind.RATE_LIMITED, RefusalKind.BANNED])
def test_ccxt_takes_a_limit_for_back_pressure(profile: BinanceProfile, kind: RefusalKind) -> None:
    assert isinstance(raised_by_ccxt(profile, refused(profile, kind, 2), LOCAL), ccxt.DDoSProtection)


@every_profile
@pytest.mark.parametrize("redirected", [True, False], ids=["redirected", "real host"])
def test_ccxt_takes_an_unknown_outcome_for_a_timeout(profile: BinanceProfile, redirected: bool) -> None:
    url = LOCAL if redirected else REAL[profile.name]

    assert isinstance(raised_by_ccxt(profile, refused(profile, RefusalKind.UNKNOWN), url), ccxt.RequestTimeout)


@every_profile
def test_ccxt_takes_a_bad_request_for_one(profile: BinanceProfile) -> None:
    assert isinstance(raised_by_ccxt(profile, refused(profile, RefusalKind.BAD_REQUEST), LOCAL), ccxt.BadRequest)


@every_profile
def test_the_connector_reads_the_code_of_a_rate_limit(profile: BinanceProfile) -> None:
    caught = raised_by_connector(refused(profile, RefusalKind.RATE_LIMITED))

    assert isinstance(caught, ClientError)
    assert (caught.status_code, caught.error_code) == (429, -1003)


@every_profile
def test_the_connector_sees_a_server_error_when_the_outcome_is_unknown(profile: BinanceProfile) -> None:
    caught = raised_by_connector(refused(profile, RefusalKind.UNKNOWN))

    assert isinstance(caught, ServerError)
    assert "execution status unknown" in caught.message


def test_on_spot_what_was_not_sent_is_no_server_error_to_the_connector() -> None:
    caught = raised_by_connector(refused(BinanceSpot(), RefusalKind.BREAKER_OPEN))

    assert isinstance(caught, ClientError)
    assert caught.error_code == -1001


@every_profile
def test_bots_that_look_for_the_ambiguous_503_find_it(profile: BinanceProfile) -> None:
    answer = refused(profile, RefusalKind.UNKNOWN)

    assert answer.status == 503
    assert b"Unknown error, please check your request or try again later." in answer.body


@every_profile
def test_retry_after_is_rounded_up_so_that_nobody_comes_early(profile: BinanceProfile) -> None:
    assert header(refused(profile, RefusalKind.RATE_LIMITED, 1.2).headers, b"retry-after") == b"2"


@every_profile
def test_an_unknown_outcome_never_invites_to_send_again(profile: BinanceProfile) -> None:
    assert header(refused(profile, RefusalKind.UNKNOWN, 1.2).headers, b"retry-after") is None


@every_profile
def test_no_end_of_a_ban_is_made_up(profile: BinanceProfile) -> None:
    assert b"banned until" not in refused(profile, RefusalKind.BANNED, 60).body
