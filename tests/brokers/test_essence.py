"""Which requests a profile takes for the same one, and which for another."""

from collections.abc import Callable

import pytest

from sidecar.brokers.profile import Profile
from sidecar.wire import Request
from tests.brokers.support import body, form, query
from tests.brokers.test_profiles_hold_for_any_bytes import PROFILES

USDM = PROFILES["binance-usdm"]
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "1"}
PATH = "/fapi/v1/order"


def plain(text: str, headers: tuple[tuple[bytes, bytes], ...] = (), content: bytes = b"") -> Request:
    return Request("POST", text, headers, content)


@pytest.mark.parametrize("make", [query, form])
@pytest.mark.parametrize("name", ["binance-usdm", "binance-spot"])
def test_on_binance_a_signature_is_no_part_of_it(name: str, make: Callable[..., Request]) -> None:
    signed = make("POST", PATH, **ORDER)
    again = make("POST", PATH, **ORDER, recvWindow=9000)
    again.query = again.query.replace("timestamp=1", "timestamp=2").replace("signature=5f", "signature=6a")
    again.body = again.body.replace(b"timestamp=1", b"timestamp=2").replace(b"signature=5f", b"signature=6a")
    assert (again.query, again.body) != (signed.query, signed.body)
    assert PROFILES[name].essence(again) == PROFILES[name].essence(signed)


def test_on_binance_the_order_of_parameters_says_nothing() -> None:
    assert USDM.essence(plain(f"{PATH}?a=1&b=2")) == USDM.essence(plain(f"{PATH}?b=2&a=1"))


@pytest.mark.parametrize(
    "other",
    [
        plain(f"{PATH}?a=2&b=2"),
        plain(f"{PATH}?a=1"),
        plain(f"{PATH}?a=1&b=2&b=3"),
        plain(f"{PATH}?a=1", content=b"b=2"),
        plain(f"{PATH}?a=1&b=2", ((b"X-MBX-APIKEY", b"another account's"),)),
        plain("/fapi/v1/algoOrder?a=1&b=2"),
        Request("PUT", f"{PATH}?a=1&b=2", ()),
    ],
    ids=["value", "fewer", "more", "place", "account", "path", "method"],
)
def test_on_binance_anything_else_makes_another_request(other: Request) -> None:
    assert USDM.essence(other) != USDM.essence(plain(f"{PATH}?a=1&b=2"))


@pytest.mark.parametrize("profile", [PROFILES["oanda"], PROFILES["generic"]], ids=["oanda", "generic"])
def test_elsewhere_the_same_bytes_make_the_same_request(profile: Profile) -> None:
    first = body("POST", "/v3/accounts/1/orders", {"order": {"units": "1"}})
    assert profile.essence(first) == profile.essence(body("POST", "/v3/accounts/1/orders", {"order": {"units": "1"}}))
    assert profile.essence(first) != profile.essence(body("POST", "/v3/accounts/1/orders", {"order": {"units": "2"}}))
    assert profile.essence(first) != profile.essence(body("POST", "/v3/accounts/2/orders", {"order": {"units": "1"}}))
    assert profile.essence(first) != profile.essence(body("PUT", "/v3/accounts/1/orders", {"order": {"units": "1"}}))


def test_an_unknown_broker_s_accounts_are_told_apart_by_who_asks() -> None:
    mine, yours = (plain("/orders", ((b"Authorization", token),)) for token in (b"Bearer mine", b"Bearer yours"))
    assert PROFILES["generic"].essence(mine) != PROFILES["generic"].essence(yours)
