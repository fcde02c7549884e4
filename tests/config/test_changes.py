"""What a running sidecar takes over from a new configuration, and what it leaves for its next start."""

from pathlib import Path
from typing import Any

import pytest

from sidecar.config.changes import adopted, differences
from sidecar.config.model import Config


def config(broker: dict[str, Any] | None = None, **tree: Any) -> Config:
    """A configuration of one Binance and what a test wants of it."""
    base = {"profile": "binance-usdm", "base_url": "https://fapi.binance.com"} | (broker or {})
    return Config.model_validate({"brokers": {"binance": base}, **tree})


def outcome(running: Config, wanted: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that are in force after a reload, and those that wait for a restart."""
    then = adopted(running, wanted)
    return differences(running, then), differences(then, wanted)


@pytest.mark.parametrize(
    ("broker", "key"),
    [
        ({"retry": {"attempts": 2}}, "retry.attempts"),
        ({"retry": {"endpoints": {"get_account": {"attempts": 2}}}}, "retry.endpoints.get_account"),
        ({"breaker": {"mode": "forced_open"}}, "breaker.mode"),
        ({"maintenance": {"idle_seconds": 5}}, "maintenance.idle_seconds"),
        ({"startup": {"attempts": 1}}, "startup.attempts"),
        ({"limits": {"wait_at": 0.95}}, "limits.wait_at"),
        ({"limits": {"windows": {"weight_1m": {"capacity": 100}}}}, "limits.windows.weight_1m"),
        ({"degradation": {"rules": {"errors": "none"}}}, "degradation.rules.errors"),
        ({"cache": {"endpoints": {"get_ticker": {}}}}, "cache.endpoints.get_ticker"),
        ({"timeouts": {"connect_seconds": 1}}, "timeouts.connect_seconds"),
        ({"deadline_seconds": 5}, "deadline_seconds"),
        ({"queue": {"size": 5}}, "queue.size"),
    ],
)
def test_a_brokers_policies_change_without_a_restart(broker: dict[str, Any], key: str) -> None:
    assert outcome(config(), config(broker)) == ((f"brokers.binance.{key}",), ())


@pytest.mark.parametrize(
    ("broker", "key"),
    [
        ({"connections": 5}, "connections"),
        ({"limits": {"windows": {"weight_1m": {"seconds": 30}}}}, "limits.windows.weight_1m"),
        ({"limits": {"buckets": {"mine": {"rate": 5}}}}, "limits.buckets.mine"),
    ],
)
def test_what_a_start_is_needed_for_stays_as_it_was(broker: dict[str, Any], key: str) -> None:
    assert outcome(config(), config(broker)) == ((), (f"brokers.binance.{key}",))


def test_listeners_files_and_the_bots_name_stay_as_they_were() -> None:
    tree: dict[str, Any] = {
        "bot": "other",
        "listen": {"tcp": "127.0.0.1:1"},
        "scrape": {"address": "127.0.0.1:2"},
        "state": {"path": Path("/s")},
        "audit": {"directory": Path("/a")},
    }
    keys = ("audit.directory", "bot", "listen.tcp", "scrape.address", "state.path")
    assert outcome(config(), config(**tree)) == ((), keys)


def test_the_log_and_the_channels_change_without_a_restart() -> None:
    wanted = config(log={"level": "debug"}, alerting={"channels": {"chat": {"url": "json://localhost"}}})
    assert outcome(config(), wanted) == (("alerting.channels.chat", "log.level"), ())


def test_keys_that_are_others_are_told_without_their_value() -> None:
    running, wanted = (config({"credentials": {"key": key, "secret": "s"}}) for key in ("old", "new"))
    assert outcome(running, wanted) == (("brokers.binance.credentials.key",), ())


def test_whether_the_sidecar_signs_is_settled_at_the_start() -> None:
    keys = {"key": "k", "secret": "s"}
    none, lookup, sign = config(), config({"credentials": {"use": "lookup"} | keys}), config({"credentials": keys})
    assert outcome(none, sign)[0] == outcome(sign, none)[0] == ()
    assert outcome(lookup, sign) == ((), ("brokers.binance.credentials.use",))


def test_a_name_that_means_another_upstream_keeps_its_policies_until_the_restart() -> None:
    wanted = config({"base_url": "https://testnet.binancefuture.com", "retry": {"attempts": 2}})
    assert outcome(config(), wanted) == ((), ("brokers.binance.base_url", "brokers.binance.retry.attempts"))


def test_brokers_that_come_or_go_wait_for_the_restart() -> None:
    two = Config.model_validate(
        {"brokers": {**config().model_dump()["brokers"], "oanda": {"profile": "oanda", "base_url": "https://x.test"}}}
    )
    assert outcome(config(), two) == ((), ("brokers.oanda",))
    assert outcome(two, config()) == ((), ("brokers.oanda",))


def test_the_same_again_changes_nothing() -> None:
    assert outcome(config(), config()) == ((), ())


def test_whom_alerts_go_to_and_what_a_stop_does_change_without_a_restart() -> None:
    wanted = config(alerting={"alertmanager": {"url": "http://am:9093"}}, stop={"cancel_waiting_orders": True})
    assert outcome(config(), wanted) == (("alerting.alertmanager.url", "stop.cancel_waiting_orders"), ())


KEYS: dict[str, Any] = {"credentials": {"key": "k", "secret": "s"}}


@pytest.mark.parametrize(
    ("running", "live"),
    [
        (config(KEYS, state={"path": "/s"}), True),
        (config(KEYS), False),
        (config(state={"path": "/s"}), False),
    ],
)
def test_a_stop_closes_positions_from_now_on_only_where_the_sidecar_signs_now(running: Config, live: bool) -> None:
    wanted = config(KEYS, state={"path": "/s"}, stop={"close_positions": ["binance"]})
    in_force, waits = outcome(running, wanted)
    assert ("stop.close_positions" in in_force, "stop.close_positions" in waits) == (live, not live)
