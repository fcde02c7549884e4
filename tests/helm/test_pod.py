"""The pod without a cluster: what the chart renders is played on this machine, against simulated brokers.

The values, and the bots, are the chart's own examples.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import KEY, SECRET, TOKEN, Simulated
from tests.helm import chart
from tests.helm.examples import EXAMPLES, example
from tests.helm.kubelet import Container, Pod

pytestmark = pytest.mark.e2e


def steps(bot: Container) -> list[dict[str, Any]]:
    """What the bot knows of its orders, in its own words."""
    return [json.loads(line) for line in bot.log.splitlines()]


def trades(bot: Container, what: str, times: int) -> None:
    """Wait until the bot has said something so often."""
    ends = time.monotonic() + 60
    while sum(step["what"] == what for step in steps(bot)) < times:
        assert bot.process.poll() is None, f"the bot has ended:\n{bot.log}"
        assert time.monotonic() < ends, f"the bot never came to {what} {times} times:\n{bot.log}"
        time.sleep(0.05)


def orders(bot: Container, what: str) -> list[str]:
    return [step["order"] for step in steps(bot) if step["what"] == what]


@pytest.fixture
def binance(tmp_path: Path) -> Iterator[Simulated]:
    simulated = Simulated("binance", tmp_path)
    yield simulated
    simulated.child.stop()


CCXT = {"bot": [sys.executable, str(EXAMPLES / "ccxt-bot/ccxt_bot.py")]}
SECRETS = {"binance": {"key": KEY, "secret": SECRET}}


def accounted_for(bot: Container, broker: Simulated) -> bool:
    """Whether each order that the bot has sent was executed once, and withdrawn, and it has said good-bye."""
    sent = orders(bot, "sending")
    assert {step["fate"].partition(";")[0] for step in steps(bot) if "fate" in step} == {"ok"}
    assert [broker.executions(order) for order in sent] == [1] * len(sent)
    return orders(bot, "withdrawn") == sent and steps(bot)[-1]["what"] == "stopped"


def test_a_bot_trades_over_the_socket_and_no_call_is_lost_when_the_pod_ends(binance: Simulated, place: Path) -> None:
    objects = chart.render(example("ccxt-bot", "binance", binance.url))
    with Pod(objects, place / "pod", CCXT, SECRETS) as pod:
        trades(pod["bot"], "withdrawn", 3)
        assert pod["broker-sidecar"].probe("readinessProbe")
        assert pod["broker-sidecar"].probe("livenessProbe")
        assert pod.delete() == {"broker-sidecar": 0, "bot": 0}
    assert accounted_for(pod["bot"], binance)


def test_no_call_is_lost_where_the_sidecar_is_an_ordinary_container(binance: Simulated, place: Path) -> None:
    """The bot tries until there is a sidecar, and ends its last turn while the sidecar's own end is put off."""
    classic = {"sidecar": {"mode": "classic"}, "bot": {"stopSeconds": 3}}
    with Pod(chart.render(example("ccxt-bot", "binance", binance.url), classic), place / "pod", CCXT, SECRETS) as pod:
        trades(pod["bot"], "withdrawn", 3)
        binance.fault("latency", times=None, seconds=0.2)
        trades(pod["bot"], "sending", len(orders(pod["bot"], "sending")) + 1)
        assert pod.delete() == {"broker-sidecar": 0, "bot": 0}
    assert accounted_for(pod["bot"], binance)


def test_a_job_that_is_done_ends_its_sidecar_and_is_complete(binance: Simulated, place: Path) -> None:
    values = example("ccxt-bot", "binance", binance.url)
    turns = {"env": [*values["bot"]["env"], {"name": "TURNS", "value": "2"}]}
    objects = chart.render(values, {"workload": {"kind": "Job"}, "bot": turns})
    with Pod(objects, place / "pod", CCXT, SECRETS) as pod:
        assert pod.complete() == {"broker-sidecar": 0, "bot": 0}
    assert len(orders(pod["bot"], "withdrawn")) == 2
    assert accounted_for(pod["bot"], binance)


def test_a_bot_without_keys_trades_with_those_of_the_sidecars_secret(oanda: Simulated, place: Path) -> None:
    objects = chart.render(example("oanda-bot", "oanda", oanda.url))
    command = {"bot": [sys.executable, str(EXAMPLES / "oanda-bot/oanda_bot.py")]}
    secrets = {"oanda": {"token": TOKEN}, "sidecar-token": {"token": "a-token-of-the-pods-own"}}
    with Pod(objects, place / "pod", command, secrets) as pod:
        trades(pod["bot"], "executed", 4)
        assert pod.delete() == {"broker-sidecar": 0, "bot": 0}

    bot = pod["bot"]
    sent = orders(bot, "sending")
    assert orders(bot, "executed") == sent
    assert [oanda.executions(order) for order in sent] == [1] * len(sent)
    assert TOKEN not in bot.log + pod["broker-sidecar"].log
