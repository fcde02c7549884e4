"""The committed boards are what the code would write."""

from dashboards.boards import FOLDER, written
from tests.dashboards.support import FILES


def test_the_committed_boards_are_those_of_the_code() -> None:
    assert set(FILES) == set(written())


def test_each_committed_board_is_what_the_code_would_write() -> None:
    stale = [name for name, text in written().items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run `make reference`"
