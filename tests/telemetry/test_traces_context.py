"""A bot's trace is continued when it can be understood; anything else begins a new one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.telemetry.context import STATE_LIMIT, parse_traceparent
from tests.telemetry.seen_samples import BOT_SPAN_ID, TRACE_ID

VALID = f"00-{TRACE_ID:032x}-{BOT_SPAN_ID:016x}-01"


@pytest.mark.parametrize("value", [VALID, VALID.encode(), f"  {VALID} "])
def test_a_valid_traceparent_is_continued(value: str | bytes) -> None:
    context = parse_traceparent(value, b"vendor=1,other=2")
    assert (context.trace_id, context.parent_id, context.sampled) == (TRACE_ID, BOT_SPAN_ID, True)
    assert context.state == "vendor=1,other=2"


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)])
def test_only_the_lowest_flag_says_that_the_bot_samples(flags: str, sampled: bool) -> None:
    assert parse_traceparent(VALID[:-2] + flags).sampled is sampled


def test_a_later_version_may_say_more() -> None:
    assert parse_traceparent(f"cc{VALID[2:]}-what-the-future-brings").trace_id == TRACE_ID


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        b"",
        "garbage",
        VALID.upper(),
        VALID + "-more",
        VALID[:-1],
        f"ff{VALID[2:]}",
        f"00-{0:032x}-{BOT_SPAN_ID:016x}-01",
        f"00-{TRACE_ID:032x}-{0:016x}-01",
        f"00-{TRACE_ID:032x}-{BOT_SPAN_ID:016x}-0g",
        b"\xff\xfe" + VALID.encode(),
        f"{VALID},{VALID}",
    ],
)
def test_what_cannot_be_understood_begins_a_new_trace(value: str | bytes | None) -> None:
    context = parse_traceparent(value, "vendor=1")
    assert context.trace_id not in {0, TRACE_ID}
    assert (context.parent_id, context.sampled, context.state) == (0, False, "")


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80)), st.one_of(st.none(), st.binary(max_size=80)))
def test_no_header_whatever_it_holds_breaks_a_call(value: str | bytes, state: bytes | None) -> None:
    assert parse_traceparent(value, state).trace_id


@pytest.mark.parametrize("state", ["x=" + "1" * STATE_LIMIT, "a=\nb=", "a=\u00e9"])
def test_a_tracestate_that_is_too_long_or_not_plain_is_left_out(state: str) -> None:
    assert parse_traceparent(VALID, state).state == ""


def test_two_new_traces_are_two() -> None:
    assert parse_traceparent(None).trace_id != parse_traceparent(None).trace_id
