import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.api.headers import readable_encodings, sort
from sidecar.api.proxy import split_target


@pytest.mark.parametrize(
    ("asked", "passed_on"),
    [
        (b"gzip, deflate", b"gzip, deflate"),
        (b"gzip;q=1.0,identity; q=0.5, X-GZIP", b"gzip;q=1.0,identity; q=0.5, X-GZIP"),
        (b"gzip, deflate, br, zstd", b"gzip, deflate"),
        (b"br;q=1.0, gzip;q=0.8, *;q=0.1", b"gzip;q=0.8"),
        (b"br", b"identity"),
        (b"*", b"identity"),
    ],
)
def test_encodings_that_the_sidecar_cannot_read_are_not_asked_for(asked: bytes, passed_on: bytes) -> None:
    assert readable_encodings(asked) == passed_on
    assert sort(((b"accept-ENCODING", asked),)).forward == ((b"accept-ENCODING", passed_on),)


def test_no_encoding_is_asked_for_where_the_bot_asked_for_none() -> None:
    assert sort(((b"Accept", b"*/*"),)).forward == ((b"Accept", b"*/*"),)


names = st.sampled_from([b"X-A", b"x-a", b"X-MBX-APIKEY", b"Authorization", b"Cookie", b"Accept-Datetime-Format"])


@given(st.lists(st.tuples(names, st.binary(max_size=5))))
def test_whatever_is_not_for_the_sidecar_goes_on_untouched(headers: list[tuple[bytes, bytes]]) -> None:
    assert sort(headers).forward == tuple(headers)


characters = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


@given(st.text(characters.filter(lambda character: character not in "/?"), min_size=1), st.text(characters))
def test_whatever_follows_the_brokers_name_is_its_target(name: str, rest: str) -> None:
    assert split_target(f"/{name}/{rest}") == (name, f"/{rest}")
