"""What of a request may be kept on the disk: all that it asks for, and nothing secret or perishable."""

from collections.abc import Callable
from urllib.parse import unquote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.brokers.profile import Keys, Profile
from sidecar.wire import Headers, Request
from tests.brokers.support import API_KEY, SIGNATURE, form, query
from tests.brokers.test_profiles_hold_for_any_bytes import PROFILES, every_profile, requests_

BINANCE = [PROFILES["binance-usdm"], PROFILES["binance-spot"]]
on_binance = pytest.mark.parametrize("profile", BINANCE, ids=["usdm", "spot"])
SECRET_HEADERS: Headers = (
    (b"X-MBX-APIKEY", API_KEY.encode()),
    (b"authorization", b"Bearer " + API_KEY.encode()),
    (b"Cookie", API_KEY.encode()),
)
SECRETS = ["signature", "timestamp", "apiKey", "%73ignature", "time%73tamp", "SIGNATURE"]
secret_pairs = st.lists(st.sampled_from(SECRETS).map(lambda name: f"{name}={SIGNATURE}"), min_size=1, max_size=4)


def seen(request: Request) -> tuple[str, str, Headers, bytes]:
    return request.method, request.target, request.headers, request.body


def mixed(params: str, pairs: list[str], place: int) -> str:
    parts = params.split("&") if params else []
    return "&".join([*parts[:place], *pairs, *parts[place:]])


@on_binance
@settings(deadline=None, max_examples=150)
@given(request=requests_, in_query=secret_pairs, in_body=secret_pairs, place=st.integers(0, 6))
def test_no_header_and_no_parameter_of_a_signature_survives(
    profile: Profile, request: Request, in_query: list[str], in_body: list[str], place: int
) -> None:
    body = mixed(request.body.decode("latin-1"), in_body, place).encode("latin-1")
    target = f"{request.path}?{mixed(request.query, in_query, place)}"
    kept = profile.unsigned(Request(request.method, target, (*request.headers, *SECRET_HEADERS), body))

    pairs = f"{kept.query}&{kept.body.decode('latin-1')}".split("&")
    names = {unquote_plus(pair.partition("=")[0]) for pair in pairs}
    assert not names & {"signature", "timestamp", "apiKey", "SIGNATURE"}
    assert SIGNATURE not in kept.target
    assert SIGNATURE.encode() not in kept.body
    assert {name.lower() for name, _ in kept.headers} <= {b"content-type"}


@every_profile
@settings(deadline=None, max_examples=100)
@given(request=requests_)
def test_what_is_unsigned_stays_as_it_is(profile: Profile, request: Request) -> None:
    with_secrets = Request(request.method, request.target, (*request.headers, *SECRET_HEADERS), request.body)
    kept = profile.unsigned(with_secrets)
    assert {name.lower() for name, _ in kept.headers} <= {b"content-type", b"accept-datetime-format"}
    assert seen(profile.unsigned(kept)) == seen(kept)


@pytest.mark.parametrize("name", ["binance-usdm", "binance-spot", "oanda"])
@settings(deadline=None, max_examples=100)
@given(request=requests_)
def test_signing_what_was_kept_asks_for_the_same(name: str, request: Request) -> None:
    profile = PROFILES[name]
    signer = profile.signer(Keys("key", "secret", token="token"))
    assert signer is not None
    kept = profile.unsigned(request)
    again = signer.sign(kept, 1_700_000_000.0)
    assert profile.essence(profile.unsigned(again)) == profile.essence(kept)
    if not any(header.lower() == b"x-mbx-apikey" for header, _ in request.headers):
        assert profile.essence(kept) == profile.essence(request)


def test_everything_else_is_kept_byte_for_byte() -> None:
    request = Request(
        "POST",
        "/fapi/v1/order?recvWindow=9000&timestamp=1&a=%3a",
        ((b"content-TYPE", b"application/x-www-form-urlencoded"), (b"User-Agent", b"bot")),
        b"b=+&&newClientOrderId=x%2Fy&signature=ab",
    )
    assert seen(PROFILES["binance-usdm"].unsigned(request)) == (
        "POST",
        "/fapi/v1/order?recvWindow=9000&a=%3a",
        ((b"content-TYPE", b"application/x-www-form-urlencoded"),),
        b"b=+&&newClientOrderId=x%2Fy",
    )


@pytest.mark.parametrize("make", [query, form])
def test_a_kept_order_means_what_it_meant_but_for_its_end(make: Callable[..., Request]) -> None:
    profile = PROFILES["binance-usdm"]
    signed = make("POST", "/fapi/v1/order", symbol="BTCUSDT", newClientOrderId="a")
    before, after = profile.understand(signed), profile.understand(profile.unsigned(signed))
    assert before.expires_at is not None
    assert after.expires_at is None
    assert (after.endpoint, after.client_id, after.costs) == (before.endpoint, before.client_id, before.costs)


def test_oanda_keeps_what_says_how_times_are_written() -> None:
    headers: Headers = ((b"Accept-Datetime-Format", b"UNIX"), (b"Content-Type", b"application/json"))
    request = Request("POST", "/v3/accounts/1/orders", (*headers, *SECRET_HEADERS), b'{"order":{}}')
    kept = PROFILES["oanda"].unsigned(request)
    assert seen(kept) == ("POST", "/v3/accounts/1/orders", headers, b'{"order":{}}')


def test_of_an_unknown_brokers_request_only_method_and_path_are_known_to_be_harmless() -> None:
    request = Request("POST", "/orders?token=x", ((b"Content-Type", b"application/json"),), b'{"password":"x"}')
    assert seen(PROFILES["generic"].unsigned(request)) == ("POST", "/orders", (), b"")
