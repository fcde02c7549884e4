"""The key in the body: put in by the signer, and kept nowhere."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.brokers.openalgo import OpenAlgo
from sidecar.brokers.profile import Keys
from sidecar.wire import Headers, Request
from tests.brokers.support import JSON, body

PROFILE = OpenAlgo()
BOTS, OWN = "ThatOfTheBot7", "ThatOfTheSidecar9"
SIGNER = PROFILE.signer(Keys(key=OWN))
HEADERS: Headers = ((b"Content-Type", b"application/json"), (b"X-API-KEY", BOTS.encode()), (b"User-Agent", b"bot"))

plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20)
fields_ = st.dictionaries(
    st.text(max_size=10).filter(lambda name: name.lower() != "apikey"), plain | st.lists(plain, max_size=3), max_size=6
)


def placed(fields: Any, path: str = "/api/v1/placeorder") -> Request:
    return Request("POST", path, HEADERS, json.dumps(fields).encode())


def everything(request: Request) -> bytes:
    return b"\n".join((request.target.encode(), repr(request.headers).encode(), request.body))


@given(fields=fields_)
def test_signing_puts_the_key_in_and_changes_no_value(fields: dict[str, Any]) -> None:
    signed = SIGNER.sign(placed(fields | {"apikey": BOTS}), 0)

    assert json.loads(signed.body) == fields | {"apikey": OWN}
    assert BOTS.encode() not in everything(signed)


@given(fields=fields_)
def test_what_is_kept_has_no_key_and_every_value(fields: dict[str, Any]) -> None:
    kept = PROFILE.unsigned(placed(fields | {"apikey": BOTS, "ApiKey": BOTS}, f"/api/v1/placeorder?apikey={BOTS}&a=1"))

    assert BOTS.encode() not in everything(kept)
    assert (json.loads(kept.body) if kept.body else {}) == fields
    assert (kept.target, kept.headers) == ("/api/v1/placeorder?a=1", JSON)


@given(fields=fields_)
def test_what_was_kept_is_signed_again_as_it_was_meant(fields: dict[str, Any]) -> None:
    request = placed(fields | {"apikey": BOTS})

    assert json.loads(SIGNER.sign(PROFILE.unsigned(request), 0).body) == json.loads(SIGNER.sign(request, 0).body)


@given(fields=fields_)
def test_the_essence_holds_no_key_but_tells_two_apart(fields: dict[str, Any]) -> None:
    essence = PROFILE.essence(placed(fields | {"apikey": BOTS}))

    assert BOTS.encode() not in essence
    assert essence != PROFILE.essence(placed(fields | {"apikey": OWN}))
    assert essence == PROFILE.essence(placed({"apikey": BOTS} | dict(reversed(fields.items()))))


def test_the_essence_tells_one_order_from_another() -> None:
    orders = [placed({"apikey": BOTS, "quantity": size}) for size in (1, 2)]

    assert len({PROFILE.essence(order) for order in orders}) == 2


@pytest.mark.parametrize("spoilt", [b"{", b'"apikey":"ThatOfTheBot7"', b"\xff", b"[" * 100_000])
def test_a_body_that_cannot_be_read_is_not_kept_and_not_signed(spoilt: bytes) -> None:
    request = Request("POST", "/api/v1/placeorder", HEADERS, spoilt)

    assert PROFILE.unsigned(request).body == b""
    assert SIGNER.sign(request, 0).body == spoilt
    assert BOTS.encode() not in PROFILE.essence(request)


def test_get_takes_the_key_in_the_query() -> None:
    signed = SIGNER.sign(Request("GET", f"/api/v1/instruments?apikey={BOTS}&exchange=NSE", HEADERS), 0)

    assert signed.target == f"/api/v1/instruments?exchange=NSE&apikey={OWN}"
    assert BOTS.encode() not in everything(signed)


def test_an_empty_body_gets_the_key_and_its_content_type() -> None:
    signed = SIGNER.sign(Request("POST", "/api/v1/funds", ()), 0)

    assert (json.loads(signed.body), signed.headers) == ({"apikey": OWN}, JSON)


def test_what_is_not_of_the_api_is_shown_no_key() -> None:
    webhook = body("POST", "/strategy/webhook/some-id", {"symbol": "SBIN"})

    assert SIGNER.sign(webhook, 0) is webhook


def test_an_order_gets_no_id_that_openalgo_would_not_know() -> None:
    request = placed({"apikey": BOTS})

    assert PROFILE.identified(request, "bs-1") is request
