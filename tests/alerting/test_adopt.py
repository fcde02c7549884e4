"""Channels change while the sidecar runs: what waits to be told is told, wherever it is told now."""

import json
from pathlib import Path

import pytest

from sidecar.alerting.errors import ChannelError
from sidecar.alerting.http import Poster
from sidecar.alerting.types import ErrorType
from sidecar.clock import VirtualClock
from sidecar.config.model import Alerting as Settings
from sidecar.config.secrets import SecretFileError
from tests.alerting.support import URLS, Phone, room

AUTH = (ErrorType.AUTH_FAILED, "binance", "orders")


def settings(**channels: dict[str, object]) -> Settings:
    return Settings.model_validate({"channels": channels})


def test_a_new_channel_hears_of_what_lasts_and_one_that_was_taken_out_of_nothing_more() -> None:
    clock = VirtualClock()

    async def main() -> tuple[Phone, Phone]:
        async with room(clock, phones={"chat": Phone(clock)}) as made:
            made.registry.happened(*AUTH, {})
            await clock.sleep(120)
            made.phones["pager"] = Phone(clock)
            await made.alerting.adopt(settings(pager={"url": URLS["pager"]}))
            assert made.alerting.registry.lasting()
            await clock.sleep(120)
            made.registry.happened(ErrorType.BANNED, "binance", "", {})
            await clock.sleep(120)
            return made.chat, made.pager

    chat, pager = clock.run(main())
    assert len(chat.messages) == 1
    assert len(pager.messages) == 2


def test_a_channel_with_another_address_tells_there_what_it_had_not_told_yet() -> None:
    clock = VirtualClock()

    async def main() -> tuple[Phone, Phone]:
        before, after = Phone(clock), Phone(clock)
        async with room(clock, phones={"chat": before}) as made:
            made.registry.happened(*AUTH, {})
            made.phones["chat"] = after
            await made.alerting.adopt(settings(chat={"url": URLS["chat"]}))
            await clock.sleep(120)
        return before, after

    before, after = clock.run(main())
    assert (len(before.messages), len(after.messages)) == (0, 1)


def test_an_address_that_makes_no_sense_changes_nothing() -> None:
    clock = VirtualClock()

    async def main() -> Phone:
        async with room(clock, phones={"chat": Phone(clock)}) as made:
            with pytest.raises(ChannelError):
                await made.alerting.adopt(settings(chat={"url": "nonsense"}))
            made.registry.happened(*AUTH, {})
            await clock.sleep(120)
            return made.chat

    assert len(clock.run(main()).messages) == 1


def pushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Where alerts are posted, each with its type, while the test lasts."""
    posted: list[tuple[str, str]] = []

    async def post(_: Poster, url: str, body: bytes) -> str:
        posted.extend((url, alert["labels"]["error_type"]) for alert in json.loads(body))
        return ""

    monkeypatch.setattr(Poster, "_post", post)
    return posted


def test_another_alertmanager_is_told_at_once_of_what_lasts_and_the_old_one_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, posted = VirtualClock(), pushed(monkeypatch)

    async def main() -> None:
        async with room(clock, phones={}, alertmanager={"url": "http://old:9093"}) as made:
            made.registry.happened(*AUTH, {})
            await clock.sleep(1)
            assert posted == [("http://old:9093", "auth_failed")]
            wanted = {"alertmanager": {"url": "http://new:9093"}}
            await made.alerting.adopt(Settings.model_validate(wanted))
            await clock.sleep(1)
            made.registry.happened(ErrorType.ORDER_DEAD, "binance", "c1", {})
            await clock.sleep(1)

    clock.run(main())
    assert {url for url, _ in posted[1:]} == {"http://new:9093"}
    assert {kind for _, kind in posted[1:]} == {"auth_failed", "order_dead"}


def test_a_reload_without_another_alertmanager_tells_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, posted = VirtualClock(), pushed(monkeypatch)

    async def main() -> None:
        async with room(clock, phones={}, alertmanager={"url": "http://old:9093"}) as made:
            made.registry.happened(*AUTH, {})
            await clock.sleep(1)
            await made.alerting.adopt(Settings.model_validate({"alertmanager": {"url": "http://old:9093"}}))
            await clock.sleep(1)

    clock.run(main())
    assert posted == [("http://old:9093", "auth_failed")]


def test_a_token_that_cannot_be_read_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock, posted = VirtualClock(), pushed(monkeypatch)
    wanted = {"alertmanager": {"url": "http://new:9093", "token_file": tmp_path / "none"}}

    async def main() -> None:
        async with room(clock, phones={}, alertmanager={"url": "http://old:9093"}) as made:
            with pytest.raises(SecretFileError):
                await made.alerting.adopt(Settings.model_validate(wanted))
            made.registry.happened(*AUTH, {})
            await clock.sleep(1)

    clock.run(main())
    assert posted == [("http://old:9093", "auth_failed")]
