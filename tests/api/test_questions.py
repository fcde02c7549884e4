"""What a query asks for is taken as it is meant, or refused in words."""

import json
from collections.abc import Callable

import pytest

from sidecar.api.problem import RefusedError
from sidecar.api.questions import known, limit, waiting
from sidecar.api.routes import Asked

COLOURS = ("red", "green")


def asked(**query: str) -> Asked:
    return Asked({}, {name: text.split(",") for name, text in query.items()})


def refusal(read: Callable[[Asked], object], question: Asked) -> str:
    with pytest.raises(RefusedError) as refused:
        read(question)
    assert refused.value.answer.status == 400
    return str(json.loads(refused.value.answer.body)["detail"])


def test_what_is_not_said_is_the_usual() -> None:
    assert waiting(asked()) == (0, False)
    assert limit(asked()) == 100
    assert known(asked(), "colour", COLOURS) == ()


def test_what_is_said_is_taken() -> None:
    assert waiting(asked(wait="2.5", until="final")) == (2.5, True)
    assert limit(asked(limit="7")) == 7
    assert known(asked(colour="green,red"), "colour", COLOURS) == ["green", "red"]


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "301", "soon"])
def test_a_wait_that_makes_no_sense_is_refused(text: str) -> None:
    assert refusal(waiting, asked(wait=text)) == "wait must be a number from 0 to 300"


@pytest.mark.parametrize("text", ["0", "0.5", "1.5", "1001", "nan", "inf", "all"])
def test_a_limit_that_makes_no_sense_is_refused(text: str) -> None:
    assert refusal(limit, asked(limit=text)) == "limit must be a whole number from 1 to 1000"


def test_an_end_that_nobody_knows_is_refused() -> None:
    assert refusal(waiting, asked(until="doomsday")) == "until must be settled or final"


def test_a_word_that_means_nothing_is_refused_with_those_that_do() -> None:
    question = asked(colour="red,loud,blue")
    assert refusal(lambda one: known(one, "colour", COLOURS), question) == (
        "no such colour: blue, loud; there are red, green"
    )
