"""A day on which everything goes wrong once, watched by a real Prometheus and a real OTLP receiver."""

import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bots import ConnectorBot, OandaBot
from tests.e2e.carrying import DOOR, keys, oanda_order
from tests.e2e.collectors import SOON, Collected, http_collector
from tests.e2e.prometheus import SCRAPE_SECONDS, Prometheus
from tests.e2e.raw import OK, RawBroker, answer
from tests.e2e.stack import ACCOUNT, QUICK, TOKEN, Sidecar, Simulated, fetch, free_port

RETRIED, AMBIGUOUS, SLOW, BROKE, REFUSED = (digit * 32 for digit in "12345")
"""Trace ids that the bots chose for some of their calls."""
PARENT = "abcdef0123456789"


@dataclass
class Day:
    """A sidecar that has seen everything, and who watched it."""

    sidecar: Sidecar
    prometheus: Prometheus
    collected: Collected
    raw: RawBroker
    keeper: Sidecar
    """Another one, which has keys of its own and so can watch over operations."""
    quiet: float = 0.0
    """A moment before the first fault, in Unix seconds."""
    evening: float = 0.0
    """A moment when everything has happened and Prometheus knows it, in Unix seconds."""
    weight: tuple[float, float] = (0.0, 0.0)
    """The used weight that Binance told last, and what was left then by Prometheus."""


@contextmanager
def lived(folder: Path, scraping: Path, binance: Simulated, oanda: Simulated) -> Iterator[Day]:
    """The sidecar and its watchers after their day; they go on until the block ends."""
    binance.reset()
    oanda.reset()
    with ExitStack() as stack:
        raw = stack.enter_context(RawBroker.listening())
        raw.reply = lambda request: answer(503, {}) if b"/flaky" in request else OK
        collected = stack.enter_context(http_collector())
        sidecar = Sidecar(
            folder,
            brokers(binance, oanda, raw),
            {"OTEL_EXPORTER_OTLP_ENDPOINT": collected.url} | SOON,
            start=False,
            state={"path": str(folder / "state.db")},
            # Nobody is there: that, too, is to be seen.
            alerting={"alertmanager": {"url": f"http://127.0.0.1:{free_port()}"}},
        )
        keeper = keeping(folder / "keeper", oanda)
        both = (sidecar, keeper)
        # First, because it looks for its targets five seconds after its start.
        targets = [f"127.0.0.1:{one.scrape}" for one in both]
        prometheus = stack.enter_context(Prometheus.scraping(scraping, targets))
        with ThreadPoolExecutor() as pool:
            list(pool.map(Sidecar.start, both))
        for one in both:
            stack.callback(one.stop)
        day = Day(sidecar, prometheus, collected, raw, keeper)
        live(day, binance, oanda)
        yield day


def brokers(binance: Simulated, oanda: Simulated, raw: RawBroker) -> dict[str, dict[str, Any]]:
    once = QUICK["retry"] | {"attempts": 3}
    own = {"profile": "generic", "base_url": raw.url}
    return {
        "binance": QUICK | {"profile": "binance-usdm", "base_url": binance.url, "retry": once},
        "oanda": QUICK
        | {"profile": "oanda", "base_url": oanda.url, "breaker": {"failures": 3, "recovery_seconds": 300}},
        "slow": own | {"limits": {"buckets": {"global": {"rate": 5, "burst": 1}}}},
        "thrifty": own | {"retry": {"budget": 0, "budget_floor": 0}, "generic": {"transient_statuses": [503]}},
        "nowhere": QUICK | {"profile": "generic", "base_url": f"http://127.0.0.1:{free_port()}", "retry": once},
    }


def keeping(folder: Path, oanda: Simulated) -> Sidecar:
    """A sidecar that signs, behind a door; its only broker has a name that nobody else uses."""
    (folder / "keys").mkdir(parents=True)
    credentials = {"token_file": keys(folder / "keys")["token"]}
    kept = QUICK | {"profile": "oanda", "base_url": oanda.url, "credentials": credentials}
    state, operations = {"path": str(folder / "state.db")}, {"look_seconds": 0.5}
    return Sidecar(folder, {"kept": kept}, token=DOOR, start=False, state=state, operations=operations)


