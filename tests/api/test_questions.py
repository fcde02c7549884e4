"""What a query asks for is taken as it is meant, or refused in words."""

import json

import pytest

from sidecar.api.problem import RefusedError
from sidecar.api.questions import count, number, until_final
from sidecar.api.routes import Asked


def asked(**query: str) -> Asked:
    return Asked({}, {name: [text] for name, text in query.items()})


def test_what_is_not_said_is_the_usual() -> None:
    assert number(asked(), "wait", 5, 300) == 5
    assert count(asked(), "limit", 100, 1000) == 100
    assert not until_final(asked())


def test_what_is_said_is_taken() -> None:
    assert number(asked(wait="2.5"), "wait", 5, 300) == 2.5
    assert count(asked(limit="7"), "limit", 100, 1000) == 7
    assert until_final(asked(until="final"))


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "301", "soon"])
def test_a_number_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        number(asked(wait=text), "wait", 0, 300)
    assert json.loads(refused.value.answer.body)["detail"] == "wait must be a number from 0 to 300"


@pytest.mark.parametrize("text", ["0", "0.5", "1.5", "1001", "nan", "inf", "all"])
def test_a_count_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        count(asked(limit=text), "limit", 100, 1000)
    assert json.loads(refused.value.answer.body)["detail"] == "limit must be a whole number from 1 to 1000"


def test_an_end_that_nobody_knows_is_refused() -> None:
    with pytest.raises(RefusedError) as refused:
        until_final(asked(until="doomsday"))
    assert refused.value.answer.status == 400
