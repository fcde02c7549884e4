"""Events become one line of words, and no event can break the view."""

import dataclasses
import string
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.cli.live.telling import _WORDS, QUIET, told
from sidecar.telemetry.events import Event

KINDS = {kind.__name__: kind for kind in get_args(Event)}


@pytest.mark.parametrize("kind", sorted(_WORDS))
def test_the_words_for_an_event_use_the_fields_that_it_has(kind: str) -> None:
    used = {name for _, name, _, _ in string.Formatter().parse(_WORDS[kind]) if name}
    assert used <= {field.name for field in dataclasses.fields(KINDS[kind])}


def test_what_is_too_much_to_tell_is_not_told() -> None:
    assert set(KINDS) >= QUIET
    assert [kind for kind in QUIET if told(kind, {}) is not None] == []
    assert told("CallFinished", {"broker": "oanda", "outcome": "ok"}) is None


def test_an_order_is_told_of_when_it_ends_or_is_in_doubt() -> None:
    fields = {"broker": "oanda", "kind": "order", "client_id": "bot-7", "instrument": "EUR_USD", "reason": "no answer"}
    assert told("OrderStateChanged", fields | {"to_state": "sending"}) is None
    assert told("OrderStateChanged", fields | {"to_state": "in_doubt"}) == (
        "oanda order bot-7 EUR_USD: in_doubt (no answer)"
    )


def test_a_transition_is_told_with_its_reason() -> None:
    fields = {"broker": "oanda", "group": "orders", "from_state": "closed", "to_state": "open", "reason": "failures"}
    assert told("BreakerTransition", fields) == "oanda breaker orders: closed -> open (failures)"


def test_an_event_without_words_of_its_own_is_told_by_its_fields() -> None:
    fields = {"broker": "oanda", "level": "reduced", "note": "", "trail": [1]}
    assert told("LevelChanged", fields) == "oanda level changed: level=reduced"


@given(
    st.sampled_from([*sorted(KINDS), "New"]),
    st.dictionaries(st.sampled_from(["broker", "reason", "seconds", "used"]), st.none() | st.text() | st.floats()),
)
def test_no_event_breaks_the_view(kind: str, fields: dict[str, object]) -> None:
    words = told(kind, fields)
    assert words is None or (words.isascii() and words.isprintable())
