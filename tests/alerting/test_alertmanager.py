"""What cannot wait for a scrape reaches every Alertmanager, as one alert with the rule's own labels."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from sidecar.alerting.alertmanager import LINGER_SECONDS, Pusher
from sidecar.alerting.http import Poster
from sidecar.alerting.ledger import Ledger
from sidecar.alerting.registry import Registry
from sidecar.alerting.service import Alerting
from sidecar.alerting.types import TYPES, ErrorType
from sidecar.clock import SystemClock, VirtualClock
from sidecar.config.model import Alerting as Settings
from sidecar.telemetry.events import Bus, ErrorRaised, ErrorResolved, NotificationSent
from tests.alerting.sink import sink

AUTH = ErrorType.AUTH_FAILED
B = "binance"


class Alertmanager:
    """One that writes down what it is told."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.away = ""
        self.told: list[tuple[float, list[dict[str, Any]]]] = []
        self.tried = 0

    async def post(self, body: bytes) -> str:
        self.tried += 1
        if not self.away:
            self.told.append((self._clock.now(), json.loads(body)))
        return self.away

    @property
    def moments(self) -> list[float]:
        return [at for at, _ in self.told]


class Bench:
    def __init__(self, peers: int = 1, runbooks: str = "") -> None:
        self.clock = VirtualClock(now=0.0)
        bus = Bus(self.clock)
        self.results: list[str] = []
        bus.subscribe(NotificationSent, lambda event: self.results.append(event.result))
        self.registry = Registry(bus, self.clock, Ledger(None, self.clock))
        self.peers = [Alertmanager(self.clock) for _ in range(peers)]
        pusher = Pusher(
            [peer.post for peer in self.peers],
            labels={"bot": "momentum", "namespace": "trading"},
            runbooks=runbooks,
            refresh_seconds=60,
            registry=self.registry,
            bus=bus,
            clock=self.clock,
        )
        bus.subscribe(ErrorRaised, lambda event: pusher.raised((ErrorType(event.error_type), event.broker)))
        bus.subscribe(ErrorResolved, lambda event: pusher.ended((ErrorType(event.error_type), event.broker)))
        self.pusher = pusher

    def play(self, story: Callable[["Bench"], Awaitable[None]]) -> "Bench":
        async def main() -> None:
            running = asyncio.create_task(self.pusher.run())
            await asyncio.sleep(0)
            await story(self)
            running.cancel()

        self.clock.run(main())
        return self


def seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def test_an_alert_carries_the_labels_of_its_rule() -> None:
    async def story(bench: Bench) -> None:
        bench.registry.happened(AUTH, B, "orders", {"code": "-2015"})
        await bench.clock.sleep(1)

    ((at, (alert,)),) = Bench().play(story).peers[0].told

    assert at == 0
    assert alert["labels"] == {
        "alertname": "SidecarAuthFailed",
        "severity": "critical",
        "error_type": "auth_failed",
        "broker": "binance",
        "bot": "momentum",
        "namespace": "trading",
    }
    assert (seconds(alert["startsAt"]), seconds(alert["endsAt"])) == (0, 240)


@pytest.mark.parametrize(
    ("runbooks", "page"),
    [
        ("", {}),
        ("https://wiki.example/sidecar", {"runbook_url": "https://wiki.example/sidecar/SidecarAuthFailed.md"}),
        ("https://wiki.example/sidecar/", {"runbook_url": "https://wiki.example/sidecar/SidecarAuthFailed.md"}),
    ],
)
def test_an_alert_says_what_to_do_once_and_where_to_read_on(runbooks: str, page: dict[str, str]) -> None:
    async def story(bench: Bench) -> None:
        bench.registry.happened(AUTH, B, "orders", {"code": "-2015"})
        await bench.clock.sleep(1)

    ((_, (alert,)),) = Bench(runbooks=runbooks).play(story).peers[0].told

    assert alert["annotations"] == {
        "summary": "The broker does not accept the bot's key",
        "description": "auth_failed: once since 1970-01-01 00:00:00 UTC\ncode -2015",
        "action": TYPES[AUTH].suggestion,
        **page,
    }


@pytest.mark.parametrize("kind", [kind for kind, known in TYPES.items() if not known.push])
def test_what_can_wait_for_a_scrape_is_left_to_the_rules(kind: ErrorType) -> None:
    async def story(bench: Bench) -> None:
        bench.registry.happened(kind, B)
        await bench.clock.sleep(1000)

    assert Bench().play(story).peers[0].tried == 0


def test_what_lasts_is_told_again_before_it_lapses() -> None:
    async def story(bench: Bench) -> None:
        bench.registry.happened(AUTH, B)
        await bench.clock.sleep(150)

    bench = Bench().play(story)

    assert bench.peers[0].moments == [0, 60, 120]
    assert [seconds(alerts[0]["endsAt"]) for _, alerts in bench.peers[0].told] == [240, 300, 360]
    assert {alerts[0]["startsAt"] for _, alerts in bench.peers[0].told} == {"1970-01-01T00:00:00.000Z"}
    assert bench.results == ["sent"]


