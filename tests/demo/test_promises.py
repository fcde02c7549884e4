"""What bots were told is held against what brokers executed."""

import pytest

from sidecar.demo.bots.diary import Told
from sidecar.demo.promises import Balance, Promises


def balance(told: list[tuple[str, Told]], book: dict[str, int]) -> Balance:
    promises = Promises()
    for order_id, word in told:
        promises.hear(order_id, word)
    return promises.balance(book)


def test_answers_that_the_book_confirms_are_right() -> None:
    told = [("a", Told.SENDING), ("a", Told.EXECUTED), ("b", Told.NOT_EXECUTED), ("c", Told.SENDING)]
    found = balance(told, {"a": 1, "c": 1})
    assert (found.sent, found.executed, found.not_executed, found.on_the_way) == (3, 1, 1, 1)
    assert (found.duplicates, found.wrong) == (0, 0)


def test_an_order_in_doubt_is_counted_as_such_after_it_has_been_looked_up() -> None:
    told = [("a", Told.UNKNOWN), ("a", Told.FOUND), ("b", Told.UNKNOWN), ("b", Told.MISSING)]
    found = balance(told, {"a": 1})
    assert (found.unknown, found.unknown_executed, found.wrong) == (2, 1, 0)


def test_an_order_that_stands_twice_in_the_book_is_a_duplicate() -> None:
    assert balance([("a", Told.EXECUTED)], {"a": 3}).duplicates == 2


def test_what_was_known_at_a_moment_can_be_kept() -> None:
    promises = Promises()
    promises.hear("a", Told.EXECUTED)
    earlier = promises.so_far()
    promises.hear("a", Told.UNKNOWN)
    promises.hear("b", Told.EXECUTED)
    assert (earlier.told, earlier.doubted) == ({"a": Told.EXECUTED}, set())


@pytest.mark.parametrize(
    ("told", "times"), [(Told.EXECUTED, 0), (Told.FOUND, 0), (Told.NOT_EXECUTED, 1), (Told.MISSING, 1)]
)
def test_an_answer_that_the_book_contradicts_is_wrong(told: Told, times: int) -> None:
    assert balance([("a", told)], {"a": times}).wrong == 1


def test_an_order_that_no_bot_has_sent_is_wrong() -> None:
    assert balance([], {"made up": 1}).wrong == 1
    assert balance([], {"": 1}).wrong == 0
