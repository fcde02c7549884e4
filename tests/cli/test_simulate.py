"""`sidecar simulate` serves a broker with the faults that were asked for."""

from collections.abc import Sequence

import pytest

from sidecar.cli import main
from sidecar.simulator.faults import Fault, FaultKind

Served = list[tuple[str, str, int, int, Sequence[Fault]]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """What was served; each ends at once."""
    calls: Served = []

    async def simulate(name: str, *, host: str, port: int, seed: int, faults: Sequence[Fault]) -> None:
        calls.append((name, host, port, seed, faults))

    monkeypatch.setattr("sidecar.cli.simulate.simulate", simulate)
    return calls


def test_the_broker_is_served_where_it_was_asked_for(
    served: Served,
) -> None:
    assert main(["simulate", "oanda", "--host", "127.0.0.2", "--port", "9001", "--seed", "7"]) == 0
    assert served == [("oanda", "127.0.0.2", 9001, 7, [])]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("latency", Fault(FaultKind.LATENCY)),
        ("banned:3", Fault(FaultKind.BANNED, times=3)),
        ("html:*", Fault(FaultKind.HTML, times=None)),
        ("html:*:0.25", Fault(FaultKind.HTML, times=None, probability=0.25)),
        ("html::0.25", Fault(FaultKind.HTML, probability=0.25)),
    ],
)
def test_a_fault_is_its_kind_its_times_and_its_probability(served: Served, text: str, fault: Fault) -> None:
    assert main(["simulate", "binance", "--fault", "reset_after", "--fault", text]) == 0

    ((*_, faults),) = served
    assert faults == [Fault(FaultKind.RESET_AFTER), fault]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["kraken"], "'oanda', 'projectx', 'openalgo'"),
        (["binance", "--port", "70000"], "a port is a whole number from 0 to 65535"),
        (["binance", "--fault", "latancy"], "did you mean latency?"),
        (["binance", "--fault", "xyz"], "see --help for the kinds"),
        (["binance", "--fault", "html:1:1:1"], "is not KIND[:TIMES[:PROBABILITY]]"),
        (["binance", "--fault", "html:often"], "TIMES is a whole number or *"),
        (["binance", "--fault", "html:0"], "times is 0; use 1 or more"),
        (["binance", "--fault", "html:1:2"], "probability is 2.0"),
    ],
)
def test_what_cannot_be_served_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *arguments])

    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_an_address_that_cannot_be_had_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    # 192.0.2.0/24 is kept for documentation: no machine has it.
    assert main(["simulate", "binance", "--host", "192.0.2.1", "--port", "9001"]) == 1
    assert capsys.readouterr().err.startswith("cannot listen on 192.0.2.1:9001: ")