def test_an_end_is_told_once_and_at_once_and_leaves_the_rule_time_to_take_over() -> None:
    async def story(bench: Bench) -> None:
        bench.registry.happened(AUTH, B)
        await bench.clock.sleep(70)
        bench.registry.ended(AUTH, B)
        await bench.clock.sleep(1000)

    peer = Bench().play(story).peers[0]

    assert peer.moments == [0, 60, 70]
    assert seconds(peer.told[-1][1][0]["endsAt"]) == 70 + LINGER_SECONDS


def test_an_alertmanager_that_was_away_gets_everything() -> None:
    async def story(bench: Bench) -> None:
        bench.peers[0].away = "no connection"
        bench.registry.happened(AUTH, B)
        await bench.clock.sleep(10)
        bench.registry.happened(ErrorType.ORDER_DEAD, B, "order-1")
        await bench.clock.sleep(10)
        bench.peers[0].away = ""
        await bench.clock.sleep(30)

    bench = Bench().play(story)

    (first, *_) = bench.peers[0].told
    assert {alert["labels"]["error_type"] for alert in first[1]} == {"auth_failed", "order_dead"}
    assert first[0] == 31  # asked after 1, 2, 4, 8 and 16 seconds
    assert "failed" in bench.results


def test_what_came_and_went_while_an_alertmanager_was_away_is_told_all_the_same() -> None:
    async def story(bench: Bench) -> None:
        bench.peers[0].away = "no connection"
        bench.registry.happened(AUTH, B)
        await bench.clock.sleep(10)
        bench.registry.ended(AUTH, B)
        bench.peers[0].away = ""
        await bench.clock.sleep(1000)

    ((at, (alert,)),) = Bench().play(story).peers[0].told

    assert seconds(alert["startsAt"]) == 0
    assert seconds(alert["endsAt"]) == at + LINGER_SECONDS


def test_an_end_is_told_until_it_has_arrived() -> None:
    async def story(bench: Bench) -> None:
        bench.registry.happened(AUTH, B)
        await bench.clock.sleep(10)
        bench.peers[0].away = "no connection"
        bench.registry.ended(AUTH, B)
        await bench.clock.sleep(2)
        bench.peers[0].away = ""
        await bench.clock.sleep(10)

    peer = Bench().play(story).peers[0]

    assert peer.moments == [0, 13]
    assert seconds(peer.told[-1][1][0]["endsAt"]) == 10 + LINGER_SECONDS


def test_one_that_is_away_does_not_keep_the_others_waiting() -> None:
    async def story(bench: Bench) -> None:
        bench.peers[0].away = "no connection"
        bench.registry.happened(AUTH, B)
        await bench.clock.sleep(5)

    bench = Bench(peers=2).play(story)

    assert (bench.peers[0].told, bench.peers[1].moments) == ([], [0])


def test_an_error_that_happens_often_does_not_hurry_it() -> None:
    async def story(bench: Bench) -> None:
        for _ in range(1000):
            bench.registry.happened(AUTH, B)
            await bench.clock.sleep(0.01)

    assert Bench().play(story).peers[0].moments == [0]


def test_an_error_that_comes_back_is_an_alert_again() -> None:
    async def story(bench: Bench) -> None:
        for _ in range(2):
            bench.registry.happened(AUTH, B)
            await bench.clock.sleep(10)
            bench.registry.ended(AUTH, B)
            await bench.clock.sleep(10)

    peer = Bench().play(story).peers[0]

    assert peer.moments == [0, 10, 20, 30]
    assert [seconds(alerts[0]["startsAt"]) for _, alerts in peer.told] == [0, 0, 20, 20]


async def test_from_the_fault_to_the_api_it_takes_less_than_five_seconds() -> None:
    with sink() as first, sink() as second:
        bus = Bus(SystemClock())
        settings = Settings.model_validate({"alertmanager": {"url": [first.url, second.url]}})
        alerting = Alerting(settings, bot="momentum", bus=bus, clock=SystemClock(), store=None)
        await alerting.start()
        began = time.monotonic()
        alerting.registry.happened(ErrorType.ORDER_OUTCOME_UNKNOWN, B, "order-7")
        while not (first.bodies and second.bodies):
            assert time.monotonic() - began < 5
            await asyncio.sleep(0.01)
        await alerting.close()

    assert alerting.channels == ("alertmanager",)
    for told in (first, second):
        assert told.paths == ["/api/v2/alerts"]
        assert told.bodies[0][0]["labels"]["alertname"] == "SidecarOrderOutcomeUnknown"


@pytest.mark.parametrize(("status", "failure"), [(200, ""), (400, "answered 400"), (503, "answered 503")])
async def test_what_an_alertmanager_answers(status: int, failure: str) -> None:
    poster = Poster()
    with sink() as told:
        told.status = status
        said = await poster.to(told.url)(b"[]")
    await poster.close()
    assert said == (f"{told.url} {failure}" if failure else "")


async def test_an_alertmanager_that_is_not_there() -> None:
    poster = Poster()
    said = await poster.to("http://127.0.0.1:1")(b"[]")
    await poster.close()
    assert said.startswith("http://127.0.0.1:1 cannot be reached")
