"""Late signing for Binance: what is signed, what is replaced, and what stays as the bot wrote it."""

import base64
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.brokers.profile import Keys
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.signing import check_signature, check_time
from sidecar.wire import Request, header

# [doc] Spot REST API, "SIGNED endpoint examples": key, secret and the signatures of the three ways to send an order.
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ORDER = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
NOW = 1499827319.559
SIGNED = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
FORM = ((b"Content-Type", b"application/x-www-form-urlencoded"),)

PROFILE = BinanceUsdm()
SIGNER = PROFILE.signer(Keys(key=KEY, secret=SECRET))
PATH = "/fapi/v1/order"


def test_an_order_in_the_query_is_signed_as_the_documentation_shows() -> None:
    sent = SIGNER.sign(Request("POST", f"{PATH}?{ORDER}", ()), NOW)
    assert sent.target == f"{PATH}?{ORDER}&timestamp=1499827319559&signature={SIGNED}"
    assert header(sent.headers, b"x-mbx-apikey") == KEY.encode()


def test_an_order_in_the_body_is_signed_there() -> None:
    sent = SIGNER.sign(Request("POST", PATH, FORM, ORDER.encode()), NOW)
    assert sent.target == PATH
    assert sent.body.decode() == f"{ORDER}&timestamp=1499827319559&signature={SIGNED}"


def test_an_order_in_both_is_signed_as_the_documentation_shows() -> None:
    query, body = ORDER.split("&quantity=")
    sent = SIGNER.sign(Request("POST", f"{PATH}?{query}", FORM, f"quantity={body}".encode()), NOW)
    assert sent.query == query
    assert sent.body.endswith(b"signature=0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77")


def test_what_the_bot_signed_with_is_replaced() -> None:
    own = ((b"X-MBX-APIKEY", b"the-bots"), (b"User-Agent", b"bot"))
    target = f"{PATH}?timestamp=1&{ORDER}&signature=abc"
    sent = SIGNER.sign(Request("POST", target, own), NOW)
    assert sent.target == f"{PATH}?{ORDER}&timestamp=1499827319559&signature={SIGNED}"
    assert sent.headers == ((b"User-Agent", b"bot"), (b"X-MBX-APIKEY", KEY.encode()))


def test_a_request_without_a_window_gets_the_documented_one() -> None:
    sent = SIGNER.sign(Request("GET", "/fapi/v3/account", ()), NOW)
    assert sent.query.startswith("recvWindow=5000&timestamp=1499827319559&signature=")


def test_each_signing_has_a_fresh_time() -> None:
    once = SIGNER.sign(Request("POST", f"{PATH}?{ORDER}", ()), NOW)
    again = SIGNER.sign(once, NOW + 2)
    assert "timestamp=1499827321559" in again.target
    assert again.target.count("timestamp=") == again.target.count("signature=") == 1


@pytest.mark.parametrize("path", ["/fapi/v1/ticker/price?symbol=BTCUSDT", "/fapi/v1/listenKey", "/fapi/v1/new?a=b"])
def test_what_is_public_or_unknown_and_unsigned_stays_so(path: str) -> None:
    sent = SIGNER.sign(Request("GET", path, ()), NOW)
    assert sent.target == path


def test_an_unknown_read_that_the_bot_signed_is_signed() -> None:
    sent = SIGNER.sign(Request("GET", "/fapi/v1/new?a=b&timestamp=1&signature=x", ()), NOW)
    assert sent.target.startswith("/fapi/v1/new?a=b&recvWindow=5000&timestamp=1499827319559&signature=")


def test_an_ed25519_key_signs_what_its_public_half_verifies() -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    sent = PROFILE.signer(Keys(key=KEY, private_key=pem)).sign(Request("POST", f"{PATH}?{ORDER}", ()), NOW)
    payload, _, signature = sent.query.partition("&signature=")
    private.public_key().verify(base64.b64decode(unquote(signature)), payload.encode())
    assert "+" not in signature
    assert "/" not in signature


@pytest.mark.parametrize("text", ["hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"])
def test_a_private_key_that_is_none_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(ValueError, match="Ed25519") as refused:
        PROFILE.signer(Keys(key=KEY, private_key=text))
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_keys_have_no_telling_repr(tmp_path: Path) -> None:  # noqa: ARG001 - kept apart from every real file
    assert SECRET not in repr(Keys(key=KEY, secret=SECRET))
    assert SECRET not in repr(SIGNER)


PARAMS = st.lists(
    st.tuples(
        st.sampled_from(["symbol", "side", "newClientOrderId", "timestamp", "signature", "recvWindow_", "x%2Fy"]),
        st.text("abcXYZ019.%-_:*", max_size=12),
    ),
    max_size=6,
).map(lambda pairs: "&".join(f"{key}={text}" for key, text in pairs))


@given(PARAMS, PARAMS, st.sampled_from(["GET", "POST", "DELETE", "PUT"]))
def test_whatever_the_bot_sent_is_signed_so_that_the_exchange_accepts_it(query: str, body: str, method: str) -> None:
    own_body = b"" if method == "GET" else body.encode()
    target = f"/fapi/v1/unheard-of?{query}&signature=x"
    sent = SIGNER.sign(Request(method, target, FORM, own_body), NOW)
    check_signature(SECRET, sent.query, sent.body.decode("latin-1"))
    pairs = [pair.partition("=") for pair in f"{sent.query}&{sent.body.decode('latin-1')}".split("&")]
    assert [key for key, _, _ in pairs].count("timestamp") == 1
    check_time(Parameters({key: text for key, _, text in pairs if key in {"timestamp", "recvWindow"}}), int(NOW * 1000))


@pytest.mark.parametrize(
    ("path", "name"), [(PATH, "newClientOrderId"), ("/fapi/v1/algoOrder", "clientAlgoId"), ("/api/v3/order", "")]
)
def test_an_order_without_an_id_is_given_one(path: str, name: str) -> None:
    request = PROFILE.identified(Request("POST", f"{path}?symbol=BTCUSDT", ()), "bs-1")
    assert request.target == f"{path}?symbol=BTCUSDT&{name or 'newClientOrderId'}=bs-1"


def test_an_order_in_a_form_is_given_its_id_there() -> None:
    request = PROFILE.identified(Request("POST", PATH, FORM, b"symbol=BTCUSDT"), "bs-1")
    assert (request.target, request.body) == (PATH, b"symbol=BTCUSDT&newClientOrderId=bs-1")


@pytest.mark.parametrize(("method", "query"), [("POST", "newClientOrderId=own"), ("DELETE", "symbol=BTCUSDT")])
def test_an_id_of_the_bots_own_stays_and_nothing_but_orders_gets_one(method: str, query: str) -> None:
    request = Request(method, f"{PATH}?{query}", ())
    assert PROFILE.identified(request, "bs-1") is request
