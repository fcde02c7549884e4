"""A night on which three bots have trouble, and who is told of it: real Prometheus, real Alertmanager.

Seconds stand for minutes: the rules look back for 20 s, chat gathers for 12 s, so that a machine that stands still for
ten makes no difference. Nothing here goes by time: each step waits for the one before to be seen.
"""

import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.alertmanager import Alertmanager, quick_rules
from tests.e2e.bots import ConnectorBot
from tests.e2e.observed.day import call
from tests.e2e.prometheus import Prometheus
from tests.e2e.sinks import CHATS, Sinks
from tests.e2e.stack import ACCOUNT, QUICK, TOKEN, Sidecar, Simulated, fetch, until

PATIENCE_SECONDS: Final = 60.0
BAN_SECONDS: Final = 10
BOTS: Final = ("steady", "storm", "late")
PRICE: Final = "/fapi/v1/ticker/price"


@dataclass
class Night:
    """The bots' sidecars, who watches them, and who was told."""

    sidecars: dict[str, Sidecar]
    binance: Simulated
    prometheus: Prometheus
    alertmanager: Alertmanager
    sinks: Sinks
    fates: list[str] = field(default_factory=list)
    """What became of the calls with a key that the broker does not accept."""
    midnight: dict[str, list[str]] = field(default_factory=dict)
    """Each channel's messages about `storm` when chat had just been told."""

    def until(self, what: str, told: dict[str, int], bot: str) -> None:
        """Wait until each channel has so many messages about a bot."""
        until(
            lambda: all(len(self.sinks.titles(channel, bot)) >= count for channel, count in told.items()),
            f"{what}:\n{self.sinks.table()}",
            PATIENCE_SECONDS,
        )


@contextmanager
def spent(folder: Path, binance: Simulated, oanda: Simulated) -> Iterator[Night]:
    """Everybody after the night."""
    binance.reset()
    oanda.reset()
    with ExitStack() as stack:
        sinks = stack.enter_context(Sinks.listening())
        alertmanager = Alertmanager(folder, sinks)
        stack.callback(alertmanager.stop)
        alertmanager.start()
        brokers = {
            "binance": QUICK | {"profile": "binance-usdm", "base_url": binance.url, "retry": {"attempts": 2}},
            "oanda": QUICK | {"profile": "oanda", "base_url": oanda.url},
        }
        sidecars = {}
        for bot in BOTS:
            sidecars[bot] = Sidecar(
                folder / bot,
                brokers,
                bot=bot,
                state={"path": str(folder / bot / "state.db")},
                alerting={"alertmanager": {"url": f"http://{alertmanager.address}", "refresh_seconds": 4}},
                start=False,
            )
        targets = [f"127.0.0.1:{sidecar.scrape}" for sidecar in sidecars.values()]
        # First, because it looks for its targets five seconds after its start.
        prometheus = stack.enter_context(
            Prometheus.scraping(folder, targets, quick_rules(folder), alertmanager.address)
        )
        with ThreadPoolExecutor() as pool:
            list(pool.map(Sidecar.start, sidecars.values()))
        for sidecar in sidecars.values():
            stack.callback(sidecar.stop)
        prometheus.until("instance:sidecar_bot:info", lambda found: len(found) == len(BOTS))
        night = Night(sidecars, binance, prometheus, alertmanager, sinks)
        live(night)
        yield night


def live(night: Night) -> None:
    """The night from the first fault to the last end."""
    alertmanager_is_away(night)
    first_occurrences(night)
    restart_and_the_same_again(night)
    recoveries(night)
    until(lambda: all(_over(night, bot) for bot in BOTS), "all over", PATIENCE_SECONDS)
    until(lambda: len({len(night.sinks.titles(channel)) for channel in CHATS}) == 1, "all told", PATIENCE_SECONDS)
    # Whatever would come too often has come when the dead man's switch was told three times more.
    beats = len(night.sinks.heard["watchdog"])
    until(lambda: len(night.sinks.heard["watchdog"]) >= beats + 3, "the watchdog goes on", PATIENCE_SECONDS)


