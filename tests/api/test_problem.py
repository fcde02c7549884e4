"""A room's error is told in its own words and with its own status; anything else is nobody's to tell."""

import json
from http import HTTPStatus

import pytest

from sidecar.api.problem import RefusedError, refusing
from sidecar.store import StoreClosedError


class GoneError(Exception):
    """Raised when something is not there."""


STATUSES: dict[type[Exception], HTTPStatus] = {GoneError: HTTPStatus.NOT_FOUND}


def told(error: Exception) -> tuple[int, str]:
    """The status and the words in which it is told."""
    with pytest.raises(RefusedError) as refused, refusing(STATUSES):
        raise error
    return refused.value.answer.status, json.loads(refused.value.answer.body)["detail"]


def test_an_error_is_told_with_its_status() -> None:
    assert told(GoneError("it is not there")) == (404, "it is not there")


def test_a_state_file_that_fails_is_told_without_its_inner_life() -> None:
    assert told(StoreClosedError("inner life")) == (503, "the state file cannot be read; see the log")


def test_what_nobody_foresaw_goes_on() -> None:
    with pytest.raises(ZeroDivisionError), refusing(STATUSES):
        raise ZeroDivisionError


def test_what_succeeds_is_left_alone() -> None:
    with refusing(STATUSES):
        pass
