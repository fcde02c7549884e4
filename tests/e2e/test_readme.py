"""What the README shows of carried orders works as it stands there; only the socket's path is another one."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import ccxt
import pytest

from sidecar.client.ccxt import through_sidecar
from sidecar.words import OrderState
from tests.e2e.carrying import DOOR, carrying
from tests.e2e.stack import KEY, SECRET, Child, Simulated, free_port

pytestmark = pytest.mark.e2e

ROOT: Final = Path(__file__).parents[2]
SECTION: Final = (
    (ROOT / "README.md").read_text().partition("## Orders that the sidecar carries\n")[2].partition("\n## ")[0]
)
EXAMPLES: Final = re.findall(r"^```(\w+)\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
SOCKET: Final = "/run/sidecar/sidecar.sock"
CHANGES: Final = {"…": ".*", "7dea13a6ea606fed3923": "[0-9a-f]{20}", r"11\-22\ 06:01:02Z": r"\\d\\d-\\d\\d [\\d:]{8}Z"}
"""What stands in the README for something that is another each time, as it stands in a pattern that was escaped."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, _binance: Simulated) -> Iterator[tuple[Path, Simulated]]:
    """Where a sidecar listens that was started with the example of a configuration, and its broker."""
    _binance.reset()
    folder = tmp_path_factory.mktemp("readme")
    settings = {
        "LISTEN__UNIX": str(folder / "s"),
        "SCRAPE__ADDRESS": f"127.0.0.1:{free_port()}",
        "STATE__PATH": str(folder / "state.db"),
        "AUDIT__DIRECTORY": str(folder / "audit"),
        "BROKERS__BINANCE__BASE_URL": _binance.url,
        "BROKERS__BINANCE__CREDENTIALS__KEY": KEY,
        "BROKERS__BINANCE__CREDENTIALS__SECRET": SECRET,
    }
    arguments = ["run", "--config", str(ROOT / "examples" / "orders.yaml")]
    child = Child(arguments, folder / "log", {f"SIDECAR_{name}": value for name, value in settings.items()})
    child.wait_for("Ready")
    yield folder / "s", _binance
    assert child.stop() == 0


def example(number: int, socket: Path) -> str:
    return str(EXAMPLES[number][1]).replace(SOCKET, str(socket))


def run(*command: str) -> str:
    """What a command prints; it must succeed and complain of nothing."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)  # noqa: S603
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_every_example_of_the_section_is_tried_here() -> None:
    assert [language for language, _ in EXAMPLES] == ["python", "console", "python"]


def test_an_order_is_handed_over_and_one_that_reduces_it_in_the_shell(served: tuple[Path, Simulated]) -> None:
    socket, broker = served
    assert run(sys.executable, "-c", example(0, socket)) == "filled - FILLED 0.010 of 0.010\n"
    assert broker.executions("entry-42") == 1

    steps = re.split(r"^\$ ", example(1, socket), flags=re.MULTILINE)[1:]
    assert [step.split(" ", 1)[0] for step in steps] == ["curl", "sidecar"]
    for step in steps:
        # A command goes on after a backslash, and as long as a quote is open.
        lines = step.splitlines()
        ends = next(
            n for n, line in enumerate(lines, 1) if not line.endswith("\\") and "\n".join(lines[:n]).count("'") % 2 == 0
        )
        command = "\n".join(lines[:ends]).replace("sidecar orders", f"{sys.executable} -m sidecar orders", 1)
        expected = re.escape("\n".join(lines[ends:]))
        for shown, pattern in CHANGES.items():
            expected = re.sub(re.escape(shown), pattern, expected)
        assert re.fullmatch(expected, run("bash", "-c", command).strip())
    assert broker.executions("exit-42") == 1


def test_a_ccxt_bot_hands_its_order_over(
    tmp_path: Path, binance: Simulated, oanda: Simulated, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier = carrying(tmp_path / "ccxt", binance, oanda)
    exchange = ccxt.binanceusdm({"apiKey": KEY, "secret": SECRET, "headers": {"Proxy-Authorization": f"Bearer {DOOR}"}})
    through_sidecar(exchange, carrier.url, {"fapi.binance.com": "binance"})

    exec(EXAMPLES[2][1], {"exchange": exchange})  # noqa: S102 - the README's own words are what is tested

    state, order_id, client_id = capsys.readouterr().out.split()
    assert state in set(OrderState)
    assert (len(order_id), bool(client_id)) == (20, True)
    assert carrier.stop() == 0