def alertmanager_is_away(night: Night) -> None:
    """Trouble begins while nobody hears of it, neither from the sidecar nor from Prometheus."""
    late = night.sidecars["late"]
    night.alertmanager.stop()
    broken_key(night, late)
    server_errors(night, late)
    failed = {"channel": "alertmanager", "result": "failed"}
    until(
        lambda: late.metric("sidecar_notifications_total", **failed) > 0,
        "told in vain by the sidecar",
        PATIENCE_SECONDS,
    )
    until(lambda: _in_vain(night.prometheus) >= 1, "told in vain by Prometheus", PATIENCE_SECONDS)
    night.alertmanager.start()


def first_occurrences(night: Night) -> None:
    """One bot's calls fail and its key is refused; another has three kinds of trouble within a moment."""
    steady, storm = night.sidecars["steady"], night.sidecars["storm"]
    broken_key(night, steady)
    server_errors(night, steady)
    night.binance.fault("reset_before", method="POST")
    ConnectorBot(storm).buy("doubtful")
    broken_key(night, storm)
    # Longer than the sidecar would wait: the bot is told at once.
    night.binance.fault("banned", seconds=BAN_SECONDS, path=PRICE)
    call(storm, f"/binance{PRICE}?symbol=BTCUSDT")
    night.until("two messages in chat, one page", {"pagerduty": 1} | dict.fromkeys(CHATS, 2), "steady")
    night.until("one message in chat, three pages", {"pagerduty": 3} | dict.fromkeys(CHATS, 1), "storm")
    night.until("two messages in chat, one page", {"pagerduty": 1} | dict.fromkeys(CHATS, 2), "late")
    night.midnight = {channel: night.sinks.titles(channel, "storm") for channel in (*CHATS, "pagerduty")}


def restart_and_the_same_again(night: Night) -> None:
    """What was told goes on after a restart, with more of the same."""
    steady = night.sidecars["steady"]
    assert steady.stop() == 0
    steady.start()
    for _ in range(2):
        server_errors(night, steady)
        broken_key(night, steady)
    instance = f"127.0.0.1:{steady.scrape}"
    for kind in ("server_errors", "auth_failed"):
        night.prometheus.until(f'sidecar_errors_total{{instance="{instance}",error_type="{kind}"}} == 2')


def recoveries(night: Night) -> None:
    """The keys are right again, the broker answers, and a person has looked for the order."""
    storm = night.sidecars["storm"]
    (error,) = fetch(f"{storm.url}/v1/errors?type=order_outcome_unknown")["errors"]
    fetch(f"{storm.url}/v1/errors/{error['id']}/resolve", {"reason": "it is not in the book"})
    for sidecar in night.sidecars.values():
        call(sidecar, f"/oanda/v3/accounts/{ACCOUNT}/summary", {"Authorization": f"Bearer {TOKEN}"})
        call(sidecar, f"/binance{PRICE}?symbol=BTCUSDT")


def broken_key(night: Night, sidecar: Sidecar) -> None:
    """A call with a key that the broker does not accept."""
    answer = call(sidecar, f"/oanda/v3/accounts/{ACCOUNT}/summary", {"Authorization": "Bearer expired"})
    night.fates.append(answer["Sidecar-Fate"])


def server_errors(night: Night, sidecar: Sidecar) -> None:
    """A call that fails at the broker, and once more when it is repeated."""
    night.binance.fault("internal", times=2, path=PRICE)
    answer = call(sidecar, f"/binance{PRICE}?symbol=BTCUSDT")
    assert answer["Sidecar-Fate"].startswith("transient; attempts=2"), answer["Sidecar-Fate"]


def _over(night: Night, bot: str) -> bool:
    last = {severity: told[-1] for severity in ("critical", "error") if (told := night.sinks.firing(bot, severity))}
    pages = night.sinks.actions(bot)
    return not any(last.values()) and pages.count("trigger") == pages.count("resolve")


def _in_vain(prometheus: Prometheus) -> float:
    with urllib.request.urlopen(f"{prometheus.url}/metrics", timeout=30) as answer:  # noqa: S310 - loopback
        page = answer.read().decode()
    lines = [line for line in page.splitlines() if line.startswith("prometheus_notifications_errors_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
