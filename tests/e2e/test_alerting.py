"""From a broker's fault to the right phones, and again when it is over: real sidecar, Prometheus and Alertmanager."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.alertmanager import Sinks, alertmanager, quick_rules
from tests.e2e.prometheus import Prometheus
from tests.e2e.stack import QUICK, Sidecar, Simulated, fetch, until

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 60.0


@pytest.fixture
def sinks() -> Iterator[Sinks]:
    with Sinks.listening() as listening:
        yield listening


@pytest.fixture
def watched(tmp_path: Path, binance: Simulated, sinks: Sinks) -> Iterator[Sidecar]:
    """A sidecar of its own whose alerts reach the sinks."""
    sidecar = Sidecar(tmp_path / "own", {"binance": {"profile": "binance-usdm", "base_url": binance.url, **QUICK}})
    target = f"127.0.0.1:{sidecar.scrape}"
    with (
        alertmanager(tmp_path, sinks) as address,
        Prometheus.scraping(tmp_path, target, quick_rules(tmp_path), address) as prometheus,
    ):
        prometheus.until("instance:sidecar_bot:info")
        yield sidecar
    assert sidecar.stop() == 0


def test_a_ban_pages_and_is_told_in_chat_once_and_once_more_when_it_is_over(
    watched: Sidecar, binance: Simulated, sinks: Sinks
) -> None:
    binance.fault("banned", seconds=2)
    # A read waits until the ban is over, and succeeds.
    fetch(f"{watched.url}/binance/fapi/v1/ticker/price?symbol=BTCUSDT")

    until(lambda: len(_pages(sinks)) >= 2 and len(sinks.heard["slack"]) >= 2, "told and over", PATIENCE_SECONDS)

    assert Counter(_pages(sinks)) == {"trigger": 1, "resolve": 1}
    (told, over) = (message["attachments"][0]["title"] for message in sinks.heard["slack"])
    assert told == "CRITICAL tester@binance: The broker has banned this address"
    assert over == "OVER tester@binance: The broker has banned this address"
    assert len({event["dedup_key"] for event in sinks.heard["pagerduty"]}) == 1
    assert sinks.heard["pagerduty"][0]["payload"]["summary"] == told


def _pages(sinks: Sinks) -> list[str]:
    return [event["event_action"] for event in sinks.heard["pagerduty"]]
