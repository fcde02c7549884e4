"""The demo as a newcomer runs it, without a terminal."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

pytestmark = pytest.mark.e2e

SECRETS = ("demo-secret", "demo-token", "demo-key", "signature")
CHAPTERS = ("Calm", "1/5 A rate limit", "2/5 Maintenance", "3/5 An ambiguous 503", "4/5 A reset",
    "5/5 A definite failure", "The end")  # fmt: skip


@dataclass(frozen=True)
class Performance:
    status: int
    text: str
    folder: Path
    mark: str

    def verdicts(self, chapter: str) -> str:
        """What was concluded in a chapter."""
        _, _, rest = self.text.partition(f"{chapter}: ")
        told, _, _ = rest.partition("\n\n")
        return " ".join(line for line in told.splitlines() if "=> " in line)


def environment(mark: str) -> Mapping[str, str]:
    # Every process of the demo inherits the mark, so that none can stay unseen.
    return {**os.environ, "DEMO_MARK": mark, "SIDECAR_BOT": "must not matter"}


def left_running(mark: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def demo(folder: Path, mark: str, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - nothing here comes from outside
        [sys.executable, "-m", "sidecar", "demo", "--brisk", "--directory", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(mark),
    )


@pytest.fixture(scope="module")
def performance(tmp_path_factory: pytest.TempPathFactory) -> Performance:
    folder, mark = tmp_path_factory.mktemp("demo") / "d", uuid4().hex
    with demo(folder, mark, "--once") as process:
        text, _ = process.communicate(timeout=300)
    return Performance(process.returncode, text, folder, mark)


@pytest.fixture
def trading(tmp_path: Path) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    mark = uuid4().hex
    with demo(tmp_path / "d", mark) as process:
        try:
            for line in process.stdout or ():
                if "first order" in line:
                    break
            yield process, mark
        finally:
            process.kill()


def test_it_is_shown_to_its_end_without_an_escape_code_or_a_traceback(performance: Performance) -> None:
    assert performance.status == 0, performance.text
    assert "\x1b" not in performance.text
    assert "Traceback" not in performance.text


def test_it_tells_its_chapters_in_their_order(performance: Performance) -> None:
    places = [performance.text.find(f"demo        {chapter}: ") for chapter in CHAPTERS]
    assert -1 not in places
    assert places == sorted(places)


def test_every_bot_trades_within_seconds(performance: Performance) -> None:
    firsts = re.findall(r"^ *([\d.]+) s  (ccxt|ccxt async|oandapyV20) +first order", performance.text, re.MULTILINE)
    assert {name for _, name in firsts} == {"ccxt", "ccxt async", "oandapyV20"}
    assert all(float(at) < 60 for at, _ in firsts)


@pytest.mark.parametrize(
    ("chapter", "verdict"),
    [
        ("1/5 A rate limit", r"429 from binance: gate shut for 3 s; [1-9]\d* calls? waited .*; 0 were refused"),
        ("2/5 Maintenance", r"saw only \d+ requests in that time; [1-9]\d* calls? heard `not sent`"),
        ("3/5 An ambiguous 503", r"not resent; the bot was told `unknown`.* filled|new; the book says: executed once"),
        ("3/5 An ambiguous 503", r"the broker does not know it; the book says: not executed"),
        ("4/5 A reset", r"not resent; the sidecar asked .* told the bot `ok`; the book says: executed once"),
        ("5/5 A definite failure", r"sent (again|twice more); ok at attempt \d .*; the book says: executed once"),
    ],
)
def test_each_chapter_ends_with_what_the_sidecar_did(performance: Performance, chapter: str, verdict: str) -> None:
    assert re.search(verdict, performance.verdicts(chapter))


def test_the_books_and_what_the_bots_were_told_agree(performance: Performance) -> None:
    assert "0 duplicates, 0 wrong answers" in performance.text
    assert re.search(r"orders: [1-9]\d* sent by the bots: .* 2 told unknown", performance.text)


def test_it_tells_where_to_look(performance: Performance) -> None:
    folder = performance.folder
    assert re.search(r"metrics: http://127\.0\.0\.1:\d+/metrics", performance.text)
    assert f"status --socket {folder}/sidecar.sock" in performance.text
    assert f"audit --directory {folder}/audit" in performance.text


def test_what_it_leaves_can_be_looked_into(performance: Performance) -> None:
    spans = [json.loads(line) for line in (performance.folder / "traces.jsonl").read_text().splitlines()]
    assert {"binance place_order", "oanda place_order"} <= {span["name"] for span in spans}
    check = [sys.executable, "-m", "sidecar", "audit", "verify", "--directory", str(performance.folder / "audit")]
    assert subprocess.run(check, check=False, capture_output=True).returncode == 0  # noqa: S603 - likewise


def test_no_secret_is_left_anywhere(performance: Performance) -> None:
    files = [file for file in performance.folder.rglob("*") if file.is_file()]
    assert files
    texts = {"output": performance.text} | {str(file): file.read_text() for file in files}
    assert [(name, secret) for name, text in texts.items() for secret in SECRETS if secret in text] == []


def test_nothing_goes_on_running(performance: Performance) -> None:
    assert left_running(performance.mark) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_everything_that_it_started(
    trading: "tuple[subprocess.Popen[str], str]", number: signal.Signals
) -> None:
    process, mark = trading
    assert len(left_running(mark)) >= 7
    asked = time.monotonic()
    process.send_signal(number)
    text, _ = process.communicate(timeout=60)
    assert time.monotonic() - asked < 10
    assert process.returncode == 0, text
    assert "0 duplicates, 0 wrong answers" in text
    assert "Traceback" not in text
    assert left_running(mark) == []


def test_a_demo_that_is_killed_leaves_nobody_behind(trading: "tuple[subprocess.Popen[str], str]") -> None:
    process, mark = trading
    process.kill()
    deadline = time.monotonic() + 60
    while left_running(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_running(mark) == []


def test_a_second_demo_in_the_same_folder_says_so(trading: "tuple[subprocess.Popen[str], str]", tmp_path: Path) -> None:
    _, mark = trading
    with demo(tmp_path / "d", mark) as second:
        text, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "another demo runs in" in text
    assert "Traceback" not in text
