import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.telemetry.audit.clean import LONGEST, clean, clean_fields, clean_text, without_queries

NAMES = ("signature", "apikey", "api_key", "api-key", "secret", "token", "authorization", "listenKey", "passphrase")
VALUES = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789+/_-.", min_size=8, max_size=64).map(lambda text: f"Q9{text}")
CASES = st.sampled_from([str.lower, str.upper, str.title, str])
FORMS = st.sampled_from(
    [
        "{name}={value}",
        "{name}: {value}",
        "{name} = {value}",
        '"{name}":"{value}"',
        "'{name}': '{value}'",
        '\\"{name}\\": \\"{value}\\"',
        "{name}%3D{value}",
        "{name}%3a{value}",
        "X-MBX-{name}: {value}",
        "{name}: Bearer {value}",
        "('{name}', '{value}')",
        "(b'{name}', b'{value}')",
        "my{name}2={value}&more=1",
        "{name}:\n{value}",
        "[{name}]: {value}",
    ]
)


@given(name=st.sampled_from(NAMES), case=CASES, form=FORMS, value=VALUES, before=st.text(max_size=300))
def test_no_secret_survives_in_a_text(name: str, case: type[str], form: str, value: str, before: str) -> None:
    assert value not in clean_text(before + form.format(name=case(name), value=value) + " after", longest=2000)


@given(name=st.sampled_from(NAMES), case=CASES, value=VALUES, prefix=st.sampled_from(["", "x_", "X-MBX-", "the "]))
def test_no_member_named_like_a_secret_survives(name: str, case: type[str], value: str, prefix: str) -> None:
    cleaned = clean_fields({"deep": {prefix + case(name): value, "side": "BUY"}})
    assert cleaned == {"deep": {"side": "BUY"}}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@given(JUNK)
def test_whatever_comes_can_be_written_as_json(value: object) -> None:
    json.dumps(clean(value), allow_nan=False)


def test_long_texts_are_cut() -> None:
    assert clean_text("x" * 10_000) == "x" * (LONGEST - 1) + "…"


@pytest.mark.parametrize(
    "text", ["BTCUSDT", "2026-11-22T12:00:00Z", "Margin is insufficient.", "code=-2019, msg=Margin is insufficient."]
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert clean_text(text) == text


def test_a_query_is_taken_out_of_urls_and_paths() -> None:
    text = "GET https://host/fapi/v1/order?symbol=BTC&signature=abc failed; '/v3/x?y=1' too"
    assert without_queries(text) == "GET https://host/fapi/v1/order?… failed; '/v3/x?…' too"