def live(day: Day, binance: Simulated, oanda: Simulated) -> None:
    """A day on which everything goes wrong once."""
    bot, other = ConnectorBot(day.sidecar), OandaBot(day.sidecar)
    bot.price()
    day.prometheus.until('sidecar_calls_total{broker="binance",outcome="ok"} > 0')
    day.prometheus.until('sidecar_operation_results_total{broker="kept"}')
    day.quiet = time.time()

    brackets(day.keeper, oanda)
    trace(bot.client.session.headers, RETRIED)
    binance.fault("internal", method="POST", times=2)
    bot.buy("retried")
    trace(bot.client.session.headers, AMBIGUOUS)
    binance.fault("reset_before", method="POST")
    bot.buy("ambiguous")
    trace(bot.client.session.headers, SLOW)
    binance.fault("latency", method="GET", seconds=0.6)
    bot.price()
    del bot.client.session.headers["traceparent"]
    binance.fault("clock_skew", method="POST")
    bot.buy("skewed")
    binance.fault("maintenance", method="GET")
    call(day.sidecar, "/binance/fapi/v1/time", {"Sidecar-Deadline": "0.05"})
    call(day.sidecar, "/nowhere/x")
    call(day.sidecar, "/thrifty/flaky")
    call(day.sidecar, "/nobody/x")
    fetch(f"{day.sidecar.url}/v1/reload", {})
    for _ in range(2):
        call(
            day.sidecar, "/slow/x", {"traceparent": f"00-{'6' * 32}-{PARENT}-01", "tracestate": "a=b", "baggage": "c=d"}
        )
        stream(day.sidecar)

    other.api.client.headers["Idempotency-Key"] = "kept"
    for _ in range(2):
        other.buy("kept")
    del other.api.client.headers["Idempotency-Key"]
    trace(other.api.client.headers, BROKE)
    oanda.fault("html", path=f"/v3/accounts/{ACCOUNT}/pricing", times=None)
    with pytest.raises(Exception):  # noqa: B017, PT011 - the library has no word of its own for an answer that is no JSON
        other.price()
    day.weight = weight_left(day)
    # A histogram's series are born with their first observation: only the second one is an increase.
    day.prometheus.until("sidecar_rate_limit_wait_seconds_count > 0")
    day.prometheus.until('sidecar_call_duration_seconds_count{endpoint="place_order",outcome="ok"} > 0')
    bot.buy("again")
    for _ in range(2):
        call(day.sidecar, "/slow/y")
    binance.fault("banned", method="GET", seconds=300)
    for _ in range(2):
        call(day.sidecar, "/binance/fapi/v1/time", {"traceparent": f"00-{REFUSED}-{PARENT}-01"})
    day.prometheus.until('sidecar_rate_limit_rejections_total{broker="binance"} > 0')
    day.evening = time.time()


def brackets(keeper: Sidecar, oanda: Simulated) -> None:
    """Two brackets: one reaches its target, the other goes on waiting for its own."""
    url = f"{keeper.url}/v1/operations"
    begun = []
    for target in ("1.3", "1.5"):
        terms = oanda_order(f"bracket-{target}", broker="kept", side="buy", stop_price="0.9", target_price=target)
        begun.append(fetch(url, terms | {"type": "bracket"}, token=DOOR)["id"])
    for operation in begun:
        settled = fetch(f"{url}/{operation}?wait=20", token=DOOR)
        assert (settled["state"], settled["settled"]) == ("in_progress", True), settled
    fetch(f"{oanda.url}/_control/price", {"symbol": "EUR_USD", "price": "1.35"})
    ended = fetch(f"{url}/{begun[0]}?wait=20&until=final", token=DOOR)
    assert ended["state"] == "completed", ended


def trace(headers: Any, trace_id: str) -> None:
    headers["traceparent"] = f"00-{trace_id}-{PARENT}-01"


def call(sidecar: Sidecar, target: str, headers: dict[str, str] | None = None) -> HTTPMessage:
    """A plain GET; returns the answer's headers, whatever its status."""
    connection = HTTPConnection("127.0.0.1", sidecar.tcp, timeout=30)
    try:
        connection.request("GET", target, headers=headers or {})
        told = connection.getresponse()
        told.read()
        return told.headers
    finally:
        connection.close()


def stream(sidecar: Sidecar) -> None:
    """Read the first line of a price stream and hang up."""
    target = f"{sidecar.url}/oanda/v3/accounts/{ACCOUNT}/pricing/stream?instruments=EUR_USD"
    request = urllib.request.Request(target, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as told:  # noqa: S310 - loopback
        assert told.readline()


def weight_left(day: Day) -> tuple[float, float]:
    """What Binance told, and what Prometheus makes of it; asked again where a new minute began in between."""
    for _ in range(3):
        told = float(call(day.sidecar, "/binance/fapi/v1/time")["X-MBX-USED-WEIGHT-1M"])
        time.sleep(2.5 * SCRAPE_SECONDS)
        weight = '{broker="binance",limit="weight_1m"}'
        left = day.prometheus.number(f"sidecar_rate_limit_capacity{weight} - sidecar_rate_limit_used{weight}")
        if told + left == 2400:
            break
    return told, left
