"""A person takes a broker back to reading, a real bot is told, and the cache serves what may be remembered."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from tests.e2e.bots import ConnectorBot, Told
from tests.e2e.stack import QUICK, Sidecar, Simulated, command, fetch, until

pytestmark = pytest.mark.e2e

CACHE = {"endpoints": {"server_time": {"seconds": 3600}}}


@pytest.fixture(scope="module")
def careful(tmp_path_factory: pytest.TempPathFactory, _binance: Simulated) -> Iterator[Sidecar]:
    broker = {"profile": "binance-usdm", "base_url": _binance.url, "cache": CACHE, **QUICK}
    sidecar = Sidecar(tmp_path_factory.mktemp("degraded"), {"binance": broker})
    yield sidecar
    assert sidecar.stop() == 0


def test_a_bot_cannot_open_risk_but_get_out_of_it_until_a_person_says_otherwise(
    careful: Sidecar, binance: Simulated
) -> None:
    bot, level = ConnectorBot(careful), f"{careful.url}/v1/brokers/binance/degradation"
    assert bot.rest("held").told is Told.DONE
    fetch(level, {"level": "read_only", "reason": "flat into the weekend"})
    refused = bot.buy("risky")
    assert (refused.told, refused.fate) == (Told.FAILED, "transient; attempts=0; why=degraded; from=sidecar")
    assert "at degradation level read_only since 2" in refused.error
    assert binance.executions("risky") == 0
    assert bot.cancel("held").told is Told.DONE
    assert careful.metric("sidecar_degradation_level", broker="binance", level="read_only") == 1
    shown = command("status", "--config", str(careful.config)).stdout
    assert "no: read only" in shown
    assert "manual: flat into the weekend" in shown
    fetch(f"{level}/recover", {"reason": "all clear"})
    assert bot.buy("calm").told is Told.DONE
    assert careful.metric("sidecar_degradation_transitions_total", broker="binance") == 2


def test_a_read_that_is_remembered_says_so(careful: Sidecar, binance: Simulated) -> None:
    del binance
    told = []
    for _ in range(2):
        with urllib.request.urlopen(f"{careful.url}/binance/fapi/v1/time", timeout=30) as answer:  # noqa: S310 - loopback
            told.append((json.loads(answer.read()), answer.headers["Sidecar-Fate"], answer.headers["Age"]))
    (first, fate, age), (again, fate_again, age_again) = told
    assert (fate, age) == ("ok; attempts=1", None)
    assert again == first
    assert fate_again.startswith("ok; attempts=0; from=cache; age=")
    assert int(age_again) >= 0
    assert careful.metric("sidecar_cache_reads_total", broker="binance", result="hit") == 1
    assert careful.metric("sidecar_cache_bytes", broker="binance") > 0


def test_what_a_person_did_is_on_record(careful: Sidecar, binance: Simulated) -> None:
    del binance
    level = f"{careful.url}/v1/brokers/binance/degradation"
    fetch(level, {"level": "emergency", "reason": "a drill", "seconds": 60})
    fetch(f"{level}/recover", {"reason": "the drill is over"})
    until(
        lambda: "the drill is over" in [line.get("note") for line in careful.audit_lines()], "a line of the audit log"
    )
    lines = [line for line in careful.audit_lines() if line["event"] == "degradation_changed"]
    assert [(line["to_level"], line["note"]) for line in lines[-2:]] == [
        ("emergency", "a drill"),
        ("none", "the drill is over"),
    ]
