"""What the load generator's notes become."""

import time
from pathlib import Path

import pytest

from bench.load import Load, Sample, Scenario, Subject, median, order_body, sample
from bench.process import BenchError, Running
from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.wire import Request
from sidecar.words import Effect


def noted(*requests: tuple[int, int]) -> list[bytes]:
    return [b"1700000000000000\t%d\t%d" % request for request in requests]


def a_sample(rate: float, failures: int = 0) -> Sample:
    return Sample(rate=rate, p50=1, p90=2, p99=3, cpu=100, busy=1, others=0, failures=failures)


def test_percentiles_are_those_of_the_requests_that_succeeded() -> None:
    made = sample(noted(*((200, micros) for micros in range(1, 101)), (503, 9999)), 2, 0.0202, lost=0)
    assert (made.p50, made.p90, made.p99) == (51, 91, 100)


def test_cpu_is_shared_by_all_requests_because_a_failed_one_costs_too() -> None:
    made = sample(noted((200, 10), (503, 10)), 1, 0.001, lost=0)
    assert made.cpu == pytest.approx(500)


def test_only_what_succeeded_counts_as_throughput_and_the_rest_as_failures() -> None:
    made = sample(noted((200, 10), (200, 10), (503, 10)), 2, 0.001, lost=4)
    assert (made.rate, made.failures) == (1, 5)


def test_a_run_without_a_single_success_is_no_measurement() -> None:
    with pytest.raises(BenchError, match="no call succeeded"):
        sample(noted((403, 10)), 1, 0.001, lost=0)


def test_one_disturbed_round_of_three_does_not_show() -> None:
    assert median([a_sample(10), a_sample(1), a_sample(11)]).rate == 10


def test_a_failure_in_any_round_shows() -> None:
    assert median([a_sample(10), a_sample(10, failures=1), a_sample(10)]).failures == 1


def test_the_order_is_one_that_the_sidecar_takes_for_an_order_and_would_still_send() -> None:
    now = time.time()
    intent = BinanceUsdm().understand(Request("POST", "/fapi/v1/order", (), order_body(now).encode()))
    assert intent.effect is Effect.OPENS_RISK
    assert intent.expires_at == pytest.approx(now + 60, abs=0.01)


def test_a_unix_socket_is_called_through_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.load.program", lambda name: name)
    process = Running("nothing", ["true"], tmp_path, None)
    process.stop()
    subject = Subject("sidecar", process, "unix:/run/s.sock", "/binance")
    command = Load(tmp_path, None)._command(subject, Scenario("read", 16), 2)
    assert command[command.index("-B") + 1] == "unix:/run/s.sock"
    assert command[-1].startswith("http://localhost/binance/fapi/")
